//! One event out of the texts that a layout found. Twin of `wire/layouts/assemble.py` and of what layouts share in
//! `wire/layouts/envelope.py`; and the last question to every event, whether it is wanted (`Normalizer._unwanted`).

use super::few::Few;
use super::labelled_text::parse_labels;
use super::payload::{decimal, is_blank, trim};
use super::rendered_text::{LOCALISED, MAX_FIELDS, TRUNCATED, read_message};
use crate::judge::{self, Context};
use crate::judged::Judged;
use crate::keywords::{parse_keywords, print_keywords};
use crate::octets::trim as trim_octets;
use crate::source::{EventTime, Source, Text};

/// The event's time can't be read.
pub const BAD_TIME: &str = "bad-time";
/// The event has no time.
pub const NO_TIME: &str = "no-time";
/// The time has fewer than three fraction digits.
pub const NO_MILLISECONDS: &str = "no-milliseconds";
/// A provider's only channel, where none was delivered.
pub const NO_CHANNEL: &str = "no-channel";

const MILLISECOND_DIGITS: u8 = 3;
const MAX_NAMES: usize = 128;

/// Names of levels (winmeta.xml, and the short ones of agents).
const LEVELS: [(&[u8], &[u8]); 9] = [
    (b"logalways", b"0"),
    (b"critical", b"1"),
    (b"error", b"2"),
    (b"warning", b"3"),
    (b"information", b"4"),
    (b"informational", b"4"),
    (b"info", b"4"),
    (b"verbose", b"5"),
    (b"debug", b"5"),
];

/// What a text or an event is marked with, in the twin's order.
pub type Warnings = Few<&'static str, 4>;

const AUDIT_BITS: u64 = 0x0030_0000_0000_0000;

/// The low 16 bits of a decimal number as the event's ID; None where it is no number.
pub fn set_event_id(message: &[u8], text: Text, source: &mut Source) -> Option<()> {
    let digits = source.text(message, text);
    let number = decimal(digits)?;
    source.envelope.event_id = if number <= 0xFFFF && (digits.len() == 1 || digits.first() != Some(&b'0')) {
        text
    } else {
        source.copy((number & 0xFFFF).to_string().as_bytes())
    };
    Some(())
}

/// The provider's name as the event's XML spells it.
pub fn set_provider(message: &[u8], text: Text, context: &Context, source: &mut Source) {
    let name = source.text(message, text);
    source.envelope.provider = match context.layouts.canonical_provider(name) {
        Some(canonical) if canonical.as_bytes() != name => source.copy(canonical.as_bytes()),
        _ => text,
    };
}

/// System/Keywords: as sixteen hex digits where the text names any, else as it came.
pub fn set_keywords(message: &[u8], text: Text, source: &mut Source) {
    source.envelope.keywords = match parse_keywords(source.text(message, text)) {
        Some(bits) => source.copy(&print_keywords(bits)),
        None => text,
    };
}

/// Whether keywords say an audit's result.
#[must_use]
pub fn says_audit(keywords: &[u8]) -> bool {
    parse_keywords(keywords).is_some_and(|bits| bits & AUDIT_BITS != 0)
}

/// What is to be said about a time that was delivered.
#[must_use]
pub fn time_warning(time: Option<EventTime>) -> Option<&'static str> {
    match time {
        None => Some(BAD_TIME),
        Some(time) if time.digits < MILLISECOND_DIGITS => Some(NO_MILLISECONDS),
        Some(_) => None,
    }
}

/// The number of a level that goes by a name, audits being level 0; any other text as it came.
pub fn set_level(message: &[u8], text: Text, keywords: Text, source: &mut Source) {
    let name = trim_octets(source.text(message, text));
    let Some((_, number)) = LEVELS.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)) else {
        source.envelope.level = text;
        return;
    };
    let audit = says_audit(source.text(message, keywords));
    source.envelope.level = source.copy(if audit { b"0" } else { number });
}

/// Add what the rendered text says of names that are missing from the payload; twin of `completion`. Returns its warnings;
/// None where only the twin can tell.
pub fn complete(message: &[u8], text: Text, context: &Context, source: &mut Source) -> Option<Warnings> {
    let nothing = Some(Warnings::default());
    let octets = source.text(message, text);
    let provider = source.text(message, source.envelope.provider);
    let template = context.layouts.text_of(source.text(message, source.envelope.event_id));
    let own = template.filter(|template| template.is_of(provider));
    let is_known = |name: &[u8]| source.payload.iter().any(|&(known, _)| source.text(message, known) == name);
    if !source.payload.is_empty() && own.is_none_or(|own| own.names().all(|name| is_known(name.as_bytes()))) {
        return nothing;
    }
    if is_blank(octets) {
        return nothing;
    }
    let Some(template) = (if provider.is_empty() { template } else { own }) else {
        if !is_unwanted(message, context, source) {
            let mut labelled = parse_labels(message, text, source);
            labelled.retain(|&(name, _)| {
                let name = source.text(message, name);
                !source.payload.iter().any(|&(known, _)| source.text(message, known) == name)
            });
            source.payload.extend_from_slice(&labelled);
        }
        return nothing;
    };
    let rendered = read_message(template, octets, text)?;
    let is_said = |name: &str| rendered.data.iter().any(|&(said, _)| said == name.as_bytes());
    if own.is_some_and(|own| own.names().any(|name| is_known(name.as_bytes())) && !own.names().any(is_said)) {
        return nothing;
    }
    let mut missing = Few::<_, MAX_FIELDS>::default();
    for &(name, value) in rendered.data.iter().filter(|(name, _)| !is_known(name)) {
        missing.push((name, value))?;
    }
    for &(name, value) in missing.iter() {
        let name = source.copy(name);
        source.payload.push((name, value));
    }
    Some(rendered.warnings)
}

/// Note an event's warnings, those about its text among them.
pub fn warn(warnings: &[&'static str], source: &mut Source) {
    source.partial |= warnings.iter().any(|warning| matches!(*warning, LOCALISED | TRUNCATED));
    source.warnings.extend_from_slice(warnings);
}

/// Whether nobody wants events of this ID, so that nothing has to be known of this one but that it is one.
#[must_use]
pub fn is_unwanted(message: &[u8], context: &Context, source: &Source) -> bool {
    !context.profile.keep_all() && !context.profile.may_want(source.text(message, source.envelope.event_id))
}

/// The last question to an event: whether it is wanted. One of an ID that is kept, which can't be told for want of a channel
/// or provider, is left to the twin.
#[must_use]
pub fn verdict(message: &[u8], context: &Context, source: &Source) -> Judged {
    let [channel, provider, event_id] = [source.envelope.channel, source.envelope.provider, source.envelope.event_id]
        .map(|text| source.text(message, text));
    match judge::is_unwanted(&context.profile, channel, provider, event_id) {
        Some(true) => Judged::Filtered { event_id: source.envelope.event_id },
        Some(false) => Judged::Event,
        None => Judged::Unsure,
    }
}

/// What becomes of a message whose rule was broken: refused, unless the ID that can be told in it is one that nobody wants.
pub fn refuse(
    start: usize,
    rule: &'static str,
    detail: Text,
    event_id: Option<u64>,
    context: &Context,
    source: &mut Source,
) -> Option<Judged> {
    if let Some(number) = event_id {
        let event_id = source.copy((number & 0xFFFF).to_string().as_bytes());
        if !context.profile.keep_all() && !context.profile.may_want(source.text(&[], event_id)) {
            return Some(Judged::Filtered { event_id });
        }
    }
    Some(Judged::Rejected { rule, offset: u32::try_from(start).ok()?, detail })
}

/// Texts of an event that a layout found, as delivered; what needs no judgement is in the envelope already.
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs, reason = "the names of `wire.event.WindowsEvent`")]
pub struct Delivered {
    pub event_id: Text,
    pub time_text: Text,
    pub provider: Text,
    pub channel: Text,
    pub keywords: Text,
    pub level: Text,
    pub message: Text,
}

/// Make the event of what was delivered, and of the payload so far. `repairs` are what was mended before. None where only the
/// twin can tell: there is no event ID, or there are more values than may be.
pub fn assemble(
    message: &[u8],
    delivered: &Delivered,
    read_time: impl Fn(&[u8]) -> Option<EventTime>,
    repairs: &[&'static str],
    context: &Context,
    source: &mut Source,
) -> Option<Judged> {
    let mut facts = Warnings::default();
    let mut mended = Few::<&'static str, 8>::default();
    for &repair in repairs {
        mended.push(repair)?;
    }
    set_event_id(message, trimmed(message, delivered.event_id, source), source)?;
    source.envelope.time_text = trimmed(message, delivered.time_text, source);
    source.envelope.time = read_time(source.text(message, source.envelope.time_text));
    match time_warning(source.envelope.time) {
        Some(NO_MILLISECONDS) => facts.push(NO_MILLISECONDS)?,
        Some(_) if source.envelope.time_text.is_empty() => mended.push(NO_TIME)?,
        Some(warning) => mended.push(warning)?,
        None => {}
    }
    set_provider(message, delivered.provider, context, source);
    source.envelope.channel = delivered.channel;
    if delivered.channel.is_empty() {
        let channel = context.layouts.channel_of(source.text(message, source.envelope.provider));
        if let Some(channel) = channel.filter(|channel| !channel.is_empty()) {
            source.envelope.channel = source.copy(channel.as_bytes());
            mended.push(NO_CHANNEL)?;
        }
    }
    if source.payload.len() > MAX_NAMES {
        return None;
    }
    if !delivered.message.is_empty() {
        for &warning in complete(message, delivered.message, context, source)?.iter() {
            if warning == TRUNCATED { mended.push(warning)? } else { facts.push(warning)? }
        }
    }
    set_keywords(message, delivered.keywords, source);
    set_level(message, delivered.level, delivered.keywords, source);
    warn(&facts, source);
    warn(&mended, source);
    Some(verdict(message, context, source))
}

fn trimmed(message: &[u8], text: Text, source: &Source) -> Text {
    trim(source.text(message, text), text)
}
