//! A session's checksum as its line in the spool has it: twin of `pipeline/state/stored_sessions.py`.

use super::Session;
use crate::json_out::write_int;

/// The CRC-32 of a session as Python writes a tuple of its fields; None where it has a text that Python may write otherwise.
#[must_use]
pub fn checksum(session: &Session) -> Option<u32> {
    let mut text = Vec::with_capacity(192);
    text.push(b'(');
    write_int(&mut text, session.number);
    for octets in session.texts.all() {
        if !octets.iter().all(|&octet| matches!(octet, b' '..=b'~') && octet != b'\'' && octet != b'\\') {
            return None;
        }
        text.extend_from_slice(b", '");
        text.extend_from_slice(octets);
        text.push(b'\'');
    }
    let times = [Some(session.begun_at_ms), Some(session.last_at_ms), session.ended_at_ms, Some(session.heard_at_ms)];
    for time in times {
        text.extend_from_slice(b", ");
        match time {
            Some(time) => write_int(&mut text, time),
            None => text.extend_from_slice(b"None"),
        }
    }
    text.push(b')');
    Some(crc32fast::hash(&text))
}
