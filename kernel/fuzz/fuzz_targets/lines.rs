//! Entry: `loose_lines`. Lines that begin with a PRI are all others than those it names.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::syslog_framing::scan_trailed;
use tidegate_core::syslog_multiline::loose_lines;
use tidegate_fuzz::spans;

/// `<`, one to three digits, `>` (RFC 5424 section 6.2.1).
fn is_headed(line: &[u8]) -> bool {
    let end = line.iter().take(5).position(|&octet| octet == b'>');
    line.first() == Some(&b'<') && end.is_some_and(|end| end > 1 && line[1..end].iter().all(u8::is_ascii_digit))
}

fuzz_target!(|stream: &[u8]| {
    let found = scan_trailed(stream, false, 0, stream.len());
    let loose = loose_lines(stream, &found.spans);
    let lines = spans::cut(stream, &found.spans);
    let expected: Vec<u32> = (0..).zip(lines).filter(|(_, line)| !is_headed(line)).map(|(place, _)| place).collect();
    assert_eq!(loose, expected);
    let octets: Vec<u32> = stream.chunks_exact(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect();
    assert!(loose_lines(stream, &octets).len() <= octets.len() / 2, "any numbers are spans or none");
});
