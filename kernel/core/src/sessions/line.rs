//! A session's checksum as its line in the spool has it: twin of `pipeline/state/stored_sessions.py`.

use std::io::Write;

use super::Session;

/// The CRC-32 of a session as Python writes a tuple of its fields; None where it has a text that Python may write otherwise.
#[must_use]
pub fn checksum(session: &Session) -> Option<u32> {
    let mut text = Vec::with_capacity(192);
    write!(text, "({}", session.number).ok()?;
    for octets in session.texts.all() {
        if !octets.iter().all(|&octet| matches!(octet, b' '..=b'~') && octet != b'\'' && octet != b'\\') {
            return None;
        }
        text.extend_from_slice(b", '");
        text.extend_from_slice(octets);
        text.push(b'\'');
    }
    write!(text, ", {}, {}, ", session.begun_at_ms, session.last_at_ms).ok()?;
    match session.ended_at_ms {
        Some(ended) => write!(text, "{ended}"),
        None => write!(text, "None"),
    }
    .ok()?;
    write!(text, ", {})", session.heard_at_ms).ok()?;
    Some(crc_32(&text))
}

/// The CRC-32 of zlib, an octet at a time.
fn crc_32(octets: &[u8]) -> u32 {
    !octets.iter().fold(!0, |crc: u32, &octet| CRC_TABLE[usize::from(crc.to_le_bytes()[0] ^ octet)] ^ crc >> 8)
}

const CRC_TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut place = 0;
    while place < table.len() {
        #[allow(clippy::cast_possible_truncation)] // below 256
        let mut crc = place as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[place] = crc;
        place += 1;
    }
    table
};
