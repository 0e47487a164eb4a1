//! The way of one message from its octets to a source: twin of `Normalizer.judge` and `Normalizer.judge_event`.

use crate::event_system::print_event_id;
use crate::event_xml::parse_event;
use crate::event_xml_scan::looks_like_event;
use crate::judged::Judged;
use crate::layouts::{self, Tables};
use crate::profile::Profile;
use crate::source::{MAX_OCTETS, Source, Text};
use crate::syslog_header::{Header, parse_header};

const UNKNOWN_FORMAT: &str = "unknown-format";
const MARKS: [&[u8]; 3] = [b"", b"-- MARK --", b"--MARK--"];
const POSITION_REPORT: (&[u8], &[u8]) = (b"Microsoft-Windows-EventForwarder", b"111");

/// What judging needs beside the message.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Which events are kept.
    pub profile: Profile,
    /// `Mode.STRICT`: what lenient mode repairs is refused.
    pub strict: bool,
    /// The zone of times that state none, in minutes east of UTC.
    pub zone_offset_minutes: i32,
    /// What layouts look up.
    pub layouts: Tables,
}

/// Judge one message of any layout, behind a header or none. `source` is cleared by the caller.
#[must_use]
pub fn judge(message: &[u8], context: &Context, source: &mut Source) -> Judged {
    if message.len() >= MAX_OCTETS {
        return Judged::Unsure;
    }
    let Some(header) = parse_header(message) else { return Judged::Unsure };
    warn_of(&header, source);
    let payload = &message[header.payload_start..];
    if MARKS.contains(&without_blanks(payload)) {
        return Judged::Control;
    }
    match looks_like_event(payload) {
        Some(true) => judge_xml(message, &header, false, context, source),
        Some(false) => judge_layout(message, &header, context, source),
        None => Judged::Unsure,
    }
}

/// Judge one message that is an event's XML, with no header before it. `source` is cleared by the caller.
#[must_use]
pub fn judge_event(message: &[u8], context: &Context, source: &mut Source) -> Judged {
    if message.len() >= MAX_OCTETS {
        return Judged::Unsure;
    }
    judge_xml(message, &Header::default(), true, context, source)
}

/// Whether an event is filtered; None for one of an ID that is kept, which can't be told for want of a channel or provider.
#[must_use]
pub fn is_unwanted(profile: &Profile, channel: &[u8], provider: &[u8], event_id: &[u8]) -> Option<bool> {
    if profile.keep_all() {
        return Some(false);
    }
    if !profile.may_want(event_id) {
        return Some(true);
    }
    if profile.wants(channel, provider, event_id) {
        return Some(false);
    }
    (!channel.is_empty() && !provider.is_empty()).then_some(true)
}

fn warn_of(header: &Header, source: &mut Source) {
    source.warnings.extend((0..header.bad_pri).map(|_| "bad-pri"));
    source.warnings.extend((0..header.bad_structured_data).map(|_| "bad-structured-data"));
}

/// `payload`, which doesn't begin with one, without white space and NUL at its end, if it is short enough for a mark.
fn without_blanks(payload: &[u8]) -> &[u8] {
    if payload.first().is_some_and(|&octet| octet != b'-') {
        return payload;
    }
    let last = payload.iter().rposition(|octet| !matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | 0));
    &payload[..last.map_or(0, |last| last + 1)]
}

/// By the layout that the payload begins like, unless it may carry another message.
fn judge_layout(message: &[u8], header: &Header, context: &Context, source: &mut Source) -> Judged {
    let detected = layouts::detect(&message[header.payload_start..]);
    match (detected.layout, u32::try_from(header.payload_start)) {
        (Some(layout), Ok(_)) if !detected.may_carry => {
            layouts::judge(layout, message, header.payload_start, header.headed, context, source)
        }
        (None, Ok(offset)) if !detected.may_carry => {
            Judged::Rejected { rule: UNKNOWN_FORMAT, offset, detail: Text::EMPTY }
        }
        _ => Judged::Unsure,
    }
}

/// By the scan rule first, then by what the event says of itself; `forwarded` as by Windows, whose position reports are
/// control.
fn judge_xml(message: &[u8], header: &Header, forwarded: bool, context: &Context, source: &mut Source) -> Judged {
    let start = header.payload_start;
    let profile = &context.profile;
    if let Some(key) = source.scanner.scan(&message[start..]) {
        let (channel, provider) = (&message[start..][key.channel], &message[start..][key.provider]);
        let digits = Text::in_message(start + key.event_id.start, start + key.event_id.end);
        let event_id = print_event_id(digits, key.number, source);
        let number = source.text(message, event_id);
        if forwarded && (provider, number) == POSITION_REPORT {
            return Judged::Control;
        }
        match is_unwanted(profile, channel, provider, number) {
            Some(true) => return Judged::Filtered { event_id },
            Some(false) => {}
            None => return Judged::Unsure,
        }
    }
    let warnings = source.warnings.len();
    if parse_event(message, start, source).is_none() || (context.strict && source.warnings.len() > warnings) {
        return Judged::Unsure;
    }
    let envelope = source.envelope;
    let text = |text| source.text(message, text);
    let (channel, provider, number) = (text(envelope.channel), text(envelope.provider), text(envelope.event_id));
    if forwarded && (provider, number) == POSITION_REPORT {
        source.warnings.clear();
        return Judged::Control;
    }
    match is_unwanted(profile, channel, provider, number) {
        Some(true) => Judged::Filtered { event_id: envelope.event_id },
        Some(false) => Judged::Event,
        None => Judged::Unsure,
    }
}
