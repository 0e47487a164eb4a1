//! Entry: `Room`. It holds what a vector would, whatever is read into it, put behind and put before.

#![no_main]

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_net::{Errno, Room};

const MAX_OCTETS: usize = 10_000;

static STREAM: LazyLock<[UnixStream; 2]> = LazyLock::new(|| UnixStream::pair().expect("two ends").into());

#[derive(Arbitrary, Debug)]
enum Step {
    Extend(Vec<u8>),
    Prepend(Vec<u8>),
    Receive(Vec<u8>, u16),
    Clear,
}

fuzz_target!(|input: (u8, u8, Vec<Step>)| {
    let (octets, before, steps) = input;
    let (mut room, mut model) = (Room::new(octets.into(), before.into()), Vec::new());
    for step in &steps {
        match step {
            Step::Extend(octets) => {
                room.extend(octets);
                model.extend_from_slice(octets);
            }
            Step::Prepend(octets) => {
                room.prepend(octets);
                model.splice(..0, octets.iter().copied());
            }
            Step::Receive(octets, most) => receive(&mut room, &mut model, octets, usize::from(*most).max(1)),
            Step::Clear => {
                room.clear();
                model.clear();
            }
        }
        assert_eq!(room.octets(), model);
    }
});

/// Read all that is sent, `most` octets at a time.
fn receive(room: &mut Room, model: &mut Vec<u8>, sent: &[u8], most: usize) {
    let [sender, receiver] = &*STREAM;
    let mut sent = &sent[..sent.len().min(MAX_OCTETS)];
    std::io::Write::write_all(&mut &*sender, sent).expect("the stream takes it");
    while !sent.is_empty() {
        let taken = room.receive(receiver.as_raw_fd(), most).expect("there is something");
        assert!((1..=most).contains(&taken));
        model.extend_from_slice(&sent[..taken]);
        sent = &sent[taken..];
    }
    assert_eq!(room.receive(receiver.as_raw_fd(), most), Err(Errno::EAGAIN));
}
