//! The event XML of Windows, as far as it is surely read as the readable twin reads it, `wire/event_xml.py`: names without
//! prefix, one `System`, `EventData` and `UserData`, nothing but elements, text, references and attributes.

use memchr::memmem;

use crate::event_system::read_system;
use crate::event_xml_scan::is_utf_16;
use crate::octets::literal;
use crate::source::{Source, Text};
use crate::syslog_payload::skip_white;
use crate::xml::{Next, Tag, Xml};
use crate::xml_text::{is_blank, survey};

/// Longest payload that is read, in octets.
pub const MAX_EVENT: usize = 256 * 1024;
const MAX_PAIRS: usize = 128;
const MAX_LEVELS: usize = 8;
const MAX_DECLARATION: usize = 200;
const BOM: &[u8] = b"\xef\xbb\xbf";
const LOG_FORMAT: &[u8] = b"Windows XML";
const ERROR_SECTIONS: [&[u8]; 3] = [b"ProcessingErrorData", b"BinaryEventData", b"DebugData"];

/// [`parse_event`] for an event that is taken for one of this ID: as the last one of the ID where it is spelled alike.
pub fn parse_event_like(number: u16, message: &[u8], start: usize, source: &mut Source) -> Option<()> {
    let mut shapes = core::mem::take(&mut source.shapes);
    let read = shapes.read(number, message, start, source);
    source.shapes = shapes;
    if read.is_some() {
        source.envelope.log_format = source.copy(LOG_FORMAT);
        return read;
    }
    parse_event(message, start, source)?;
    let mut shapes = core::mem::take(&mut source.shapes);
    shapes.learn(number, message, start, source);
    source.shapes = shapes;
    Some(())
}

/// Read the event of a payload, which begins at `start` of the message, into `source`; None where only the twin surely can.
pub fn parse_event(message: &[u8], start: usize, source: &mut Source) -> Option<()> {
    let payload = message.get(start..)?;
    let document = &payload[..payload.len() - trailing(payload)];
    let root = root(document)?;
    if payload.len() > MAX_EVENT || is_utf_16(payload) {
        return None;
    }
    let survey = survey(&document[root..])?;
    let message = &message[..start + document.len()];
    let mut reader = Reader { message, xml: Xml::new(message, start + root, survey), source };
    reader.event()?;
    let whole = reader.xml.at() == message.len() && reader.source.payload.len() <= MAX_PAIRS;
    source.envelope.log_format = source.copy(LOG_FORMAT);
    whole.then_some(())
}

/// How many octets of white space, NUL and byte order marks end a payload.
fn trailing(payload: &[u8]) -> usize {
    let mut rest = payload;
    loop {
        match rest {
            [before @ .., b' ' | b'\t' | b'\r' | b'\n' | 0] => rest = before,
            _ if rest.ends_with(BOM) => rest = &rest[..rest.len() - BOM.len()],
            _ => return payload.len() - rest.len(),
        }
    }
}

/// Where the root element begins: at once, or behind an XML declaration of an encoding that is UTF-8 or taken for it.
fn root(document: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let next = skip_white(document, at);
        let next = literal(document, next, BOM).unwrap_or(next);
        if next == at {
            break;
        }
        at = next;
    }
    if let Some(text) = literal(document, at, b"<?xml") {
        let head = &document[text..document.len().min(text + MAX_DECLARATION)];
        let declaration = &head[..memmem::find(head, b"?>")?];
        let is_8_bit = |name: &[u8]| memmem::find(declaration, name).is_some();
        if !declaration.is_ascii() || declaration.contains(&b'<') || is_8_bit(b"8859") || is_8_bit(b"1252") {
            return None;
        }
        at = skip_white(document, text + declaration.len() + 2);
    }
    literal(document, at, b"<Event").map(|_| at)
}

struct Reader<'a, 's> {
    message: &'a [u8],
    xml: Xml<'a>,
    source: &'s mut Source,
}

impl Reader<'_, '_> {
    fn event(&mut self) -> Option<()> {
        let root = self.xml.open()?;
        if self.xml.octets(&root.name) != b"Event" || root.empty {
            return None;
        }
        self.xml.check_attributes(self.source)?;
        let (mut sections, mut has_system) = (Groups::default(), false);
        while let Next::Open(tag) = self.xml.child(&root, self.source)? {
            let name = self.xml.octets(&tag.name);
            match name {
                b"System" => {
                    read_system(self.message, &mut self.xml, &tag, self.source)?;
                    has_system = true;
                }
                b"EventData" => self.event_data(&tag)?,
                b"UserData" => self.user_data(&tag)?,
                _ if ERROR_SECTIONS.contains(&name) => return None,
                _ => {
                    self.xml.pass(&tag, MAX_LEVELS, self.source)?;
                    continue;
                }
            }
            sections.enter_once(name)?;
        }
        has_system.then_some(())
    }

    fn event_data(&mut self, section: &Tag) -> Option<()> {
        self.xml.check_attributes(self.source)?;
        let (mut groups, mut position) = (Groups::default(), 0);
        loop {
            while let Some((name, text)) = if section.empty { None } else { self.xml.pair() } {
                groups.enter(b"Data")?;
                position += 1;
                let text = self.xml.text(&text, self.source)?;
                let name = self.xml.value(&name, self.source)?;
                self.push_data(name, text, position);
            }
            let Next::Open(tag) = self.xml.child(section, self.source)? else { return Some(()) };
            let name = self.xml.octets(&tag.name);
            groups.enter(name)?;
            if name == b"Data" {
                position += 1;
                self.data(&tag, position)?;
            } else {
                self.leaves(&tag, Text::in_message(tag.name.start, tag.name.end), MAX_LEVELS)?;
            }
        }
    }

    fn data(&mut self, tag: &Tag, position: usize) -> Option<()> {
        let content = self.xml.leaf(tag, self.source)?;
        self.xml.check_attributes(self.source)?;
        let name = match self.xml.attribute(b"Name") {
            Some(value) => self.xml.value(&value, self.source)?,
            None => Text::EMPTY,
        };
        self.push_data(name, content, position);
        Some(())
    }

    fn push_data(&mut self, name: Text, content: Text, position: usize) {
        let name = if is_blank(name, self.message, self.source) { self.unnamed(position) } else { name };
        self.push(name, content);
    }

    /// `Data1`, `Data2` ...
    fn unnamed(&mut self, position: usize) -> Text {
        let mut digits = [0; 20];
        let (mut at, mut rest) = (digits.len(), position);
        while rest > 0 {
            at -= 1;
            digits[at] = b"0123456789"[rest % 10];
            rest /= 10;
        }
        let start = self.source.arena.len();
        self.source.arena.extend_from_slice(b"Data");
        self.source.arena.extend_from_slice(&digits[at..]);
        self.source.since(start)
    }

    /// White space alone is no text: renderings indent with it.
    fn push(&mut self, name: Text, text: Text) {
        let text = if is_blank(text, self.message, self.source) { Text::EMPTY } else { text };
        self.source.payload.push((name, text));
    }

    fn user_data(&mut self, section: &Tag) -> Option<()> {
        self.xml.check_attributes(self.source)?;
        let mut groups = Groups::default();
        while let Next::Open(tag) = self.xml.child(section, self.source)? {
            groups.enter(self.xml.octets(&tag.name))?;
            self.leaves(&tag, Text::in_message(tag.name.start, tag.name.end), MAX_LEVELS)?;
        }
        Some(())
    }

    /// (dotted path, text) of everything below an element: its attributes, its elements, its text.
    fn leaves(&mut self, tag: &Tag, path: Text, levels: usize) -> Option<()> {
        let before = self.source.payload.len();
        for (key, value) in self.xml.attributes() {
            let text = self.xml.value(value, self.source)?;
            let text = if is_blank(text, self.message, self.source) { Text::EMPTY } else { text };
            let name = joined(path, self.xml.octets(key), self.message, self.source);
            self.source.payload.push((name, text));
        }
        let has_attributes = self.source.payload.len() > before;
        if tag.empty {
            if !has_attributes {
                self.push(path, Text::EMPTY);
            }
            return Some(());
        }
        let (mut text, mut next) = self.xml.content(tag)?;
        let mut groups = Groups::default();
        while let Next::Open(child) = next {
            let name = self.xml.octets(&child.name);
            if !self.xml.is_blank(&text)? {
                return None;
            }
            groups.enter(name)?;
            let path = joined(path, name, self.message, self.source);
            self.leaves(&child, path, levels.checked_sub(1)?)?;
            (text, next) = self.xml.content(tag)?;
        }
        let content = self.xml.text(&text, self.source)?;
        let is_blank = is_blank(content, self.message, self.source);
        if !groups.is_empty() && !is_blank {
            return None;
        }
        if !is_blank || (groups.is_empty() && !has_attributes) {
            self.push(path, content);
        }
        Some(())
    }
}

/// `path.name` in the arena.
fn joined(path: Text, name: &[u8], message: &[u8], source: &mut Source) -> Text {
    let text = [source.text(message, path), b".", name].concat();
    source.copy(&text)
}

const MAX_GROUPS: usize = 24;

/// Names of elements beside each other: equal ones have to be neighbours, since the twin reads all of a name together.
#[derive(Default)]
struct Groups<'a> {
    names: [&'a [u8]; MAX_GROUPS],
    count: usize,
}

impl<'a> Groups<'a> {
    fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// None for a name that was left before, and for too many.
    fn enter(&mut self, name: &'a [u8]) -> Option<()> {
        if self.count > 0 && self.names[self.count - 1] == name {
            return Some(());
        }
        self.enter_once(name)
    }

    /// None for a name that was there before, and for too many.
    fn enter_once(&mut self, name: &'a [u8]) -> Option<()> {
        if self.names[..self.count].contains(&name) {
            return None;
        }
        *self.names.get_mut(self.count)? = name;
        self.count += 1;
        Some(())
    }
}
