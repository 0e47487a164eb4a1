//! Splunk's key=value layout. Twin of `wire/layouts/splunk.py`.

use memchr::{memchr2, memchr3, memmem};

use super::assemble::{says_audit, set_event_id, set_keywords, set_provider, time_warning, verdict, warn};
use super::few::Few;
use super::pairs::{DUPLICATE_KEY, push_pair, read_text, value};
use super::payload::{from, is_white, trim, without_bom};
use crate::event_time::{parse_cim, parse_iso};
use crate::judge::Context;
use crate::judged::Judged;
use crate::octets::run;
use crate::source::{Source, Text};

const SEPARATED: &str = "separators";
const NO_USER: [&[u8]; 3] = [b"NULL", b"N/A", b"NOT_TRANSLATED"];
const MAX_KEY: usize = 64;

/// What stands between keys: CR LF, or what senders and relays make of it.
const SEPARATORS: [&[u8]; 7] = [b"\r\n", b"\n", b"\r\\", b"\r", b"\\r\\n", b"\\r\\", b"#015#012"];

/// Keys that have a place in the event's envelope, or repeat what another says.
const ENVELOPE: [&[u8]; 14] = [
    b"EventCode",
    b"Logfile",
    b"SourceName",
    b"TimeGenerated",
    b"ComputerName",
    b"Message",
    b"RecordNumber",
    b"Keywords",
    b"EventType",
    b"Type",
    b"User",
    b"Sid",
    b"TimeWritten",
    b"EventIdentifier",
];

/// Judge the payload that begins at `start`. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, context: &Context, source: &mut Source) -> Option<Judged> {
    let text = without_bom(message.get(start..)?);
    std::str::from_utf8(text).ok()?;
    let begin = run(message, message.len() - text.len(), usize::MAX, is_white);
    let (head_end, text_start) = message_key(message, begin)?;
    let text = trim(from(message, text_start), Text::in_message(text_start, message.len()));
    let (duplicate, separated) = read_pairs(message, begin, head_end, source)?;
    let [channel, provider, computer, event_id, time_text] =
        [b"Logfile".as_slice(), b"SourceName", b"ComputerName", b"EventCode", b"TimeGenerated"]
            .map(|key| value(message, key, source));
    if [channel, provider, computer, event_id, time_text, text].iter().any(|text| text.is_empty()) {
        return None;
    }
    set_event_id(message, event_id, source)?;
    set_provider(message, provider, context, source);
    let octets = source.text(message, time_text);
    let zone = context.zone_offset_minutes;
    let time = parse_cim(octets, zone).or_else(|| parse_iso(octets, zone));
    let envelope = &mut source.envelope;
    (envelope.channel, envelope.computer, envelope.time, envelope.time_text) = (channel, computer, time, time_text);
    source.envelope.record_id = value(message, b"RecordNumber", source);
    source.envelope.user_sid = value(message, b"Sid", source);
    set_user(message, source);
    set_result(message, source);
    let mut warnings = Few::<&'static str, 8>::default();
    if separated {
        warnings.push(SEPARATED)?;
    }
    if duplicate {
        warnings.push(DUPLICATE_KEY)?;
    }
    time_warning(time).map_or(Some(()), |warning| warnings.push(warning))?;
    for &warning in read_text(message, text, &ENVELOPE, context, source)?.iter() {
        warnings.push(warning)?;
    }
    warn(&warnings, source);
    Some(verdict(message, context, source))
}

/// Where the keys end and where the message's text begins. The first key needs no separator.
fn message_key(message: &[u8], begin: usize) -> Option<(usize, usize)> {
    memmem::find_iter(from(message, begin), b"Message=").find_map(|at| {
        let before = message.get(begin..begin + at)?;
        let separator =
            SEPARATORS.iter().find(|separator| before.ends_with(separator)).map(|separator| separator.len());
        let length = if at == 0 { 0 } else { separator? };
        Some((begin + at - length, begin + at + "Message=".len()))
    })
}

/// Gather the pairs of `begin..end`; whether a key came again, and whether some separator wasn't CR LF.
fn read_pairs(message: &[u8], begin: usize, end: usize, source: &mut Source) -> Option<(bool, bool)> {
    let (mut chunk, mut at, mut duplicate, mut separated) = (begin, begin, false, false);
    while let Some(next) = next_separator(message.get(at..end)?) {
        at += next;
        let here = message.get(at..end)?;
        let separator = SEPARATORS.iter().find(|form| here.starts_with(form) && is_key(from(here, form.len())));
        let Some(separator) = separator else {
            at += 1;
            continue;
        };
        separated |= separator != &SEPARATORS[0];
        duplicate |= push_pair(message, chunk, at, source)?;
        at += separator.len();
        chunk = at;
    }
    duplicate |= push_pair(message, chunk, end, source)?;
    Some((duplicate, separated))
}

/// The next octet at which a separator may begin.
fn next_separator(octets: &[u8]) -> Option<usize> {
    let escaped = memchr2(b'\\', b'#', octets);
    memchr3(b'\r', b'\n', b'\\', octets).into_iter().chain(escaped).min()
}

fn is_key(octets: &[u8]) -> bool {
    let length = run(octets, 0, MAX_KEY + 1, |octet| octet.is_ascii_alphanumeric() || octet == b'_');
    octets.first().is_some_and(u8::is_ascii_alphabetic) && length <= MAX_KEY && octets.get(length) == Some(&b'=')
}

/// `DOMAIN\name`, or a name alone.
fn set_user(message: &[u8], source: &mut Source) {
    let user = value(message, b"User", source);
    let octets = source.text(message, user);
    if NO_USER.contains(&octets) {
        return;
    }
    let backslash = octets.iter().rposition(|&octet| octet == b'\\');
    source.envelope.user_domain = user.part(0, backslash.unwrap_or(0));
    source.envelope.user_name = user.part(backslash.map_or(0, |backslash| backslash + 1), user.len());
}

/// Keywords, or an audit's result as the event's type says it: in words, or as the classic log's number; and the level.
fn set_result(message: &[u8], source: &mut Source) {
    let [keywords, words, number] =
        [b"Keywords".as_slice(), b"Type", b"EventType"].map(|key| value(message, key, source));
    let (audit, level): (&[u8], &[u8]) = match source.text(message, number) {
        b"8" => (b"0x8020000000000000", b""),
        b"16" => (b"0x8010000000000000", b""),
        b"1" => (b"", b"2"),
        b"2" => (b"", b"3"),
        b"4" => (b"", b"4"),
        _ => (b"", b""),
    };
    source.envelope.level = source.copy(level);
    if !keywords.is_empty() {
        set_keywords(message, keywords, source);
    } else if says_audit(source.text(message, words)) {
        set_keywords(message, words, source);
    } else {
        source.envelope.keywords = source.copy(audit);
    }
}
