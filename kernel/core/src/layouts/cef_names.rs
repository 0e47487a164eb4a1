//! The pairs of a CEF extension by their names: custom ones under their label, the first of each name. Twin of `_values` in
//! `wire/layouts/cef_windows.py`.

use super::cef::{MAX_KEYS, unescape};
use super::few::Few;
use crate::source::{Source, Text};

const MAX_LABELS: usize = 24;
const PLACES: usize = 256;

/// Keys that custom values stand under, each with a number; a label has `Label` behind it.
const CUSTOM: [&[u8]; 8] =
    [b"cs", b"cn", b"cfp", b"c6a", b"deviceCustomDate", b"flexString", b"flexNumber", b"flexDate"];

/// Names that an event's envelope is made of; those that may stand for one another are neighbours, the first one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are the names")]
pub enum Slot {
    ExternalId,
    EventId,
    Cat,
    Channel,
    Dhost,
    Dvchost,
    Hostname,
    Rt,
    End,
    EventTime,
    Start,
    EventSource,
    SourceName,
    Msg,
    ResultCode,
    Status,
    Keywords,
    EventType,
    DeviceSeverity,
    Suser,
    Sntdom,
    RecordNumber,
    Version,
    TaskValue,
    OpcodeValue,
    ProviderGuid,
    ProcessId,
    ThreadId,
    ActivityId,
    UserId,
}

const SLOTS: usize = Slot::UserId as usize + 1;

impl Slot {
    /// The slot of a name.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        let rows = NAMES.get(name.len())?;
        rows.iter().find(|(known, _)| *known == name).map(|&(_, slot)| slot)
    }
}

/// The slots by their names' length, then by their names.
const NAMES: [&[(&[u8], Slot)]; 21] = [
    &[],
    &[],
    &[(b"rt", Slot::Rt)],
    &[(b"cat", Slot::Cat), (b"end", Slot::End), (b"msg", Slot::Msg)],
    &[],
    &[(b"dhost", Slot::Dhost), (b"start", Slot::Start), (b"suser", Slot::Suser)],
    &[(b"Status", Slot::Status), (b"sntdom", Slot::Sntdom), (b"UserID", Slot::UserId)],
    &[
        (b"EventID", Slot::EventId),
        (b"Channel", Slot::Channel),
        (b"dvchost", Slot::Dvchost),
        (b"Version", Slot::Version),
    ],
    &[(b"Hostname", Slot::Hostname), (b"Keywords", Slot::Keywords)],
    &[(b"EventTime", Slot::EventTime), (b"EventType", Slot::EventType), (b"TaskValue", Slot::TaskValue)],
    &[(b"externalId", Slot::ExternalId), (b"SourceName", Slot::SourceName), (b"ActivityID", Slot::ActivityId)],
    &[(b"EventSource", Slot::EventSource), (b"OpcodeValue", Slot::OpcodeValue)],
    &[(b"RecordNumber", Slot::RecordNumber), (b"ProviderGuid", Slot::ProviderGuid)],
    &[],
    &[(b"deviceSeverity", Slot::DeviceSeverity)],
    &[],
    &[],
    &[(b"ExecutionThreadID", Slot::ThreadId)],
    &[(b"ExecutionProcessID", Slot::ProcessId)],
    &[],
    &[(b"Reason or Error Code", Slot::ResultCode)],
];

/// What is known about the pairs in `Source::payload`, by their numbers.
#[derive(Clone, Debug)]
pub struct Names {
    slots: [Option<u8>; SLOTS],
    /// Pairs that are labels of others.
    labels: u128,
}

impl Names {
    /// Give every pair its name, which replaces its key. None where only the twin can tell: too many labels.
    pub fn of(message: &[u8], source: &mut Source) -> Option<Self> {
        let mut names = Self { slots: [None; SLOTS], labels: 0 };
        let labels = names.read_labels(message, source)?;
        for number in 0..source.payload.len() {
            if names.labels >> number & 1 == 1 {
                continue;
            }
            let &(key, _) = source.payload.get(number)?;
            let mut name = key;
            if !labels.is_empty() {
                let octets = source.text(message, key);
                let is_of = |base: Text| base.len() == key.len() && source.text(message, base) == octets;
                let label = labels.iter().rev().find(|&&(base, _)| is_of(base));
                if let Some(&(_, label)) = label {
                    name = label;
                    source.payload.get_mut(number)?.0 = label;
                }
            }
            if let Some(slot) = Slot::of(source.text(message, name)) {
                names.slots[slot as usize].get_or_insert(u8::try_from(number).ok()?);
            }
        }
        Some(names)
    }

    /// The custom keys that have a label, and their labels; a label's own pair says nothing else if its key was delivered.
    fn read_labels(&mut self, message: &[u8], source: &mut Source) -> Option<Few<(Text, Text), MAX_LABELS>> {
        let mut labels = Few::default();
        for number in 0..source.payload.len() {
            let &(key, value) = source.payload.get(number)?;
            let octets = source.text(message, key);
            let Some(base) = octets.strip_suffix(b"Label").filter(|base| is_custom(base)) else { continue };
            let is_base = |other: Text| other.len() == base.len() && source.text(message, other) == base;
            if source.payload.iter().any(|&(other, _)| is_base(other)) {
                self.labels |= 1 << number;
            }
            let base = key.part(0, base.len());
            let label = unescape(message, value, source);
            if !label.is_empty() {
                labels.push((base, label))?;
            }
        }
        Some(labels)
    }

    /// Whether a pair is another's label.
    #[must_use]
    pub fn is_label(&self, number: usize) -> bool {
        self.labels >> number & 1 == 1
    }

    /// The pairs that are labels of others, one bit each.
    #[must_use]
    pub fn labels(&self) -> u128 {
        self.labels
    }

    /// The pair that has the name of a slot.
    #[must_use]
    pub fn get(&self, slot: Slot) -> Option<usize> {
        self.slots[slot as usize].map(usize::from)
    }

    /// Forget what stands in a slot, since it is another's value now.
    pub fn clear(&mut self, number: usize) {
        for slot in &mut self.slots {
            if slot.map(usize::from) == Some(number) {
                *slot = None;
            }
        }
    }
}

/// Whether a key is one that custom values stand under.
#[must_use]
pub fn is_custom(key: &[u8]) -> bool {
    let digits = key.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    CUSTOM.iter().any(|custom| {
        key.strip_prefix(*custom).is_some_and(|number| (1..=2).contains(&number.len()) && digits >= number.len())
    })
}

/// The pairs whose name stands before them already, labels apart.
#[must_use]
pub fn repeats(message: &[u8], names: &Names, source: &Source) -> u128 {
    let mut places = [0_u8; PLACES];
    let mut found = 0;
    for (number, &(name, _)) in source.payload.iter().enumerate().take(MAX_KEYS) {
        if names.is_label(number) {
            continue;
        }
        let octets = source.text(message, name);
        let mut place = hash(octets);
        loop {
            let taken = places.get(place % PLACES).copied().unwrap_or_default();
            let Some(before) = usize::from(taken).checked_sub(1) else {
                if let Some(free) = places.get_mut(place % PLACES) {
                    *free = u8::try_from(number + 1).unwrap_or_default();
                }
                break;
            };
            let known = source.payload.get(before).map_or(&[][..], |&(name, _)| source.text(message, name));
            if known == octets {
                found |= 1 << number;
                break;
            }
            place += 1;
        }
    }
    found
}

/// Where a name is looked for first: by its length and a few of its octets.
fn hash(name: &[u8]) -> usize {
    let octet = |at: usize| usize::from(name.get(at).copied().unwrap_or_default());
    let last = name.len().saturating_sub(1);
    name.len().wrapping_mul(31)
        ^ octet(0).wrapping_mul(7)
        ^ octet(last).wrapping_mul(131)
        ^ octet(name.len() / 2).wrapping_mul(17)
}
