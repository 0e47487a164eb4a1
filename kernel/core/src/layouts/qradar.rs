//! `QRadar`'s layout. Twin of `wire/layouts/qradar.py`.

use memchr::memmem;

use super::assemble::{refuse, set_event_id, set_keywords, set_provider, time_warning, verdict, warn};
use super::few::Few;
use super::pairs::{DUPLICATE_KEY, push_pair, read_text, value};
use super::payload::{decimal, from, is_white, trim, without_bom};
use crate::event_time::{parse_cim, parse_epoch_ms};
use crate::judge::Context;
use crate::judged::Judged;
use crate::octets::run;
use crate::source::{Source, Text};

const AGENT_DEVICE: &[u8] = b"WindowsLog";
const NOT_OURS: &str = "not-a-windows-event";
const WINCOLLECT: &str = "wincollect";
const WINCOLLECT_DETAIL: &[u8] = b"its times are whole seconds";
const SPACES: &str = "spaces-for-tabs";
const SECONDS: usize = 10;
const MAX_DETAIL: usize = 64;

/// What stands between keys: TAB, or what relays make of it.
const SEPARATORS: [&[u8]; 4] = [b"\t", b"\\t", b"#011", b" "];

/// Keys that have a place in the event's envelope, or repeat what another says.
const ENVELOPE: [&[u8]; 20] = [
    b"AgentDevice",
    b"AgentLogFile",
    b"Source",
    b"Computer",
    b"EventID",
    b"TimeGenerated",
    b"Message",
    b"PluginVersion",
    b"OriginatingComputer",
    b"User",
    b"Domain",
    b"EventIDCode",
    b"EventType",
    b"EventCategory",
    b"RecordNumber",
    b"TimeWritten",
    b"Level",
    b"Keywords",
    b"Task",
    b"Opcode",
];

/// Judge the payload that begins at `start`. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, context: &Context, source: &mut Source) -> Option<Judged> {
    let payload = message.get(start..)?;
    let text = without_bom(payload);
    std::str::from_utf8(text).ok()?;
    let begin = run(message, message.len() - text.len(), usize::MAX, is_white);
    let tabbed = memmem::find(from(message, begin), b"\tMessage=").map(|at| (begin + at, 1));
    let (head_end, separator) = tabbed.or_else(|| message_key(message, begin))?;
    let text_start = head_end + separator + "Message=".len();
    let text = trim(from(message, text_start), Text::in_message(text_start, message.len()));
    let duplicate = read_pairs(message, begin, head_end, tabbed.is_some(), source)?;
    let time_text = value(message, b"TimeGenerated", source);
    let seconds = source.text(message, time_text);
    let plugin = source.payload.iter().any(|&(key, _)| source.text(message, key) == b"PluginVersion");
    if plugin || (seconds.len() == SECONDS && seconds.iter().all(u8::is_ascii_digit)) {
        let detail = source.copy(WINCOLLECT_DETAIL);
        return refuse(start, WINCOLLECT, detail, scan_event_id(payload), context, source);
    }
    let [device, channel, provider, computer, event_id] =
        [b"AgentDevice".as_slice(), b"AgentLogFile", b"Source", b"Computer", b"EventID"]
            .map(|key| value(message, key, source));
    if [device, channel, provider, computer, event_id, time_text, text].iter().any(|text| text.is_empty()) {
        return None;
    }
    let octets = source.text(message, device);
    if octets != AGENT_DEVICE {
        let detail = if octets.is_ascii() { device.part(0, octets.len().min(MAX_DETAIL)) } else { return None };
        return Some(Judged::Rejected { rule: NOT_OURS, offset: u32::try_from(start).ok()?, detail });
    }
    set_event_id(message, event_id, source)?;
    set_provider(message, provider, context, source);
    let octets = source.text(message, time_text);
    let time = parse_cim(octets, context.zone_offset_minutes).or_else(|| parse_epoch_ms(octets));
    let envelope = &mut source.envelope;
    (envelope.channel, envelope.computer, envelope.time, envelope.time_text) = (channel, computer, time, time_text);
    source.envelope.record_id = value(message, b"RecordNumber", source);
    source.envelope.user_name = value(message, b"User", source);
    source.envelope.user_domain = value(message, b"Domain", source);
    set_result(message, source);
    let mut warnings = Few::<&'static str, 8>::default();
    if duplicate {
        warnings.push(DUPLICATE_KEY)?;
    }
    time_warning(time).map_or(Some(()), |warning| warnings.push(warning))?;
    for &warning in read_text(message, text, &ENVELOPE, context, source)?.iter() {
        warnings.push(warning)?;
    }
    if tabbed.is_none() {
        warnings.push(SPACES)?;
    }
    warn(&warnings, source);
    Some(verdict(message, context, source))
}

/// Where the message's key stands, and how long the separator before it is.
fn message_key(message: &[u8], begin: usize) -> Option<(usize, usize)> {
    memmem::find_iter(from(message, begin), b"Message=").find_map(|at| {
        let before = message.get(begin..begin + at)?;
        let separator = SEPARATORS.iter().find(|separator| before.ends_with(separator))?;
        Some((begin + at - separator.len(), separator.len()))
    })
}

/// Gather the pairs of `begin..end`; whether a key came again.
fn read_pairs(message: &[u8], begin: usize, end: usize, tabbed: bool, source: &mut Source) -> Option<bool> {
    let (mut chunk, mut at, mut duplicate) = (begin, begin, false);
    while at < end {
        let here = message.get(at..end)?;
        let separator =
            SEPARATORS.iter().take(if tabbed { 1 } else { SEPARATORS.len() }).find(|form| here.starts_with(form));
        match separator {
            Some(separator) if tabbed || known_key(from(here, separator.len())) => {
                duplicate |= push_pair(message, chunk, at, source)?;
                at += separator.len();
                chunk = at;
            }
            _ => at += 1,
        }
    }
    duplicate |= push_pair(message, chunk, end, source)?;
    Some(duplicate)
}

fn known_key(octets: &[u8]) -> bool {
    ENVELOPE.iter().any(|key| octets.strip_prefix(*key).is_some_and(|rest| rest.first() == Some(&b'=')))
}

/// Keywords and level, which the event's type has: 8 and 16 are an audit's success and failure ([MS-EVEN]).
fn set_result(message: &[u8], source: &mut Source) {
    let event_type = value(message, b"EventType", source);
    let (keywords, level): (&[u8], &[u8]) = match source.text(message, event_type) {
        b"8" => (b"0x8020000000000000", b"0"),
        b"16" => (b"0x8010000000000000", b"0"),
        b"1" => (b"", b"2"),
        b"2" => (b"", b"3"),
        b"4" => (b"", b"4"),
        _ => (b"", b""),
    };
    source.envelope.level = source.copy(level);
    if keywords.is_empty() {
        let named = value(message, b"Keywords", source);
        set_keywords(message, named, source);
    } else {
        source.envelope.keywords = source.copy(keywords);
    }
}

/// The ID of the event in a payload that is refused.
fn scan_event_id(payload: &[u8]) -> Option<u64> {
    let scanned = payload.get(..64 * 1024).unwrap_or(payload);
    memmem::find_iter(scanned, b"EventID=").find_map(|at| {
        let before = scanned.get(..at)?;
        SEPARATORS.iter().find(|separator| before.ends_with(separator))?;
        let number = from(scanned, at + "EventID=".len());
        let digits = run(number, 0, usize::MAX, |octet| octet.is_ascii_digit());
        if digits == number.len() { None } else { decimal(number.get(..digits)?) }
    })
}
