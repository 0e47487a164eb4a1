//! Distinguished names (RFC 4514): twin of `normalizers/transforms/distinguished_names.py`.

use super::{Outputs, Texts, span, unless_empty};
use crate::plan::{Options, Value};
use crate::source::Text;

pub(super) fn dn(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let whole = texts.printed(values.first().copied().flatten());
    let Some((name, domain)) = names(texts, whole) else { return false };
    out[0] = unless_empty(whole);
    out[1] = unless_empty(name);
    out[2] = unless_empty(domain);
    true
}

pub(super) fn dn_group(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let whole = texts.printed(values.first().copied().flatten());
    let Some((name, domain)) = names(texts, whole) else { return false };
    out[0] = unless_empty(name);
    out[1] = unless_empty(domain);
    !(name.is_empty() && domain.is_empty())
}

/// The first CN and the DCs, joined by dots.
fn names(texts: &mut Texts<'_>, whole: Text) -> Option<(Text, Text)> {
    let mut name = None;
    let (mut domain, mut several): (Text, Vec<u8>) = (Text::EMPTY, Vec::new());
    let mut at = 0;
    loop {
        let rdn = parse_rdn(texts.get(whole), at)?;
        let kind = &texts.get(whole)[rdn.kind.0..rdn.kind.1];
        if name.is_none() && kind.eq_ignore_ascii_case(b"CN") {
            name = Some(unescaped(texts, whole.part(rdn.value.0, rdn.value.1), rdn.escaped));
        } else if kind.eq_ignore_ascii_case(b"DC") {
            let value = unescaped(texts, whole.part(rdn.value.0, rdn.value.1), rdn.escaped);
            if domain.is_empty() {
                domain = value;
            } else if !value.is_empty() {
                if several.is_empty() {
                    several.extend_from_slice(texts.get(domain));
                }
                several.push(b'.');
                several.extend_from_slice(texts.get(value));
            }
        }
        match texts.get(whole).get(rdn.value.1) {
            None => break,
            Some(b',' | b'+') => at = rdn.value.1 + 1,
            Some(_) => return None,
        }
    }
    if !several.is_empty() {
        domain = texts.copy(&several);
    }
    Some((name.unwrap_or(Text::EMPTY), domain))
}

/// One attribute type and its value, as spans.
struct Rdn {
    kind: (usize, usize),
    value: (usize, usize),
    escaped: bool,
}

fn parse_rdn(text: &[u8], at: usize) -> Option<Rdn> {
    let blank = |octet| matches!(octet, b' ' | b'\t');
    let start = at + span(text.get(at..)?, blank);
    let end = start + attribute_type(&text[start..])?;
    let equals = end + span(&text[end..], blank);
    if text.get(equals) != Some(&b'=') {
        return None;
    }
    let (length, escaped) = value_octets(&text[equals + 1..]);
    Some(Rdn { kind: (start, end), value: (equals + 1, equals + 1 + length), escaped })
}

/// How long the attribute type at the beginning is: a keyword, or an object identifier.
fn attribute_type(text: &[u8]) -> Option<usize> {
    match text.first()? {
        letter if letter.is_ascii_alphabetic() => Some(keyword(text)),
        digit if digit.is_ascii_digit() => {
            let mut end = span(text, |octet| octet.is_ascii_digit());
            while text.get(end) == Some(&b'.') {
                match span(&text[end + 1..], |octet| octet.is_ascii_digit()) {
                    0 => break,
                    digits => end += 1 + digits,
                }
            }
            Some(end)
        }
        _ => None,
    }
}

/// How long the letters, digits and hyphens behind a first letter are.
fn keyword(text: &[u8]) -> usize {
    match text.first() {
        Some(letter) if letter.is_ascii_alphabetic() => {
            span(text, |octet| octet.is_ascii_alphanumeric() || octet == b'-')
        }
        _ => 0,
    }
}

/// How long the value at the beginning is, and whether something in it is escaped.
fn value_octets(text: &[u8]) -> (usize, bool) {
    let (mut at, mut escaped) = (0, false);
    while let Some(&octet) = text.get(at) {
        match octet {
            b',' => break,
            b'\\' if at + 1 == text.len() => break,
            b'\\' => {
                escaped = true;
                at += 2;
            }
            b'+' => {
                let kind = keyword(&text[at + 1..]);
                if kind > 0 && text.get(at + 1 + kind) == Some(&b'=') {
                    break;
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    (at, escaped)
}

fn unescaped(texts: &mut Texts<'_>, value: Text, escaped: bool) -> Text {
    if !escaped {
        return value;
    }
    let octets = texts.get(value);
    let mut plain = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let escape = (octet == b'\\').then(|| octets.get(at + 1..at + 3).and_then(hex_octet));
        match (escape, octets.get(at + 1)) {
            (Some(Some(octet)), _) => {
                plain.push(octet);
                at += 3;
            }
            (Some(None), Some(&escaped)) => {
                plain.push(escaped);
                at += 2;
            }
            _ => {
                plain.push(octet);
                at += 1;
            }
        }
    }
    let plain = String::from_utf8_lossy(&plain);
    texts.copy(plain.as_bytes())
}

fn hex_octet(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0, |value: u8, &digit| {
        Some(value << 4 | u8::try_from(char::from(digit).to_digit(16)?).unwrap_or_default())
    })
}
