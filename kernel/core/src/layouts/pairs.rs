//! key=value pairs of the standalone sensor's layouts, gathered in the source's payload. Twin of `Pairs` in
//! `wire/layouts/envelope.py`.

use memchr::memchr;

use super::assemble::{Warnings, is_unwanted};
use super::labelled_text::parse_labels;
use super::payload::{from, trim};
use super::rendered_text::read_message;
use crate::judge::Context;
use crate::source::{Source, Text};

/// A key stands twice; the first counts.
pub const DUPLICATE_KEY: &str = "duplicate-key";

const MAX_KEYS: usize = 128;

/// Note the pair that the octets `start..end` of the message are, if they are one; whether its key came again. None where
/// there are too many.
pub fn push_pair(message: &[u8], start: usize, end: usize, source: &mut Source) -> Option<bool> {
    let chunk = message.get(start..end)?;
    let Some(equals) = memchr(b'=', chunk) else { return Some(false) };
    let key = trim(chunk.get(..equals)?, Text::in_message(start, start + equals));
    if key.is_empty() {
        return Some(false);
    }
    let octets = source.text(message, key);
    if source.payload.iter().any(|&(known, _)| source.text(message, known) == octets) {
        return Some(true);
    }
    if source.payload.len() == MAX_KEYS {
        return None;
    }
    source.payload.push((key, trim(from(chunk, equals + 1), Text::in_message(start + equals + 1, end))));
    Some(false)
}

/// The value of a key, empty where it is missing.
#[must_use]
pub fn value(message: &[u8], key: &[u8], source: &Source) -> Text {
    let found = source.payload.iter().find(|&&(known, _)| source.text(message, known) == key);
    found.map_or(Text::EMPTY, |&(_, value)| value)
}

/// Make the payload of the pairs: what the rendered text says, then every pair whose key isn't among `envelope`. Returns the
/// text's warnings; None where only the twin can tell.
pub fn read_text(
    message: &[u8],
    text: Text,
    envelope: &[&[u8]],
    context: &Context,
    source: &mut Source,
) -> Option<Warnings> {
    let provider = source.text(message, source.envelope.provider);
    let template = context.layouts.text_of(source.text(message, source.envelope.event_id));
    let count = source.payload.len();
    let mut warnings = Warnings::default();
    match template.filter(|template| provider.is_empty() || template.is_of(provider)) {
        Some(template) => {
            let rendered = read_message(template, source.text(message, text), text)?;
            for &(name, value) in rendered.data.iter() {
                let name = source.copy(name);
                source.payload.push((name, value));
            }
            warnings = rendered.warnings;
        }
        None if is_unwanted(message, context, source) => return Some(warnings),
        None => {
            let labelled = parse_labels(message, text, source);
            source.payload.extend_from_slice(&labelled);
        }
    }
    for number in 0..count {
        let &(key, value) = source.payload.get(number)?;
        if !envelope.contains(&source.text(message, key)) {
            source.payload.push((key, value));
        }
    }
    source.payload.drain(..count);
    Some(warnings)
}
