//! What all layouts share about texts: white space, and octets of which every one counts. Twin of `wire/layouts/payload.py`.

use crate::source::Text;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// The octets behind a BOM, if there is one.
#[must_use]
pub fn without_bom(payload: &[u8]) -> &[u8] {
    payload.strip_prefix(BOM).unwrap_or(payload)
}

/// `octets` without white space around them, as a part of the `text` they are of.
#[must_use]
pub fn trim(octets: &[u8], text: Text) -> Text {
    let begin = octets.iter().take_while(|&&octet| is_white(octet)).count();
    let blank = from(octets, begin).iter().rev().take_while(|&&octet| is_white(octet)).count();
    text.part(begin, octets.len() - blank)
}

/// Whether nothing but white space stands there.
#[must_use]
pub fn is_blank(octets: &[u8]) -> bool {
    octets.iter().copied().all(is_white)
}

/// Whether an octet is white space of values.
#[must_use]
pub fn is_white(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// What `\s` is in an expression over text.
#[must_use]
pub fn is_unicode_space(character: char) -> bool {
    matches!(character, '\x1c'..='\x1f') || character.is_whitespace()
}

/// The octets behind `at`, none where it lies behind the end.
#[must_use]
pub fn from(octets: &[u8], at: usize) -> &[u8] {
    octets.get(at..).unwrap_or_default()
}

/// How many octets at the beginning are such, `most` at the most.
#[must_use]
pub fn run(octets: &[u8], most: usize, such: impl Fn(u8) -> bool) -> usize {
    octets.iter().take(most).take_while(|&&octet| such(octet)).count()
}

/// One to ten decimal digits as a number.
#[must_use]
pub fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
