//! What a weak uid says of an event's data: twin of `@payload` in `normalizers/uid.py`.

use sha2::{Digest, Sha256};

use crate::source::Source;

const UNIT_SEPARATOR: &[u8] = b"\x1f";
const HEX: [u8; 16] = *b"0123456789abcdef";

/// Append the SHA-256 of the sorted `name=text`, in hexadecimal.
pub(super) fn payload_digest(message: &[u8], source: &Source, out: &mut Vec<u8>) {
    let mut pairs: Vec<Vec<u8>> = source
        .payload
        .iter()
        .map(|&(name, text)| [source.text(message, name), b"=", source.text(message, text)].concat())
        .collect();
    pairs.sort_unstable();
    let mut digest = Sha256::new();
    for (place, pair) in pairs.iter().enumerate() {
        if place > 0 {
            digest.update(UNIT_SEPARATOR);
        }
        digest.update(pair);
    }
    for octet in digest.finalize() {
        out.extend_from_slice(&[HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
    }
}
