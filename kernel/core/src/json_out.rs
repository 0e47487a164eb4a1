//! JSON as orjson writes it: texts in UTF-8, escaped where JSON demands it and nowhere else.

use std::io::Write;

/// What an octet below 0x20, `"` or `\` becomes; 0 for octets that stay, `u` for `\u00..`.
const ESCAPES: [u8; 256] = {
    let mut escapes = [0; 256];
    let mut octet = 0;
    while octet < 0x20 {
        escapes[octet] = b'u';
        octet += 1;
    }
    escapes[0x08] = b'b';
    escapes[b'\t' as usize] = b't';
    escapes[b'\n' as usize] = b'n';
    escapes[0x0c] = b'f';
    escapes[b'\r' as usize] = b'r';
    escapes[b'"' as usize] = b'"';
    escapes[b'\\' as usize] = b'\\';
    escapes
};

/// What one comparison of vectors takes.
const BLOCK: usize = 16;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Append `text`, which is UTF-8, as a JSON string.
pub fn write_text(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let mut rest = text;
    loop {
        let plain = plain_octets(rest);
        let (before, escaped) = rest.split_at(plain);
        out.extend_from_slice(before);
        let Some((&octet, behind)) = escaped.split_first() else { break };
        match ESCAPES[usize::from(octet)] {
            b'u' => {
                let _ = write!(out, "\\u{octet:04x}");
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = behind;
    }
    out.push(b'"');
}

/// Append a number.
pub fn write_int(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// How many octets at the beginning need no escape: sixteen at a time, then eight, the last eight once more where they overlap.
fn plain_octets(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(block) = text.get(at..at + BLOCK) {
        let escaped = |octet: u8| u8::from(octet < b' ') | u8::from(octet == b'"') | u8::from(octet == b'\\');
        if block.iter().fold(0, |found, &octet| found | escaped(octet)) != 0 {
            break;
        }
        at += BLOCK;
    }
    while let Some(eight) = text.get(at..at + 8) {
        let escaped = escaped_of(eight);
        if escaped != 0 {
            return at + escaped.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    if at == text.len() {
        return at;
    }
    if let Some(last) = text.len().checked_sub(8) {
        if escaped_of(&text[last..]) == 0 {
            return text.len();
        }
    }
    at + text[at..].iter().position(|&octet| ESCAPES[usize::from(octet)] != 0).unwrap_or(text.len() - at)
}

/// The high bits of those of eight octets that are escaped; exact up to the lowest one.
fn escaped_of(eight: &[u8]) -> u64 {
    let word = eight.try_into().map_or(0, u64::from_le_bytes);
    below_space(word) | equal(word, b'"') | equal(word, b'\\')
}

/// The high bit of octets below 0x20; exact up to the lowest one that is marked.
fn below_space(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGHS
}

/// The high bit of octets that are `octet`; exact up to the lowest one that is marked.
fn equal(word: u64, octet: u8) -> u64 {
    let differing = word ^ (ONES * u64::from(octet));
    differing.wrapping_sub(ONES) & !differing & HIGHS
}
