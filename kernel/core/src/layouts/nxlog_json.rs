//! `NXLog`'s JSON. Twin of `wire/layouts/nxlog_json.py`.

use super::assemble::{Delivered, assemble};
use super::few::Few;
use super::json_members::{Field, Found};
use super::json_object::{Kind, Shape, read_leaves};
use super::rendered_text::{LOCALISED, MAX_FIELDS, read_message};
use crate::event_time::{parse_epoch, parse_iso};
use crate::judge::Context;
use crate::judged::Judged;
use crate::keywords::parse_keywords;
use crate::source::{Source, Text};

/// What the document's own members say.
#[derive(Default)]
struct Document {
    is_event: bool,
}

impl Shape for Document {
    fn member(&mut self, name: &[u8], _above: &[u8], depth: usize, _kind: Kind) -> Option<()> {
        self.is_event |= depth == 0 && name == b"EventID";
        Some(())
    }

    fn item(&mut self) -> Option<()> {
        Some(())
    }
}

/// Judge the payload that begins at `start`. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, context: &Context, source: &mut Source) -> Option<Judged> {
    let mut document = Document::default();
    read_leaves(message, start, source, &mut document)?;
    let holds =
        |name: &[u8], source: &Source| source.payload.iter().any(|&(path, _)| source.text(message, path) == name);
    if !document.is_event || holds(b"EventXML", source) {
        return None;
    }
    let tables = &context.layouts.json;
    let members = if holds(b"AccountType", source) { &tables.nxlog_with_user } else { &tables.nxlog };
    let found = members.sort(message, source)?;
    let keywords = found.get(Field::Keywords);
    let octets = source.text(message, keywords);
    let names_any = octets.starts_with(b"0x") || parse_keywords(octets).is_some();
    add_missing(message, &found, context, source)?;
    let delivered = set_envelope(&found, if names_any { keywords } else { Text::EMPTY }, source);
    let zone = context.zone_offset_minutes;
    let read_time = |text: &[u8]| parse_iso(text, zone).or_else(|| parse_epoch(text));
    assemble(message, &delivered, read_time, &[], context, source)
}

/// The found fields: those that need no judgement to the envelope, the others returned.
pub fn set_envelope(found: &Found, keywords: Text, source: &mut Source) -> Delivered {
    let envelope = &mut source.envelope;
    envelope.computer = found.get(Field::Computer);
    envelope.record_id = found.get(Field::RecordId);
    envelope.version = found.get(Field::Version);
    envelope.activity_id = found.get(Field::ActivityId);
    envelope.user_sid = found.get(Field::UserSid);
    envelope.user_name = found.get(Field::UserName);
    envelope.user_domain = found.get(Field::UserDomain);
    Delivered {
        event_id: found.get(Field::EventId),
        time_text: found.get(Field::TimeText),
        provider: found.get(Field::Provider),
        channel: found.get(Field::Channel),
        keywords,
        level: found.get(Field::Level),
        message: found.get(Field::Message),
    }
}

/// Add what the rendered text of a known event says and the data don't.
fn add_missing(message: &[u8], found: &Found, context: &Context, source: &mut Source) -> Option<()> {
    let (text, provider) = (found.get(Field::Message), source.text(message, found.get(Field::Provider)));
    let provider = context.layouts.canonical_provider(provider).map_or(provider, str::as_bytes);
    let template = context.layouts.text_of(source.text(message, found.get(Field::EventId)));
    let Some(template) = template.filter(|template| template.is_of(provider)) else { return Some(()) };
    let rendered = read_message(template, source.text(message, text), text)?;
    if rendered.warnings.contains(&LOCALISED) {
        return Some(());
    }
    let is_known = |name: &[u8]| source.payload.iter().any(|&(known, _)| source.text(message, known) == name);
    let mut missing = Few::<(&[u8], Text), MAX_FIELDS>::default();
    for &pair in rendered.data.iter().filter(|(name, _)| !is_known(name)) {
        missing.push(pair)?;
    }
    for &(name, value) in missing.iter() {
        let name = source.copy(name);
        source.payload.push((name, value));
    }
    Some(())
}
