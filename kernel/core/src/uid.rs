//! UUID version 5 (RFC 9562 section 5.5): twin of the arithmetic in `normalizers/uid.py`.

use sha1::{Digest, Sha1};

/// Each octet in hexadecimal.
const HEX: [[u8; 2]; 256] = {
    let digits = *b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut octet = 0;
    while octet < 256 {
        pairs[octet] = [digits[octet >> 4], digits[octet & 15]];
        octet += 1;
    }
    pairs
};

/// Where each octet stands in a text: 8-4-4-4-12 digits.
const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/// The UUID of a name, before which the sixteen octets of its namespace stand.
#[must_use]
pub fn uuid5(name: &[u8]) -> [u8; 16] {
    let digest = Sha1::digest(name);
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&digest[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x50;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    uuid
}

/// Its text: 8-4-4-4-12 hexadecimal digits.
#[must_use]
pub fn uuid_text(uuid: [u8; 16]) -> [u8; 36] {
    let mut text = [b'-'; 36];
    for (octet, at) in uuid.into_iter().zip(PLACES) {
        text[at..at + 2].copy_from_slice(&HEX[usize::from(octet)]);
    }
    text
}

/// A UUID's octets out of its text, hyphens or none.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|&letter| letter != '-').collect();
    if digits.len() != 32 || !digits.is_ascii() {
        return None;
    }
    u128::from_str_radix(&digits, 16).ok().map(u128::to_be_bytes)
}
