//! Finding out that nobody wants a CEF event, without reading all of it: the four keys that have to be there are enough.
//!
//! It answers only where `cef_windows` would come to the same end, warnings included; all else is read there.

use memchr::{memchr, memchr_iter};

use super::assemble::{is_unwanted, set_event_id, time_warning, warn};
use super::cef::{MAX_KEYS, key_start};
use super::cef_names::is_custom;
use super::cef_windows::{HEADED, read_time};
use super::payload::{from, is_white, trim};
use crate::judge::Context;
use crate::judged::Judged;
use crate::octets::run;
use crate::source::{Source, Text, octets_of};

/// The keys that are looked for, all of them required: event ID, time, log and computer.
const KEYS: [&[u8]; 4] = [b"externalId", b"rt", b"cat", b"dhost"];
const LABEL: &[u8] = b"Label";

/// The end of an event that nobody wants, whose extension is the octets `start..end` of the message; None for any other.
pub fn filter(
    message: &[u8],
    start: usize,
    end: usize,
    headed: bool,
    context: &Context,
    source: &mut Source,
) -> Option<Judged> {
    let [_, rt, cat, dhost] = find(message, start, end, |event_id| {
        set_event_id(message, event_id, source)?;
        let printed = source.text(message, source.envelope.event_id);
        let marked = printed == context.layouts.cef.result_of.as_bytes() || context.layouts.text_of(printed).is_some();
        (!marked && is_unwanted(message, context, source)).then_some(())
    })?;
    if cat.is_empty() || dhost.is_empty() || rt.is_empty() || source.envelope.event_id.is_empty() {
        return None;
    }
    let time = read_time(octets_of(rt, message, &[], &[]), context.zone_offset_minutes);
    if headed {
        warn(&[HEADED], source);
    }
    if let Some(warning) = time_warning(time) {
        warn(&[warning], source);
    }
    Some(Judged::Filtered { event_id: source.envelope.event_id })
}

/// The values of the four keys, if the event ID is one that is to be `noise`. What follows them is not read, unless a custom value stood
/// before one of them, which a label behind may give its name.
fn find(message: &[u8], start: usize, end: usize, mut noise: impl FnMut(Text) -> Option<()>) -> Option<[Text; 4]> {
    let extension = message.get(start..end)?;
    let mut values = [Text::EMPTY; 4];
    let (mut seen, mut open) = ([false; 4], None);
    let (mut first, mut custom) = (true, false);
    for (count, equals) in memchr_iter(b'=', extension).enumerate() {
        if count == MAX_KEYS {
            return None;
        }
        if !first && open.is_none() && !is_of_interest(extension.get(..equals)?) {
            continue;
        }
        let Some(begin) = key_start(extension, equals) else { continue };
        if first && !extension.get(..begin)?.iter().copied().all(is_white) {
            return None;
        }
        first = false;
        if let Some((number, value)) = open.take() {
            values[number] = close(message, start + value, start + begin.saturating_sub(1))?;
            if number == 0 {
                noise(values[0])?;
            }
            if seen == [true; 4] && !custom {
                let few = count + memchr_iter(b'=', from(extension, equals)).count() <= MAX_KEYS;
                return few.then_some(values);
            }
        }
        let key = extension.get(begin..equals)?;
        match KEYS.iter().position(|&known| known == key) {
            Some(number) if !seen[number] => {
                seen[number] = true;
                open = Some((number, equals + 1));
            }
            _ if may_be_renaming(key, from(extension, equals + 1)) => return None,
            _ => custom |= is_custom(key),
        }
    }
    if let Some((number, value)) = open {
        values[number] = close(message, start + value, end)?;
        if number == 0 {
            noise(values[0])?;
        }
    }
    (!first).then_some(values)
}

/// Whether the octets before `=` may end in a key that is looked for, a custom one, or a label.
fn is_of_interest(before: &[u8]) -> bool {
    matches!(before, [.., b'r' | b'a' | b's', b't'] | [.., b'I', b'd'] | [.., b'e', b'l'] | [.., b'0'..=b'9'])
}

/// The value of a key; None where it has to be unescaped.
fn close(message: &[u8], begin: usize, end: usize) -> Option<Text> {
    let value = message.get(begin..end)?;
    memchr(b'\\', value).is_none().then(|| trim(value, Text::in_message(begin, end)))
}

/// Whether a custom value may be given the name of a key that is looked for.
fn may_be_renaming(key: &[u8], rest: &[u8]) -> bool {
    if !key.strip_suffix(LABEL).is_some_and(is_custom) {
        return false;
    }
    let label = from(rest, run(rest, 0, usize::MAX, is_white));
    let length = label.iter().position(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'\\' | b'='));
    let word = label.get(..length.unwrap_or(label.len())).unwrap_or_default();
    word.is_empty() || KEYS.contains(&word)
}
