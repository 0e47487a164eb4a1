//! Properties of framing that need no twin: round trips, bounds, and the same meaning however a stream is cut.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_core::syslog_framing::{Rule, scan_counted, scan_trailed};

const LIMIT: usize = 64;

fn encode_counted(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|message| [message.len().to_string().as_bytes(), b" ", message].concat()).collect()
}

fn cut(buffer: &[u8], spans: &[u32]) -> Vec<Vec<u8>> {
    spans.chunks(2).map(|span| buffer[span[0] as usize..span[1] as usize].to_vec()).collect()
}

/// Messages, oversize and the broken rule of a counted stream that arrives in pieces of `step` octets.
fn read_counted(stream: &[u8], step: usize) -> (Vec<Vec<u8>>, usize, Option<Rule>) {
    let (mut messages, mut oversize, mut buffer, mut skip) = (vec![], 0, vec![], 0);
    for piece in stream.chunks(step) {
        buffer.extend_from_slice(piece);
        let found = scan_counted(&buffer, skip, LIMIT);
        messages.extend(cut(&buffer, &found.spans));
        oversize += found.oversize;
        skip = found.skip;
        buffer.drain(..found.consumed);
        if found.broken.is_some() {
            return (messages, oversize, found.broken);
        }
        assert!(buffer.len() <= LIMIT + 8, "more than one message is held");
    }
    (messages, oversize, None)
}

/// Messages and oversize of a stream of lines that arrives in pieces of `step` octets.
fn read_trailed(stream: &[u8], step: usize) -> (Vec<Vec<u8>>, usize) {
    let (mut messages, mut oversize, mut buffer, mut skipping, mut searched) = (vec![], 0, vec![], false, 0);
    for piece in stream.chunks(step) {
        buffer.extend_from_slice(piece);
        let found = scan_trailed(&buffer, skipping, searched, LIMIT);
        messages.extend(cut(&buffer, &found.spans));
        oversize += found.oversize;
        skipping = found.skipping;
        buffer.drain(..found.consumed);
        searched = buffer.len();
        assert!(buffer.len() <= LIMIT, "more than one message is held");
    }
    (messages, oversize)
}

/// Octets of which most mean something to a framing.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(0), Just(b' '), b'0'..=b'9', Just(b'<'), any::<u8>()], 0..300)
}

proptest! {
    #[test]
    fn counted_messages_come_back(
        messages in vec(vec(any::<u8>(), 1..LIMIT).prop_filter("trimmed", |m| m.last() != Some(&b'\n')), 0..20),
        step in 1..100_usize,
    ) {
        prop_assert_eq!(read_counted(&encode_counted(&messages), step), (messages, 0, None));
    }

    #[test]
    fn lines_come_back(messages in vec("<[ -~]{0,60}", 0..20), step in 1..100_usize) {
        let stream: Vec<u8> = messages.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
        let expected: Vec<Vec<u8>> = messages.iter().map(|line| line.clone().into_bytes()).collect();
        prop_assert_eq!(read_trailed(&stream, step), (expected, 0));
    }

    #[test]
    fn a_cut_means_nothing(stream in octets(), step in 1..50_usize) {
        prop_assert_eq!(read_counted(&stream, step), read_counted(&stream, stream.len().max(1)));
        prop_assert_eq!(read_trailed(&stream, step), read_trailed(&stream, stream.len().max(1)));
    }

    #[test]
    fn spans_rise_and_stay_inside(buffer in octets(), skip in 0..400_usize, searched in 0..400_usize) {
        let counted = scan_counted(&buffer, skip, LIMIT);
        let trailed = scan_trailed(&buffer, false, searched, LIMIT);
        for (spans, consumed) in [(counted.spans, counted.consumed), (trailed.spans, trailed.consumed)] {
            prop_assert!(spans.is_sorted() && spans.len() % 2 == 0);
            prop_assert!(spans.last().is_none_or(|&end| end as usize <= consumed) && consumed <= buffer.len());
        }
    }
}
