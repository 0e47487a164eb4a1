//! One event as texts: what layouts fill and plans read. Twin of `normalizers/source.py` and `wire/event.py`.
//!
//! A text is a span of the message, of the arena beside it, or of the plans' constants, so that an event that is kept is
//! copied once, into its record, and nothing is allocated per event: a [`Source`] is reused from one to the next.
//!
//! Every text is UTF-8: whoever sets one has proved it. What can't be written in UTF-8 (a lone surrogate, which JSON may
//! carry) is U+FFFD already.

use core::ops::Range;

use crate::event_shape::Shapes;
use crate::event_xml_scan::KeyScanner;

/// The places a [`Text`] can be in; the upper two bits of its start.
const PLACE: u32 = 0b11 << 30;
const IN_ARENA: u32 = 0b01 << 30;
const IN_CONSTANTS: u32 = 0b10 << 30;

/// Longest message, arena and table of constants, in octets.
pub const MAX_OCTETS: usize = 1 << 30;

/// A text's place and extent; [`Event::text`] reads it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Text {
    start: u32,
    len: u32,
}

impl Text {
    /// A text that isn't there: no octets.
    pub const EMPTY: Self = Self { start: 0, len: 0 };

    /// The octets `start..end` of the message, which is shorter than [`MAX_OCTETS`]; empty where the span is none.
    #[must_use]
    pub fn in_message(start: usize, end: usize) -> Self {
        Self::at(start, end, 0)
    }

    /// The octets `start..end` of the plans' constants.
    #[must_use]
    pub fn in_constants(start: usize, end: usize) -> Self {
        Self::at(start, end, IN_CONSTANTS)
    }

    fn at(start: usize, end: usize, place: u32) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end && start & PLACE == 0 => {
                Self { start: start | place, len: end - start }
            }
            _ => Self::EMPTY,
        }
    }

    /// Where it stands in the message; None for one that stands elsewhere.
    #[must_use]
    pub fn span(self) -> Option<Range<usize>> {
        let start = self.start as usize;
        (self.start & PLACE == 0).then(|| start..start + self.len())
    }

    /// Whether it is one of the plans' constants.
    #[must_use]
    pub fn is_constant(self) -> bool {
        self.start & PLACE == IN_CONSTANTS
    }

    /// Whether there are no octets.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Its length in octets.
    #[must_use]
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// The part `start..end` of this text, in octets from its start; empty where that is none.
    #[must_use]
    pub fn part(self, start: usize, end: usize) -> Self {
        match (u32::try_from(start), u32::try_from(end)) {
            (Ok(start), Ok(end)) if start <= end && end <= self.len => {
                Self { start: self.start + start, len: end - start }
            }
            _ => Self::EMPTY,
        }
    }
}

/// When an event happened: `wire.event.EventTime` without its text, which is [`Envelope::time_text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTime {
    /// Seconds since the Unix epoch, UTC, rounded down.
    pub seconds: i64,
    /// Nanoseconds past them, below 1,000,000,000.
    pub nanos: u32,
    /// Fraction digits delivered, 0 to 9.
    pub digits: u8,
    /// The offset that was delivered with it; None for UTC or where none was.
    pub offset_minutes: Option<i32>,
}

/// What rows read as `@Name`; an empty text is one that wasn't delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names of `wire.event.WindowsEvent`
pub struct Envelope {
    pub time: Option<EventTime>,
    /// The time as delivered, readable or not.
    pub time_text: Text,
    pub event_id: Text,
    pub channel: Text,
    pub provider: Text,
    pub computer: Text,
    pub record_id: Text,
    pub version: Text,
    pub level: Text,
    pub keywords: Text,
    pub activity_id: Text,
    pub user_sid: Text,
    pub user_name: Text,
    pub user_domain: Text,
    /// `metadata.log_format`, the layout's.
    pub log_format: Text,
    /// Of RADIUS accounting: the address it came from, and its maker as configured.
    pub peer: Text,
    pub vendor: Text,
    /// Of RADIUS accounting: Acct-Status-Type, and the time of arrival in milliseconds.
    pub status_type: Option<i64>,
    pub arrival_ms: Option<i64>,
}

/// One event, ready to be mapped, and the memory that is reused for the next.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The System element, or what a layout has of it.
    pub envelope: Envelope,
    /// (name, text) in document order, names may repeat.
    pub payload: Vec<(Text, Text)>,
    /// Rules bent without losing the message, in the reference's order: the header's, then the event's.
    pub warnings: Vec<&'static str>,
    /// Whether the text was cut or isn't English: the record gets the label `parse:partial`.
    pub partial: bool,
    /// What scans of events before this one left behind; nothing a key depends on.
    pub scanner: KeyScanner,
    /// How events before this one were spelled; nothing an event depends on.
    pub shapes: Shapes,
    /// What had to be written anew: unescaped, repaired, or never there.
    pub arena: Vec<u8>,
}

impl Source {
    /// Forget the last event.
    pub fn clear(&mut self) {
        self.envelope = Envelope::default();
        self.payload.clear();
        self.warnings.clear();
        self.partial = false;
        self.arena.clear();
    }

    /// A copy of `octets`, which are UTF-8, as a text.
    pub fn copy(&mut self, octets: &[u8]) -> Text {
        let start = self.arena.len();
        self.arena.extend_from_slice(octets);
        self.since(start)
    }

    /// Copy a text of `message` or of the arena to the arena's end.
    pub fn append(&mut self, message: &[u8], text: Text) {
        let start = (text.start & !PLACE) as usize;
        let end = start + text.len();
        match text.start & PLACE {
            IN_ARENA if end <= self.arena.len() => self.arena.extend_from_within(start..end),
            0 => self.arena.extend_from_slice(message.get(start..end).unwrap_or_default()),
            _ => {}
        }
    }

    /// The text that was written to the arena since it had `start` octets.
    #[must_use]
    pub fn since(&self, start: usize) -> Text {
        Text::at(start, self.arena.len(), IN_ARENA)
    }

    /// The octets of a text of `message` or of the arena.
    #[must_use]
    pub fn text<'a>(&'a self, message: &'a [u8], text: Text) -> &'a [u8] {
        octets_of(text, message, &self.arena, &[])
    }
}

/// The octets of `text`; none if it belongs to other ones than these.
#[must_use]
pub fn octets_of<'a>(text: Text, message: &'a [u8], arena: &'a [u8], constants: &'a [u8]) -> &'a [u8] {
    let place = match text.start & PLACE {
        0 => message,
        IN_ARENA => arena,
        _ => constants,
    };
    let start = (text.start & !PLACE) as usize;
    place.get(start..start + text.len as usize).unwrap_or_default()
}
