//! Snare's `MSWinEventLog`. Twin of `wire/layouts/snare.py`, whose table numbers the fields.

use memchr::{memchr, memmem};

use super::assemble::{Delivered, assemble, says_audit};
use super::few::Few;
use super::payload::{from, is_blank, trim};
use crate::event_time::{parse_ctime, parse_iso};
use crate::judge::Context;
use crate::judged::Judged;
use crate::octets::{self, run};
use crate::source::{Source, Text};

const TYPE: &[u8] = b"MSWinEventLog";
const ESCAPED: &str = "escaped-controls";
const TAIL: usize = 12;
const FEWEST: usize = 12;
const NO_USER: [&[u8]; 4] = [b"", b"-", b"N/A", b"NOT_TRANSLATED"];

/// What relays make of a TAB, rsyslog's apart.
const PRINTED: [&[u8]; 4] = [b"\\t", b"\\x09", b"^I", b"<009>"];

/// Judge the payload that begins at `start`. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, context: &Context, source: &mut Source) -> Option<Judged> {
    let payload = message.get(start..)?;
    std::str::from_utf8(payload).ok()?;
    let (text, escaped) = plain(payload, start, message.len(), source);
    let fields = split(source.text(message, text), text)?;
    let field = |number: usize| fields.get(number).copied().unwrap_or_default();
    let trimmed = |text: Text, source: &Source| trim(source.text(message, text), text);
    let (expanded, record_id) = if fields.len() > TAIL {
        let octets = source.text(message, field(TAIL));
        tail(octets, field(TAIL), *source.text(message, text).get(TYPE.len())?)
    } else {
        (field(TAIL - 1), Text::EMPTY)
    };
    let event_type = trimmed(field(9), source);
    let audits = says_audit(source.text(message, event_type));
    let level = if audits { source.copy(b"0") } else { event_type };
    let delivered = Delivered {
        event_id: field(5),
        time_text: field(4),
        provider: trimmed(field(6), source),
        channel: trimmed(field(2), source),
        keywords: if audits { event_type } else { Text::EMPTY },
        level,
        message: expanded,
    };
    source.envelope.computer = trimmed(field(10), source);
    source.envelope.record_id = record_id;
    set_user(message, trimmed(field(7), source), source);
    let zone = context.zone_offset_minutes;
    let read_time = |text: &[u8]| parse_ctime(text, zone).or_else(|| parse_iso(text, zone));
    let repairs: &[&'static str] = if escaped { &[ESCAPED] } else { &[] };
    assemble(message, &delivered, read_time, repairs, context, source)
}

/// The payload with TABs, and whether those had to be put back.
fn plain(payload: &[u8], start: usize, end: usize, source: &mut Source) -> (Text, bool) {
    let behind = from(payload, TYPE.len());
    let begin = source.arena.len();
    if behind.starts_with(b"#011") {
        let mut at = 0;
        for found in memmem::find_iter(payload, b"#01") {
            let control = match payload.get(found + 3) {
                Some(b'1') => b'\t',
                Some(b'2') => b'\n',
                Some(b'5') => b'\r',
                _ => continue,
            };
            source.arena.extend_from_slice(payload.get(at..found).unwrap_or_default());
            source.arena.push(control);
            at = found + 4;
        }
        source.arena.extend_from_slice(from(payload, at));
        return (source.since(begin), true);
    }
    let Some(printed) = PRINTED.iter().find(|printed| behind.starts_with(printed)) else {
        return (Text::in_message(start, end), false);
    };
    let mut at = 0;
    for found in memmem::find_iter(payload, printed) {
        source.arena.extend_from_slice(payload.get(at..found).unwrap_or_default());
        source.arena.push(b'\t');
        at = found + printed.len();
    }
    source.arena.extend_from_slice(from(payload, at));
    (source.since(begin), true)
}

/// The fields, the last of which has all from no. 12 on.
fn split(octets: &[u8], text: Text) -> Option<Few<Text, { TAIL + 1 }>> {
    let delimiter = *octets.get(TYPE.len()).filter(|octet| matches!(octet, b'\t' | b',' | b';' | b'|'))?;
    let mut fields = Few::default();
    let mut at = 0;
    while fields.len() < TAIL {
        let Some(end) = memchr(delimiter, from(octets, at)) else { break };
        fields.push(text.part(at, at + end))?;
        at += end + 1;
    }
    fields.push(text.part(at, octets.len()))?;
    (fields.len() >= FEWEST).then_some(fields)
}

/// (expanded text, record ID) out of the fields from no. 12 on.
fn tail(octets: &[u8], text: Text, delimiter: u8) -> (Text, Text) {
    let data = memchr(delimiter, octets).unwrap_or(octets.len());
    let mut end = octets.len();
    let mut counter = None;
    while end > data {
        let begin =
            octets.get(..end).and_then(|before| before.iter().rposition(|&octet| octet == delimiter)).unwrap_or(0);
        let field = octets.get(begin + 1..end).unwrap_or_default();
        if is_counter(octets::trim(field)) {
            counter = Some((begin, trim(field, text.part(begin + 1, end)), octets::trim(field)));
            break;
        }
        end = begin;
    }
    let expanded_end = counter.map_or(octets.len(), |(begin, _, _)| begin);
    let expanded = octets.get(data + 1..expanded_end).unwrap_or_default();
    let record = match counter {
        Some((_, record, digits)) if digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit) => record,
        _ => Text::EMPTY,
    };
    if is_blank(expanded) {
        return (trim(octets.get(..data).unwrap_or_default(), text.part(0, data)), record);
    }
    (trim(expanded, text.part(data + 1, expanded_end)), record)
}

/// Whether a field is a counter: a number, or an MD5.
fn is_counter(field: &[u8]) -> bool {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    let number = (1..=20).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    number || (field.len() == 32 && field.iter().all(u8::is_ascii_hexdigit))
}

/// `DOMAIN\name`, a name or a SID.
fn set_user(message: &[u8], user: Text, source: &mut Source) {
    let octets = source.text(message, user);
    if NO_USER.contains(&octets) {
        return;
    }
    if is_sid(octets) {
        source.envelope.user_sid = user;
    } else if let Some(backslash) = memchr(b'\\', octets) {
        source.envelope.user_domain = user.part(0, backslash);
        source.envelope.user_name = user.part(backslash + 1, user.len());
    } else {
        source.envelope.user_name = user;
    }
}

fn is_sid(text: &[u8]) -> bool {
    let [b's' | b'S', b'-', b'1', rest @ ..] = text else { return false };
    let (mut at, mut parts) = (0, 0);
    while at < rest.len() {
        let end = run(rest, at + 1, 16, |octet| octet.is_ascii_digit());
        if rest.get(at) != Some(&b'-') || !(1..=15).contains(&(end - at - 1)) {
            return false;
        }
        at = end;
        parts += 1;
    }
    (1..=16).contains(&parts)
}
