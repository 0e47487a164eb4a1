//! CEF's syntax: the header's seven fields and the extension's pairs. Twin of `wire/cef.py`.

use memchr::{memchr, memchr_iter};

use super::payload::{from, is_unicode_space, is_white, trim};
use crate::octets::near;
use crate::source::{Source, Text, octets_of};

/// Most keys of an extension; what has more is refused by the twin.
pub const MAX_KEYS: usize = 128;
const MAX_KEY_CHARACTERS: usize = 128;
const FIELDS: usize = 7;

/// The header's fields that say what kind of event it is, escaped as they came, and where the extension begins.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs, reason = "the names of `wire.cef.CefMessage`")]
pub struct Header<'a> {
    pub vendor: &'a [u8],
    pub product: &'a [u8],
    pub signature: &'a [u8],
    /// The octet behind the header.
    pub end: usize,
}

/// Read the header of a text that begins with `CEF:`; None for one that ends early.
#[must_use]
pub fn parse_header(text: &[u8]) -> Option<Header<'_>> {
    let mut fields = [&text[..0]; FIELDS];
    let (mut at, mut count) = ("CEF:".len(), 0);
    let mut next = at;
    while let Some(found) = near(text, next, b'|', b'\\') {
        if text.get(found) == Some(&b'\\') {
            next = found + 2;
            continue;
        }
        *fields.get_mut(count)? = text.get(at..found)?;
        count += 1;
        at = found + 1;
        next = at;
        if count == FIELDS {
            let [_, vendor, product, _, signature, _, _] = fields;
            return Some(Header { vendor, product, signature, end: at });
        }
    }
    None
}

/// Find the pairs of an extension, the octets `start..end` of the message, and note them as (key, value as it stands there).
/// None where the twin has to tell: text before the first key, or too many keys.
pub fn scan_extension(message: &[u8], start: usize, end: usize, source: &mut Source) -> Option<()> {
    let extension = message.get(start..end)?;
    let mut key: Option<(usize, usize)> = None;
    for equals in memchr_iter(b'=', extension) {
        let Some(begin) = key_start(extension, equals) else { continue };
        match key {
            Some(before) => push_pair(source, start, before, begin.saturating_sub(1))?,
            None if !extension.get(..begin)?.iter().copied().all(is_white) => return None,
            None => {}
        }
        key = Some((begin, equals));
    }
    match key {
        Some(last) => push_pair(source, start, last, extension.len()),
        None => extension.iter().copied().all(is_white).then_some(()),
    }
}

fn push_pair(source: &mut Source, offset: usize, (begin, equals): (usize, usize), end: usize) -> Option<()> {
    if source.payload.len() == MAX_KEYS {
        return None;
    }
    let key = Text::in_message(offset + begin, offset + equals);
    source.payload.push((key, Text::in_message(offset + equals + 1, offset + end)));
    Some(())
}

/// Where the key before `equals` begins, if one stands there.
#[must_use]
pub fn key_start(extension: &[u8], equals: usize) -> Option<usize> {
    let before = extension.get(..equals)?;
    let begin = before.iter().rposition(|&octet| !IN_KEY[usize::from(octet)]).map_or(0, |outside| outside + 1);
    let length = equals - begin;
    let open = begin == 0 || before.get(begin - 1).copied().is_some_and(is_white);
    if length == 0 || !open {
        return None;
    }
    let key = before.get(begin..)?;
    if key.is_ascii() {
        return (length <= MAX_KEY_CHARACTERS).then_some(begin);
    }
    let mut characters = std::str::from_utf8(key).ok()?.chars();
    let few = characters.clone().nth(MAX_KEY_CHARACTERS).is_none();
    (few && !characters.any(is_unicode_space)).then_some(begin)
}

/// Whether an octet may stand in a key; those of other characters than ASCII's may.
const IN_KEY: [bool; 256] = {
    let mut table = [true; 256];
    let mut octet = 0_u8;
    while octet < 128 {
        table[octet as usize] = !matches!(octet, 9..=13 | 28..=32 | b'=' | b'|' | b'\\');
        octet += 1;
    }
    table
};

/// A value of the message without its escapes and without white space around it.
pub fn unescape(message: &[u8], value: Text, source: &mut Source) -> Text {
    let octets = octets_of(value, message, &[], &[]);
    if memchr(b'\\', octets).is_none() {
        return trim(octets, value);
    }
    let start = source.arena.len();
    let mut at = 0;
    while let Some(found) = memchr(b'\\', from(octets, at)) {
        let backslash = at + found;
        source.arena.extend_from_slice(octets.get(at..backslash).unwrap_or_default());
        let meant = match octets.get(backslash + 1) {
            Some(octet @ (b'\\' | b'=' | b'|')) => Some(*octet),
            Some(b'n') => Some(b'\n'),
            Some(b'r') => Some(b'\r'),
            _ => None,
        };
        source.arena.push(meant.unwrap_or(b'\\'));
        at = backslash + 1 + usize::from(meant.is_some());
    }
    source.arena.extend_from_slice(from(octets, at));
    let whole = source.since(start);
    trim(source.text(message, whole), whole)
}
