//! Splunk's classic `WinEventLog`. Twin of `wire/layouts/splunk_classic.py`; what a relay made one line of is left to it.

use memchr::{memchr, memchr2, memmem};

use super::assemble::{Delivered, assemble};
use super::detect::dated;
use super::payload::from;
use crate::event_time::{parse_iso, parse_us};
use crate::judge::Context;
use crate::judged::Judged;
use crate::keywords::parse_keywords;
use crate::octets::run;
use crate::source::{Source, Text};

const MESSAGE: &[u8] = b"Message=";
const NO_USER: &[u8] = b"NOT_TRANSLATED";
const MAX_KEYS: usize = 64;
const MAX_NAME: usize = 32;

/// The keys that mean something to a record.
const KEYS: [&[u8]; 9] =
    [b"LogName", b"SourceName", b"EventCode", b"ComputerName", b"RecordNumber", b"Keywords", b"Type", b"User", b"Sid"];

/// Judge the payload that begins at `start`. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, context: &Context, source: &mut Source) -> Option<Judged> {
    let payload = message.get(start..)?;
    std::str::from_utf8(payload).ok()?;
    let head = payload.get(..memmem::find(payload, b" Message=").unwrap_or(payload.len()))?;
    let keys = payload.get(..memmem::find(payload, MESSAGE).unwrap_or(payload.len()))?;
    let last = head.iter().rposition(|&octet| octet != b'\n')?;
    if memchr(b'\n', head.get(..last)?).is_none() || memmem::find(keys, b"#012").is_some() {
        return None;
    }
    let date = if dated(payload) { memchr(b'\n', payload)? + 1 } else { 0 };
    let (values, text) = read_keys(message, start + date);
    let [channel, provider, event_id, computer, record_id, keywords, level, user, sid] =
        values.map(Option::unwrap_or_default);
    source.envelope.computer = computer;
    source.envelope.record_id = record_id;
    source.envelope.user_sid = sid;
    source.envelope.user_name = if source.text(message, user) == NO_USER { Text::EMPTY } else { user };
    let octets = source.text(message, keywords);
    let names_any = octets.starts_with(b"0x") || parse_keywords(octets).is_some();
    let delivered = Delivered {
        event_id,
        time_text: Text::in_message(start, start + date),
        provider,
        channel,
        keywords: if names_any { keywords } else { Text::EMPTY },
        level,
        message: text,
    };
    let zone = context.zone_offset_minutes;
    let read_time = |text: &[u8]| parse_us(text, zone).or_else(|| parse_iso(text, zone));
    assemble(message, &delivered, read_time, &[], context, source)
}

/// The first value of each key, and the text behind the last one.
fn read_keys(message: &[u8], start: usize) -> ([Option<Text>; KEYS.len()], Text) {
    let mut values = [None; KEYS.len()];
    let mut at = start;
    for _ in 0..MAX_KEYS {
        let rest = from(message, at);
        if rest.starts_with(MESSAGE) {
            let is_break = |octet: u8| matches!(octet, b'\r' | b'\n');
            let begin = run(message, at + MESSAGE.len(), usize::MAX, is_break);
            let breaks = from(message, begin).iter().rev().take_while(|&&octet| is_break(octet)).count();
            return (values, Text::in_message(begin, message.len() - breaks));
        }
        let line = rest.get(..memchr2(b'\r', b'\n', rest).unwrap_or(rest.len())).unwrap_or_default();
        let name = run(line, 0, MAX_NAME + 1, |octet| octet.is_ascii_alphabetic());
        if (2..=MAX_NAME).contains(&name) && line.get(name) == Some(&b'=') {
            let trailing = line.iter().skip(name + 1).rev().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
            let known = KEYS.iter().position(|key| line.get(..name) == Some(*key));
            if let Some(value) = known.and_then(|key| values.get_mut(key)).filter(|_| line.len() > name + 1) {
                value.get_or_insert(Text::in_message(at + name + 1, at + line.len() - trailing));
            }
        } else if line.len() == rest.len() || !line.iter().all(|octet| matches!(octet, b' ' | b'\t')) {
            break;
        }
        at += line.len() + if from(rest, line.len()).starts_with(b"\r\n") { 2 } else { 1 };
    }
    (values, Text::EMPTY)
}
