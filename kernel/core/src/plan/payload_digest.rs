//! What a weak uid says of an event's data: twin of `@payload` in `normalizers/uid.py`.

use sha2::{Digest, Sha256};

use crate::source::Source;

const UNIT_SEPARATOR: u8 = 0x1f;
const HEX: [u8; 16] = *b"0123456789abcdef";

/// Append the SHA-256 of the sorted `name=text`, in hexadecimal.
pub(super) fn payload_digest(message: &[u8], source: &Source, out: &mut Vec<u8>) {
    let start = out.len();
    let mut pairs = Vec::with_capacity(source.payload.len());
    for &(name, text) in &source.payload {
        let from = out.len();
        out.extend_from_slice(source.text(message, name));
        out.push(b'=');
        out.extend_from_slice(source.text(message, text));
        pairs.push(from..out.len());
    }
    pairs.sort_unstable_by(|left, right| out[left.clone()].cmp(&out[right.clone()]));
    let sorted = out.len();
    for (place, pair) in pairs.into_iter().enumerate() {
        if place > 0 {
            out.push(UNIT_SEPARATOR);
        }
        out.extend_from_within(pair);
    }
    let digest = Sha256::digest(&out[sorted..]);
    out.truncate(start);
    for octet in digest {
        out.extend_from_slice(&[HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
    }
}
