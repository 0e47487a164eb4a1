//! Any other JSON of a Windows event. Twin of `wire/layouts/flat_json.py` and of what it needs of `wire/layouts/json_shapes.py`:
//! an event that is the document itself, its elements and attributes plain already.

use super::assemble::{assemble, says_audit};
use super::json_members::{Field, Found, Spelling, last_name};
use super::json_object::{Kind, Shape, read_leaves};
use super::nxlog_json::set_envelope;
use crate::event_time::{parse_cim, parse_epoch, parse_iso, parse_us};
use crate::judge::Context;
use crate::judged::Judged;
use crate::source::{Source, Text};

const ATTRIBUTES: &[u8] = b"#attributes";
/// Members that other conventions keep attributes, texts and named data in, in lower case: the twin makes them plain.
const CONVERTED: [&[u8]; 8] = [b"$", b"_attributes", b"@attributes", b"_", b"_text", b"__text", b"$t", b"data"];
const BLOCKS: [&[u8]; 2] = [b"eventdata", b"userdata"];
const INSERTS: [&[u8]; 4] = [b"InsertionStrings", b"StringInserts", b"string_inserts", b"Properties.Value"];
/// Members that say an audit's result in words.
const AUDITS: [&[u8]; 4] = [b"keywordsdisplaynames", b"severityvalue", b"eventtype", b"type"];
const UNNAMED: [&[u8]; 2] = [b"Data", b"Data.#text"];

/// What the members say about the document: whether it is an event, by its own or its elements' names.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a name that was seen")]
struct Document {
    has_id: bool,
    has_record_id: bool,
    has_record_log: bool,
    has_system: bool,
    has_event: bool,
}

impl Shape for Document {
    fn member(&mut self, name: &[u8], above: &[u8], depth: usize, kind: Kind) -> Option<()> {
        let is_converted = CONVERTED.iter().any(|other| name.eq_ignore_ascii_case(other));
        let is_block = BLOCKS.iter().any(|block| name.eq_ignore_ascii_case(block));
        let scalar = matches!(kind, Kind::Text | Kind::Other | Kind::Array);
        if (is_converted && !(name.eq_ignore_ascii_case(b"data") && scalar))
            || (is_block && kind != Kind::Object)
            || (name.ends_with(b"_attributes") && kind == Kind::Object)
            || (name == ATTRIBUTES && kind != Kind::Object)
            || (depth > 0 && name.first() == Some(&b'@'))
            || !name.is_ascii()
        {
            return None;
        }
        let spelling = Spelling::of(name)?;
        let above = Spelling::of(above)?;
        let is_id = matches!(spelling.get(), b"eventid" | b"eventcode");
        self.has_id |= match depth {
            0 => is_id,
            1 => (is_id && above.get() == b"system") || (spelling.get() == b"system" && above.get() == b"event"),
            _ => false,
        };
        if depth == 0 {
            let twice = match spelling.get() {
                b"system" => std::mem::replace(&mut self.has_system, true),
                b"event" => std::mem::replace(&mut self.has_event, true),
                _ => false,
            };
            if twice {
                return None;
            }
            self.has_record_id |= spelling.get() == b"id";
            self.has_record_log |= matches!(spelling.get(), b"providername" | b"logname");
        }
        Some(())
    }

    /// Objects in arrays are named data, or records of something else.
    fn item(&mut self) -> Option<()> {
        None
    }
}

/// Judge the payload that begins at `start`. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, context: &Context, source: &mut Source) -> Option<Judged> {
    let mut document = Document::default();
    read_leaves(message, start, source, &mut document)?;
    if !(document.has_id || document.has_record_id && document.has_record_log) {
        return None;
    }
    let audit = audit_in_words(message, source)?;
    let mut found = context.layouts.json.flat.sort(message, source)?;
    set_audit(message, audit, &mut found, source);
    name_data(message, context, source)?;
    if found.get(Field::Provider).is_empty() {
        found.set(Field::Provider, Some(found.get(Field::EventSourceName)));
    }
    let delivered = set_envelope(&found, found.get(Field::Keywords), source);
    let zone = context.zone_offset_minutes;
    let read_time = |text: &[u8]| {
        let epoch = || parse_epoch(text);
        parse_iso(text, zone).or_else(epoch).or_else(|| parse_us(text, zone)).or_else(|| parse_cim(text, zone))
    };
    assemble(message, &delivered, read_time, &[], context, source)
}

/// Whether the last name of a path is that of a member which says an audit's result.
fn says_result(path: &[u8]) -> bool {
    let spelling = Spelling::of(path);
    AUDITS.contains(&last_name(spelling.as_ref().map_or(path, Spelling::get)))
}

/// The first text of such a member that names a result, empty where there is none. None where attributes say it, which the twin
/// moves.
fn audit_in_words(message: &[u8], source: &Source) -> Option<Text> {
    let mut first = Text::EMPTY;
    for &(path, text) in &source.payload {
        let octets = source.text(message, path);
        if says_audit(source.text(message, text)) && says_result(octets) {
            if is_attribute(octets) {
                return None;
            }
            first = if first.is_empty() { text } else { first };
        }
    }
    Some(first)
}

/// Take an audit's result from where it stands in words, or from the level, if Keywords don't have it.
fn set_audit(message: &[u8], words: Text, found: &mut Found, source: &mut Source) {
    if says_audit(source.text(message, found.get(Field::Keywords))) {
        return;
    }
    let by_level: &[u8] = match source.text(message, found.get(Field::Level)) {
        b"8" => b"0x8020000000000000",
        b"16" => b"0x8010000000000000",
        _ => b"",
    };
    let audit = if words.is_empty() { source.copy(by_level) } else { words };
    if audit.is_empty() {
        return;
    }
    found.set(Field::Keywords, Some(audit));
    let Source { payload, arena, .. } = source;
    let octets = |text| crate::source::octets_of(text, message, arena, &[]);
    payload.retain(|&(name, text)| octets(text) != octets(audit) || !says_result(octets(name)));
}

/// Give data their names: those without one by position, those in another case as they are spelled, attributes none.
fn name_data(message: &[u8], context: &Context, source: &mut Source) -> Option<()> {
    let mut position = 0_u32;
    let count = source.payload.len();
    for number in 0..count {
        let &(name, text) = source.payload.get(number)?;
        let octets = source.text(message, name);
        if INSERTS.contains(&octets) || octets.contains(&b'\n') {
            return None;
        }
        let mut named = name;
        if UNNAMED.contains(&octets) {
            position += 1;
            let start = source.arena.len();
            source.arena.extend_from_slice(b"Data");
            source.arena.extend_from_slice(position.to_string().as_bytes());
            named = source.since(start);
        } else if is_attribute(octets) {
            continue;
        } else if octets.first().is_some_and(u8::is_ascii_lowercase) && octets.is_ascii() {
            if let Some(spelled) = context.layouts.spelled.get(&octets.to_ascii_lowercase()) {
                named = source.copy(spelled.as_bytes());
            }
        }
        source.payload.push((named, text));
    }
    source.payload.drain(..count);
    Some(())
}

/// Whether a path is an attribute's, or a namespace's.
fn is_attribute(path: &[u8]) -> bool {
    last_name(path) == b"xmlns"
        || path.starts_with(b"#attributes.")
        || memchr::memmem::find(path, b".#attributes.").is_some()
}
