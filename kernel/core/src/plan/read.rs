//! Reading the envelope by name, and telling what stands for nothing.

use crate::json_out::write_int;
use crate::source::{Envelope, EventTime, Source, Text};

use super::{Plan, Value};

/// What rows call `@Name`: twin of the table in `windows_source` of `normalizers/source.py`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    TimeMs,
    TimeText,
    TimeOffset,
    TimeExact,
    EventId,
    Channel,
    Provider,
    Computer,
    RecordId,
    Version,
    Level,
    Keywords,
    ActivityId,
    UserId,
    UserName,
    UserDomain,
    LogFormat,
    Peer,
    Vendor,
    StatusType,
    ArrivalMs,
}

impl Slot {
    /// The slot of a name; None for a name that no Windows event has.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "TimeMs" => Self::TimeMs,
            "TimeText" => Self::TimeText,
            "TimeOffset" => Self::TimeOffset,
            "TimeExact" => Self::TimeExact,
            "EventID" => Self::EventId,
            "Channel" => Self::Channel,
            "Provider" => Self::Provider,
            "Computer" => Self::Computer,
            "RecordID" => Self::RecordId,
            "Version" => Self::Version,
            "Level" => Self::Level,
            "Keywords" => Self::Keywords,
            "ActivityID" => Self::ActivityId,
            "UserID" => Self::UserId,
            "UserName" => Self::UserName,
            "UserDomain" => Self::UserDomain,
            "LogFormat" => Self::LogFormat,
            "Peer" => Self::Peer,
            "Vendor" => Self::Vendor,
            "StatusType" => Self::StatusType,
            "ArrivalMs" => Self::ArrivalMs,
            _ => return None,
        })
    }

    /// The text of a slot that is one.
    fn text(self, envelope: &Envelope) -> Text {
        match self {
            Self::TimeMs | Self::TimeOffset | Self::TimeExact | Self::StatusType | Self::ArrivalMs => Text::EMPTY,
            Self::TimeText => envelope.time_text,
            Self::EventId => envelope.event_id,
            Self::Channel => envelope.channel,
            Self::Provider => envelope.provider,
            Self::Computer => envelope.computer,
            Self::RecordId => envelope.record_id,
            Self::Version => envelope.version,
            Self::Level => envelope.level,
            Self::Keywords => envelope.keywords,
            Self::ActivityId => envelope.activity_id,
            Self::UserId => envelope.user_sid,
            Self::UserName => envelope.user_name,
            Self::UserDomain => envelope.user_domain,
            Self::LogFormat => envelope.log_format,
            Self::Peer => envelope.peer,
            Self::Vendor => envelope.vendor,
        }
    }

    /// What the envelope has at this slot, present or missing.
    #[inline]
    pub fn read(self, source: &mut Source) -> Option<Value> {
        match self {
            Self::TimeMs => source.envelope.time.map(|time| Value::Int(milliseconds(time))),
            Self::StatusType => source.envelope.status_type.map(Value::Int),
            Self::ArrivalMs => source.envelope.arrival_ms.map(Value::Int),
            Self::TimeOffset => source.envelope.time?.offset_minutes.map(|minutes| Value::Int(i64::from(minutes))),
            Self::TimeExact => {
                let (time, start) = (source.envelope.time?, source.arena.len());
                write_exact(&mut source.arena, time);
                Some(Value::Text(source.since(start)))
            }
            _ => Some(Value::Text(self.text(&source.envelope))),
        }
    }
}

/// Milliseconds since the Unix epoch, what is finer cut.
fn milliseconds(time: EventTime) -> i64 {
    time.seconds.saturating_mul(1000) + i64::from(time.nanos / 1_000_000)
}

/// Append seconds with the fraction digits that were delivered.
fn write_exact(out: &mut Vec<u8>, time: EventTime) {
    write_int(out, time.seconds);
    if time.digits == 0 {
        return;
    }
    out.push(b'.');
    let mut fraction = [b'0'; 9];
    let mut rest = time.nanos;
    for digit in fraction.iter_mut().rev() {
        *digit = b"0123456789"[(rest % 10) as usize];
        rest /= 10;
    }
    out.extend_from_slice(&fraction[..usize::from(time.digits.min(9))]);
}

impl Plan {
    /// Whether a text stands for nothing: blank, one of the plan's texts, or in a field that a row reads an insert that was never
    /// resolved (`%%1793`).
    #[inline]
    pub(super) fn is_missing(&self, text: &[u8], mapped: bool) -> bool {
        let (Some(&first), Some(&last)) = (text.first(), text.last()) else { return true };
        let surely = first > b' ' && last > b' ' && text.len() > self.longest_missing && first != b'%';
        !surely && self.is_nothing(text, mapped)
    }

    #[inline(never)] // or the common answer costs a call as well
    fn is_nothing(&self, text: &[u8], mapped: bool) -> bool {
        let bare = trimmed(text);
        bare.is_empty()
            || self.missing.iter().any(|missing| missing.as_ref() == bare)
            || (mapped && bare.strip_prefix(b"%%").is_some_and(is_number))
    }
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// A text without the white space around it.
fn trimmed(text: &[u8]) -> &[u8] {
    let blank = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|octet| !blank(octet)).unwrap_or(text.len());
    let end = text.iter().rposition(|octet| !blank(octet)).map_or(start, |last| last + 1);
    &text[start..end]
}
