//! The event XML of Windows, as far as it is surely read as the readable twin reads it, `wire/event_xml.py`: names without
//! prefix, one `System`, `EventData` and `UserData`, nothing but elements, text, references and attributes.

use memchr::memmem;

use crate::event_time::parse_iso;
use crate::event_xml_scan::{is_utf_16, low_16_bits};
use crate::octets::literal;
use crate::source::{Envelope, Source, Text};
use crate::syslog_payload::skip_white;
use crate::xml::{Next, Spelling, Tag, Xml, is_blank, survey, trim};

const MAX_EVENT: usize = 256 * 1024;
const MAX_PAIRS: usize = 128;
const MAX_LEVELS: usize = 8;
const MAX_DECLARATION: usize = 200;
const BOM: &[u8] = b"\xef\xbb\xbf";
const LOG_FORMAT: &[u8] = b"Windows XML";
const ERROR_SECTIONS: [&[u8]; 3] = [b"ProcessingErrorData", b"BinaryEventData", b"DebugData"];

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
        while let Next::Open(tag) = self.child(&root)? {
            let name = self.xml.octets(&tag.name);
            match name {
                b"System" => {
                    self.system(&tag)?;
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

    /// The next element in one whose text means nothing, or its end.
    fn child(&mut self, tag: &Tag) -> Option<Next> {
        if tag.empty {
            return Some(Next::Close);
        }
        let (text, next) = self.xml.content(tag)?;
        self.xml.check(&text, self.source)?;
        Some(next)
    }

    /// The text of an element without elements in it; its attributes are those of the last tag still.
    fn leaf(&mut self, tag: &Tag) -> Option<Text> {
        if tag.empty {
            return Some(Text::EMPTY);
        }
        match self.xml.content(tag)? {
            (text, Next::Close) => self.xml.text(&text, self.source),
            _ => None,
        }
    }

    fn system(&mut self, system: &Tag) -> Option<()> {
        let (mut found, mut next) = ([None; FIELDS], 0);
        self.xml.check_attributes(self.source)?;
        if system.empty {
            return None;
        }
        loop {
            if let Some((usual, range)) = USUAL.get(next).and_then(|usual| Some((usual, self.xml.usual(&usual.1)?))) {
                let text = if usual.1.is_value {
                    self.xml.value(&range, self.source)?
                } else {
                    self.xml.text(&range, self.source)?
                };
                if let Some(place) = usual.0 {
                    note(&mut found[place], trim(text, self.message, self.source))?;
                }
                next += 1;
                continue;
            }
            let Next::Open(tag) = self.child(system)? else { break };
            let content = self.leaf(&tag)?;
            self.xml.check_attributes(self.source)?;
            let name = self.xml.octets(&tag.name);
            let Some((place, attribute)) = place(name) else { continue };
            next = USUAL.iter().position(|usual| usual.0 == Some(place)).map_or(next, |usual| usual + 1);
            let text = match attribute.map(|name| self.xml.attribute(name)) {
                None => content,
                Some(None) => Text::EMPTY,
                Some(Some(value)) => self.xml.value(&value, self.source)?,
            };
            note(&mut found[place], trim(text, self.message, self.source))?;
        }
        self.fill(found.map(Option::unwrap_or_default))
    }

    fn fill(&mut self, found: [Text; FIELDS]) -> Option<()> {
        let event_id = self.event_id(found[1])?;
        let time_text = found[5];
        let time = parse_iso(self.source.text(self.message, time_text), 0);
        if time.is_none() {
            self.source.warnings.push(if time_text.is_empty() { "no-time" } else { "bad-time" });
        }
        self.source.envelope = Envelope {
            time,
            time_text,
            event_id,
            provider: found[0],
            version: found[2],
            level: found[3],
            keywords: found[4],
            record_id: found[6],
            activity_id: found[7],
            channel: found[8],
            computer: found[9],
            user_sid: found[10],
            ..Envelope::default()
        };
        Some(())
    }

    /// Decimal text of the low 16 bits.
    fn event_id(&mut self, text: Text) -> Option<Text> {
        let digits = self.source.text(self.message, text);
        if !(1..=10).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(print_event_id(text, low_16_bits(digits), self.source))
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
            let Next::Open(tag) = self.child(section)? else { return Some(()) };
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
        let content = self.leaf(tag)?;
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
        while let Next::Open(tag) = self.child(section)? {
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

/// A text of digits as the decimal text of their low 16 bits.
pub fn print_event_id(text: Text, number: u16, source: &mut Source) -> Text {
    let mut digits = [0; 5];
    let (mut at, mut rest) = (digits.len(), number);
    while rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b"0123456789"[usize::from(rest % 10)];
        rest /= 10;
    }
    let is_printed = text.len() == digits.len() - at;
    if is_printed { text } else { source.copy(&digits[at..]) }
}

/// Note a text where there is none yet; None where there is.
fn note(place: &mut Option<Text>, text: Text) -> Option<()> {
    place.replace(text).is_none().then_some(())
}

const FIELDS: usize = 11;

/// Where an element of System goes, and the attribute that is read of it; its text if there is none.
fn place(name: &[u8]) -> Option<(usize, Option<&'static [u8]>)> {
    Some(match name {
        b"Provider" => (0, Some(b"Name")),
        b"EventID" => (1, None),
        b"Version" => (2, None),
        b"Level" => (3, None),
        b"Keywords" => (4, None),
        b"TimeCreated" => (5, Some(b"SystemTime")),
        b"EventRecordID" => (6, None),
        b"Correlation" => (7, Some(b"ActivityID")),
        b"Channel" => (8, None),
        b"Computer" => (9, None),
        b"Security" => (10, Some(b"UserID")),
        _ => return None,
    })
}

/// The elements of System in the order in which Windows writes them, from `EventID` on: their place, and how they are spelled.
const USUAL: [Usual; 12] = [
    text_element(Some(1), b"<EventID>", b"</EventID>", b"<EventID/>"),
    text_element(Some(2), b"<Version>", b"</Version>", b"<Version/>"),
    text_element(Some(3), b"<Level>", b"</Level>", b"<Level/>"),
    text_element(None, b"<Task>", b"</Task>", b"<Task/>"),
    text_element(None, b"<Opcode>", b"</Opcode>", b"<Opcode/>"),
    text_element(Some(4), b"<Keywords>", b"</Keywords>", b"<Keywords/>"),
    value_element(Some(5), b"<TimeCreated SystemTime=", b"<TimeCreated/>"),
    text_element(Some(6), b"<EventRecordID>", b"</EventRecordID>", b"<EventRecordID/>"),
    value_element(Some(7), b"<Correlation ActivityID=", b"<Correlation/>"),
    text_element(Some(8), b"<Channel>", b"</Channel>", b"<Channel/>"),
    text_element(Some(9), b"<Computer>", b"</Computer>", b"<Computer/>"),
    value_element(Some(10), b"<Security UserID=", b"<Security/>"),
];

type Usual = (Option<usize>, Spelling);

const fn text_element(
    place: Option<usize>,
    opening: &'static [u8],
    closing: &'static [u8],
    empty: &'static [u8],
) -> Usual {
    (place, Spelling { opening, closing, empty, is_value: false })
}

const fn value_element(place: Option<usize>, opening: &'static [u8], empty: &'static [u8]) -> Usual {
    (place, Spelling { opening, closing: b"/>", empty, is_value: true })
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
