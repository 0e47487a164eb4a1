//! Entry: `scan_counted`. A stream means the same however it is cut, and no more than one message is ever held.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::syslog_framing::{Rule, scan_counted};
use tidegate_fuzz::{pieces, spans};

const LIMIT: usize = 64;
const LENGTH: usize = 8;

/// Messages, how many were too long, and the broken rule.
fn read(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, usize, Option<Rule>) {
    let (mut messages, mut oversize, mut buffer, mut skip) = (vec![], 0, vec![], 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let found = scan_counted(&buffer, skip, LIMIT);
        spans::check(&found.spans, found.consumed);
        messages.extend(spans::cut(&buffer, &found.spans).into_iter().map(<[u8]>::to_vec));
        oversize += found.oversize;
        skip = found.skip;
        buffer.drain(..found.consumed);
        if found.broken.is_some() {
            return (messages, oversize, found.broken);
        }
        assert!(buffer.len() <= LIMIT + LENGTH, "more than one message is held");
    }
    assert!(messages.iter().all(|message| (1..=LIMIT).contains(&message.len())));
    (messages, oversize, None)
}

fuzz_target!(|stream: &[u8]| {
    pieces::check_cuts(stream, read);
    let message = &stream[..stream.len().min(LIMIT)];
    if message.last().is_some_and(|&last| last != b'\n') {
        let counted = [message.len().to_string().as_bytes(), b" ", message].concat();
        assert_eq!(read(&[&counted, &counted]), (vec![message.to_vec(); 2], 0, None));
    }
});
