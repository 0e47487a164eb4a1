//! System/Keywords in the spellings that layouts use, as the number that event XML prints; the readable twin is
//! `wire/keywords.py`.

use crate::octets::trim;

const AUDIT_SUCCESS: u64 = 0x8020_0000_0000_0000;
const AUDIT_FAILURE: u64 = 0x8010_0000_0000_0000;
const NAMES: [(&[u8], u64); 4] = [
    (b"auditsuccess", AUDIT_SUCCESS),
    (b"successaudit", AUDIT_SUCCESS),
    (b"auditfailure", AUDIT_FAILURE),
    (b"failureaudit", AUDIT_FAILURE),
];

/// The bits that `Audit Success`, a decimal or a hexadecimal number stand for; None for a text that names no keywords,
/// which is kept as it came.
#[must_use]
pub fn parse_keywords(text: &[u8]) -> Option<u64> {
    let name = trim(text);
    match name {
        [b'0', b'x' | b'X', hex @ ..] if (1..=16).contains(&hex.len()) && hex.iter().all(u8::is_ascii_hexdigit) => {
            u64::from_str_radix(core::str::from_utf8(hex).ok()?, 16).ok()
        }
        [b'-', decimal @ ..] if is_decimal(decimal) => Some(modulo(decimal).wrapping_neg()),
        decimal if is_decimal(decimal) => Some(modulo(decimal)),
        _ => NAMES.iter().find(|(known, _)| is_named(name, known)).map(|&(_, bits)| bits),
    }
}

/// `0x` and sixteen hex digits.
#[must_use]
pub fn print_keywords(bits: u64) -> [u8; 18] {
    let mut text = *b"0x0000000000000000";
    for (at, octet) in text[2..].iter_mut().rev().enumerate() {
        *octet = b"0123456789abcdef"[usize::try_from((bits >> (4 * at)) & 0xf).unwrap_or_default()];
    }
    text
}

fn is_decimal(text: &[u8]) -> bool {
    (1..=20).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

fn modulo(decimal: &[u8]) -> u64 {
    decimal.iter().fold(0_u64, |sum, digit| sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

/// Whether a text is a name, `_` and spaces in it and its case left out of account.
fn is_named(text: &[u8], name: &[u8]) -> bool {
    let letters = text.iter().filter(|octet| !matches!(octet, b'_' | b' ')).map(u8::to_ascii_lowercase);
    letters.eq(name.iter().copied())
}
