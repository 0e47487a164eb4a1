//! The members of a JSON event sorted into envelope and data. Twin of `wire/layouts/json_fields.py`.

use serde::Deserialize;

use super::assemble::says_audit;
use super::lookup::Lookup;
use super::payload::from;
use crate::source::{Source, Text};

const LONGEST_NAME: usize = 64;

/// Twin of `wire.layouts.json_fields.Members`: paths in the table's spelling.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Members {
    /// Path to its rank, the most exact being 0, and to the field it is.
    pub fields: Lookup<(u16, Field)>,
    /// Prefixes below which data stand.
    pub data: Vec<String>,
    /// Paths that say nothing about the event.
    pub ignored: Lookup<bool>,
    /// Prefixes of such paths.
    pub ignored_below: Vec<String>,
    /// Whether any other member is data.
    pub open: bool,
    /// Whether paths are told without regard to case, `_` and blanks.
    pub folded: bool,
}

/// A field of `wire.event.WindowsEvent` that a member may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names of the twin")]
pub enum Field {
    EventId,
    Channel,
    Provider,
    ProviderGuid,
    EventSourceName,
    Qualifiers,
    Computer,
    TimeText,
    RecordId,
    Version,
    Level,
    Task,
    Opcode,
    Keywords,
    ActivityId,
    ProcessId,
    ThreadId,
    UserSid,
    UserName,
    UserDomain,
    Message,
}

const FIELDS: usize = Field::Message as usize + 1;

/// The texts of an event by the fields they are, each with the rank of its path.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found([Option<(u16, Text)>; FIELDS]);

impl Found {
    /// A field's text, empty where it is missing.
    #[must_use]
    pub fn get(&self, field: Field) -> Text {
        self.0.get(field as usize).copied().flatten().map_or(Text::EMPTY, |(_, text)| text)
    }

    /// Set or forget a field's text.
    pub fn set(&mut self, field: Field, text: Option<Text>) {
        if let Some(place) = self.0.get_mut(field as usize) {
            *place = text.map(|text| (0, text));
        }
    }
}

/// A path as a table of folded names spells it.
pub struct Spelling {
    octets: [u8; 4 * LONGEST_NAME],
    length: usize,
}

impl Spelling {
    /// In ASCII lower case if it is ASCII, without `_` and blanks; None for a path that is too long, which stays as it came.
    #[must_use]
    pub fn of(path: &[u8]) -> Option<Self> {
        let characters = path.iter().filter(|&&octet| octet & 0xC0 != 0x80).count();
        if characters > LONGEST_NAME {
            return None;
        }
        let ascii = path.is_ascii();
        let mut spelling = Self { octets: [0; 4 * LONGEST_NAME], length: 0 };
        for &octet in path.iter().filter(|octet| !matches!(octet, b'_' | b' ')) {
            *spelling.octets.get_mut(spelling.length)? = if ascii { octet.to_ascii_lowercase() } else { octet };
            spelling.length += 1;
        }
        Some(spelling)
    }

    /// Its octets.
    #[must_use]
    pub fn get(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

impl Members {
    /// Sort the leaves in the payload: the envelope is returned, data take the leaves' place. None where there is no room.
    pub fn sort(&self, message: &[u8], source: &mut Source) -> Option<Found> {
        let mut found = Found::default();
        let count = source.payload.len();
        for number in 0..count {
            let &(name, text) = source.payload.get(number)?;
            let octets = source.text(message, name);
            let spelling = if self.folded { Spelling::of(octets) } else { None };
            let path = spelling.as_ref().map_or(octets, Spelling::get);
            if let Some(&(rank, field)) = self.fields.get(path) {
                if !text.is_empty() {
                    note(&mut found, rank, field, text, message, source);
                }
            } else if let Some(prefix) = self.data.iter().find(|prefix| path.starts_with(prefix.as_bytes())) {
                let dots = prefix.bytes().filter(|&octet| octet == b'.').count();
                let start =
                    octets.iter().enumerate().filter(|(_, octet)| **octet == b'.').nth(dots.checked_sub(1)?)?.0 + 1;
                source.payload.push((name.part(start, name.len()), text));
            } else if self.open && !self.ignores(path) {
                source.payload.push((name, text));
            }
        }
        source.payload.drain(..count);
        Some(found)
    }

    fn ignores(&self, path: &[u8]) -> bool {
        self.ignored.holds(path) || self.ignored_below.iter().any(|prefix| path.starts_with(prefix.as_bytes()))
    }
}

/// Note a field's text: of the path of the highest rank, there the first, or the first of keywords that says an audit's result.
fn note(found: &mut Found, rank: u16, field: Field, text: Text, message: &[u8], source: &Source) {
    let Some(place) = found.0.get_mut(field as usize) else { return };
    let better = match *place {
        None => true,
        Some((known, _)) if known != rank => rank < known,
        Some((_, known)) => {
            field == Field::Keywords
                && !says_audit(source.text(message, known))
                && says_audit(source.text(message, text))
        }
    };
    if better {
        *place = Some((rank, text));
    }
}

/// What stands behind the last dot of a path.
#[must_use]
pub fn last_name(path: &[u8]) -> &[u8] {
    from(path, path.iter().rposition(|&octet| octet == b'.').map_or(0, |dot| dot + 1))
}
