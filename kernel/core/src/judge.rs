//! The way of one message from its octets to a source: twin of `Normalizer.judge` and `Normalizer.judge_event`.

use crate::event_system::print_event_id;
use crate::event_xml::{parse_event, parse_event_like};
use crate::event_xml_scan::looks_like_event;
use crate::judged::Judged;
use crate::layouts::{self, Tables};
use crate::profile::Profile;
use crate::source::{MAX_OCTETS, Source, Text};
use crate::syslog_header::{Header, parse_header};

const UNKNOWN_FORMAT: &str = "unknown-format";
const MARKS: [&[u8]; 2] = [b"-- MARK --", b"--MARK--"];
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
    if is_mark(payload) {
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

/// Whether a payload, which doesn't begin with white space, is nothing but a mark, white space and NUL at its end left out.
fn is_mark(payload: &[u8]) -> bool {
    let is_text = |octet: &u8| !matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | 0);
    match payload.first() {
        None => true,
        Some(b'-') => {
            let last = payload.iter().rposition(is_text);
            MARKS.contains(&&payload[..last.map_or(0, |last| last + 1)])
        }
        Some(_) => false,
    }
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
    let mut wanted = None;
    let payload = &message[start..];
    if let Some(key) = source.scanner.scan(payload) {
        let (channel, provider) = (&payload[key.channel.clone()], &payload[key.provider.clone()]);
        let digits = Text::in_message(start + key.event_id.start, start + key.event_id.end);
        let event_id = print_event_id(digits, key.number, source);
        let printed = source.text(message, event_id);
        if forwarded && (provider, printed) == POSITION_REPORT {
            return Judged::Control;
        }
        if !(profile.keep_all() || profile.may_want_number(key.number)) {
            return Judged::Filtered { event_id };
        }
        match is_unwanted(profile, channel, provider, printed) {
            Some(true) => return Judged::Filtered { event_id },
            Some(false) => {}
            None => return Judged::Unsure,
        }
        wanted = Some(key);
    }
    let warnings = source.warnings.len();
    let parsed = match &wanted {
        Some(key) => parse_event_like(key.number, message, start, source),
        None => parse_event(message, start, source),
    };
    if parsed.is_none() || (context.strict && source.warnings.len() > warnings) {
        return Judged::Unsure;
    }
    let envelope = source.envelope;
    let text = |text| source.text(message, text);
    let (channel, provider, number) = (text(envelope.channel), text(envelope.provider), text(envelope.event_id));
    if wanted.is_some_and(|key| {
        &payload[key.channel] == channel && &payload[key.provider] == provider && &payload[key.event_id] == number
    }) {
        return Judged::Event;
    }
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
