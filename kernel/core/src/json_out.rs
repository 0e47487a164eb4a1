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
    if is_plain(text) {
        out.extend_from_slice(text);
    } else {
        write_escaped(out, text);
    }
    out.push(b'"');
}

/// Append a number.
pub fn write_int(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Whether no octet has to be escaped: looked at in blocks, the last one overlapping the one before it.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    if let Some(last) = text.last_chunk::<BLOCK>() {
        return is_plain_block(last) && text.chunks_exact(BLOCK).all(is_plain_block);
    }
    if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
        return is_plain_word(u64::from_le_bytes(*first)) && is_plain_word(u64::from_le_bytes(*last));
    }
    text.iter().all(|&octet| ESCAPES[usize::from(octet)] == 0)
}

#[inline]
fn is_plain_block<'a>(block: impl IntoIterator<Item = &'a u8>) -> bool {
    let escaped = |octet: u8| u8::from(octet < b' ') | u8::from(octet == b'"') | u8::from(octet == b'\\');
    block.into_iter().fold(0, |found, &octet| found | escaped(octet)) == 0
}

#[inline]
fn is_plain_word(word: u64) -> bool {
    let equal = |octet: u8| {
        let differing = word ^ (ONES * u64::from(octet));
        differing.wrapping_sub(ONES) & !differing
    };
    (word.wrapping_sub(ONES * 0x20) & !word | equal(b'"') | equal(b'\\')) & HIGHS == 0
}

#[cold]
fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text;
    while let Some(plain) = rest.iter().position(|&octet| ESCAPES[usize::from(octet)] != 0) {
        let (before, escaped) = rest.split_at(plain);
        out.extend_from_slice(before);
        match ESCAPES[usize::from(escaped[0])] {
            b'u' => {
                let _ = write!(out, "\\u{:04x}", escaped[0]);
            }
            letter => out.extend_from_slice(&[b'\\', letter]),
        }
        rest = &escaped[1..];
    }
    out.extend_from_slice(rest);
}
