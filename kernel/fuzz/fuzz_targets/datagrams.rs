//! Entries: `Receiver`, `Burst`. What is sent to a socket comes in its order, cut behind what is wanted of it, and answers come back.

#![no_main]

use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::spans;
use tidegate_net::{Answers, Receiver, Room, send};

const MAX_DATAGRAMS: usize = 40;
const MAX_OCTETS: usize = 2000;

static SOCKETS: LazyLock<[UdpSocket; 2]> = LazyLock::new(|| {
    let bound = UdpSocket::bind("127.0.0.1:0").expect("the loopback interface is there");
    let sender = UdpSocket::bind("127.0.0.1:0").expect("the same");
    sender.connect(bound.local_addr().expect("it is bound")).expect("the same");
    sender.set_read_timeout(Some(Duration::from_secs(10))).expect("no zero");
    [bound, sender]
});

#[derive(Arbitrary, Debug)]
struct Input {
    datagrams: Vec<Vec<u8>>,
    longest: u8,
    at_once: u8,
    tells_destination: bool,
    most: u8,
    octets: u16,
}

fuzz_target!(|input: Input| {
    let [bound, sender] = &*SOCKETS;
    let sent: Vec<&[u8]> = input
        .datagrams
        .iter()
        .take(MAX_DATAGRAMS)
        .map(|datagram| &datagram[..datagram.len().min(MAX_OCTETS)])
        .collect();
    for datagram in &sent {
        sender.send(datagram).expect("the loopback interface takes it");
    }
    let longest = usize::from(input.longest).max(1);
    let mut receiver = Receiver::new(longest, usize::from(input.at_once % 64), input.tells_destination);
    let (mut memory, mut came) = (Room::new(MAX_OCTETS, 0), Vec::<Vec<u8>>::new());
    while came.len() < sent.len() {
        let most = usize::from(input.most).max(1);
        let burst =
            receiver.receive(&mut memory, bound.as_raw_fd(), most, usize::from(input.octets)).expect("a socket");
        assert!((1..=most).contains(&burst.datagrams));
        let [peer] = &burst.peers[..] else { panic!("one sender") };
        spans::check(&peer.spans, memory.octets().len());
        assert_eq!((peer.address.as_str(), peer.ways.len()), ("127.0.0.1", burst.datagrams));
        let answers = Answers { buffer: memory.octets(), spans: &peer.spans, ways: &peer.ways };
        assert_eq!(send(bound.as_raw_fd(), answers, &burst.ways, 0), (burst.datagrams, None));
        came.extend(spans::cut(memory.octets(), &peer.spans).into_iter().map(<[u8]>::to_vec));
    }
    let expected: Vec<&[u8]> = sent.iter().map(|datagram| &datagram[..datagram.len().min(longest)]).collect();
    assert_eq!(came, expected);
    let mut room = [0; MAX_OCTETS];
    for datagram in expected {
        let octets = sender.recv(&mut room).expect("an answer");
        assert_eq!(&room[..octets], datagram);
    }
    assert_eq!(receiver.receive(&mut memory, bound.as_raw_fd(), 1, 0).expect("a socket").datagrams, 0);
});
