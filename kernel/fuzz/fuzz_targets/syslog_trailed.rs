//! Entry: `scan_trailed`. A stream of lines means the same however it is cut, and no more than one line is ever held.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::syslog_framing::scan_trailed;
use tidegate_fuzz::{pieces, spans};

const LIMIT: usize = 64;

/// Lines, and how many were too long.
fn read(pieces: &[&[u8]]) -> (Vec<Vec<u8>>, usize) {
    let (mut lines, mut oversize, mut buffer, mut skipping, mut searched) = (vec![], 0, vec![], false, 0);
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let found = scan_trailed(&buffer, skipping, searched, LIMIT);
        spans::check(&found.spans, found.consumed);
        lines.extend(spans::cut(&buffer, &found.spans).into_iter().map(<[u8]>::to_vec));
        oversize += found.oversize;
        skipping = found.skipping;
        buffer.drain(..found.consumed);
        searched = buffer.len();
        assert!(buffer.len() <= LIMIT, "more than one line is held");
    }
    assert!(lines.iter().all(|line| (1..=LIMIT).contains(&line.len()) && !line.contains(&b'\n') && !line.contains(&0)));
    (lines, oversize)
}

fuzz_target!(|stream: &[u8]| pieces::check_cuts(stream, read));
