//! Winlogbeat's JSON. Twin of `wire/layouts/winlogbeat_json.py`.

use super::assemble::assemble;
use super::json_members::Field;
use super::json_object::{Kind, Shape, read_leaves};
use super::nxlog_json::set_envelope;
use crate::event_time::parse_iso;
use crate::judge::Context;
use crate::judged::Judged;
use crate::source::{Source, Text};

const OURS: &[u8] = b"winlog.";
const ECS_ONLY: [&[u8]; 6] = [b"user.identifier", b"user.name", b"user.domain", b"version", b"level", b"task"];
const XML: [&[u8]; 2] = [b"event.original", b"xml"];
const USER_DATA: [&[u8]; 2] = [b"winlog.user_data.", b"user_data."];

/// What the document's own members say.
#[derive(Default)]
struct Document {
    is_event: bool,
}

impl Shape for Document {
    fn member(&mut self, name: &[u8], _above: &[u8], depth: usize, _kind: Kind) -> Option<()> {
        self.is_event |= depth == 0 && (name == b"winlog" || name == b"event_id" || name.starts_with(OURS));
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
    if !document.is_event {
        return None;
    }
    let mut ours = false;
    for &(path, text) in &source.payload {
        let path = source.text(message, path);
        let octets = source.text(message, text);
        let markup = octets.first().is_some_and(|&octet| octet <= b' ' || octet == b'<' || !octet.is_ascii());
        if (markup && XML.contains(&path)) || USER_DATA.iter().any(|prefix| path.starts_with(prefix)) {
            return None;
        }
        ours |= path.starts_with(OURS);
    }
    if ours {
        let Source { payload, arena, .. } = source;
        payload.retain(|&(path, _)| !ECS_ONLY.contains(&crate::source::octets_of(path, message, arena, &[])));
    }
    let found = context.layouts.json.winlogbeat.sort(message, source)?;
    for number in 0..source.payload.len() {
        let &(name, text) = source.payload.get(number)?;
        let name = numbered(message, name, source);
        *source.payload.get_mut(number)? = (name, text);
    }
    let delivered = set_envelope(&found, found.get(Field::Keywords), source);
    let zone = context.zone_offset_minutes;
    assemble(message, &delivered, |text: &[u8]| parse_iso(text, zone), &[], context, source)
}

/// The name of unnamed data: `param1` here, Data1 everywhere else.
fn numbered(message: &[u8], name: Text, source: &mut Source) -> Text {
    let Some(number) = source.text(message, name).strip_prefix(b"param") else { return name };
    let digits = number.iter().all(u8::is_ascii_digit) && number.first() != Some(&b'0');
    if !digits || !(1..=3).contains(&number.len()) {
        return name;
    }
    let start = source.arena.len();
    source.arena.extend_from_slice(b"Data");
    source.append(message, name.part(b"param".len(), name.len()));
    source.since(start)
}
