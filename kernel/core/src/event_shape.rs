//! Events of one ID are spelled alike: what was learned of the last one that [`crate::event_xml`] read lets the next be read
//! by comparing what stands between its values, octet for octet.
//!
//! A shape is a document in literals and values by turns. A value is the text of an element without elements, Channel left out, or an
//! attribute of System, both behind `EventID`. Another document of the same literals means the same as the learned one but for its values, if
//! they hold no `<`, nor the quote around them, nor anything that stands for something else (`&`, line ends), and aren't blank at
//! either end: nothing else of them steers the parser. For any other document the answer is None, and the parser reads it.

use core::ops::Range;

use memchr::{memchr, memrchr};

use crate::event_system::{FIELDS, fields, fill};
use crate::event_xml::MAX_EVENT;
use crate::octets::near;
use crate::source::{Source, Text};
use crate::xml_text::{Survey, survey};

const SHAPES: usize = 32;
const MAX_DOCUMENT: usize = 8192;
const EVENT_ID_END: &[u8] = b"</EventID>";
const SYSTEM_END: &[u8] = b"</System>";
const NAMED_DATA: &[u8] = b"<Data Name=";

/// The shapes of some event IDs.
#[derive(Clone, Debug, Default)]
pub struct Shapes {
    /// The last two of an ID, the last one of use first.
    by_number: Vec<[Shape; 2]>,
}

#[derive(Clone, Debug, Default)]
struct Shape {
    literals: Vec<u8>,
    steps: Vec<Step>,
    /// What literals hold, in the order of the steps: (offset from the literal's start, length, what it is).
    marks: Vec<(u32, u32, Role)>,
    pairs: usize,
}

/// A literal, then a value; the last step has no value.
#[derive(Clone, Copy, Debug)]
struct Step {
    literal: usize,
    marks: usize,
    /// The octet behind the value: `<`, or a quote.
    end: u8,
    /// Whether no value means as much as one: true for `Data` of a name.
    may_be_empty: bool,
    role: Role,
}

/// What a span is to the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Nothing.
    Passed,
    /// A field of System.
    Field(usize),
    /// The name of a pair of the payload.
    Name(usize),
    /// Its text.
    Text(usize),
}

impl Shapes {
    /// Read the event that is the rest of `message` from `start` on, as the last one of this ID was read, into `source`; None,
    /// which leaves nothing in it, where it isn't spelled as that one.
    pub fn read(&mut self, number: u16, message: &[u8], start: usize, source: &mut Source) -> Option<()> {
        let shapes = self.by_number.get_mut(usize::from(number) % SHAPES)?;
        if shapes[0].read(message, start, source).is_none() {
            shapes.swap(0, 1);
            if shapes[0].read(message, start, source).is_none() {
                source.payload.clear();
                return None;
            }
        }
        Some(())
    }

    /// Learn how the event is spelled that was read from `start` on.
    pub fn learn(&mut self, number: u16, message: &[u8], start: usize, source: &Source) {
        let Some(document) = message.get(start..).filter(|document| document.len() <= MAX_DOCUMENT) else { return };
        if !document.starts_with(b"<Event") || !survey(document).is_some_and(Survey::is_plain) {
            return;
        }
        self.by_number.resize_with(SHAPES, Default::default);
        let shape = &mut self.by_number[usize::from(number) % SHAPES][0];
        *shape = Shape::default();
        if shape.learn(message, start, source).is_none() {
            shape.steps.clear();
        }
    }
}

impl Shape {
    fn read(&self, message: &[u8], start: usize, source: &mut Source) -> Option<()> {
        let (last, steps) = self.steps.split_last().filter(|_| message.len() - start <= MAX_EVENT)?;
        let (mut at, mut literal, mut mark) = (start, 0, 0);
        let mut found = [Text::EMPTY; FIELDS];
        source.payload.clear();
        source.payload.resize(self.pairs, (Text::EMPTY, Text::EMPTY));
        for step in steps {
            let between = self.literals.get(literal..step.literal)?;
            if !message.get(at..)?.starts_with(between) {
                return None;
            }
            for &(offset, length, role) in self.marks.get(mark..step.marks)? {
                let from = at + offset as usize;
                note(role, Text::in_message(from, from + length as usize), &mut found, source);
            }
            at += between.len();
            (literal, mark) = (step.literal, step.marks);
            let end = near(message, at, step.end, b'<').filter(|&end| message[end] == step.end)?;
            match message[at..end] {
                [] if step.may_be_empty => {}
                [] | [b' ', ..] | [.., b' '] => return None,
                _ => {}
            }
            note(step.role, Text::in_message(at, end), &mut found, source);
            at = end;
        }
        if message.get(at..)? != self.literals.get(literal..)? {
            return None;
        }
        for &(offset, length, role) in self.marks.get(mark..last.marks)? {
            let from = at + offset as usize;
            note(role, Text::in_message(from, from + length as usize), &mut found, source);
        }
        if !survey(&message[start..])?.is_plain() {
            return None;
        }
        fill(message, found, source)
    }

    fn learn(&mut self, message: &[u8], start: usize, source: &Source) -> Option<()> {
        let channel = source.envelope.channel.span();
        let mut spans = spans(source)?;
        spans.sort_unstable_by_key(|(span, _)| span.start);
        let mut spans = spans.into_iter().peekable();
        self.pairs = source.payload.len();
        let (mut values, mut from) = (Values { document: message, at: start, in_system: None }, start);
        let mut name = None;
        loop {
            let value = values.next_value();
            if value.is_some() && value == channel {
                continue;
            }
            let (begin, end) = value.clone().map_or((message.len(), message.len()), |value| (value.start, value.end));
            if message[begin..end].starts_with(b" ") || message[begin..end].ends_with(b" ") {
                return None;
            }
            let mut role = Role::Passed;
            while let Some((span, of)) = spans.next_if(|(span, _)| span.start < end || value.is_none()) {
                if let Role::Name(place) = of {
                    name = Some((span.start, place));
                }
                if (begin..end) == span {
                    role = of;
                } else if span.start >= from && span.end <= begin {
                    let offset = u32::try_from(span.start - from).ok()?;
                    self.marks.push((offset, u32::try_from(span.len()).ok()?, of));
                } else {
                    return None;
                }
            }
            let may_be_empty = value.is_some() && message[last_tag(message, begin)..].starts_with(NAMED_DATA);
            if begin == end && may_be_empty {
                match name {
                    Some((at, place)) if at > last_tag(message, begin) => role = Role::Text(place),
                    _ => return None,
                }
            }
            self.literals.extend_from_slice(&message[from..begin]);
            let step = Step {
                literal: self.literals.len(),
                marks: self.marks.len(),
                end: message.get(end).copied().unwrap_or_default(),
                may_be_empty,
                role,
            };
            self.steps.push(step);
            if value.is_none() {
                return Some(());
            }
            from = end;
        }
    }
}

/// Where the fields, names and texts of an event stand in its message; None where one of them had to be written anew.
fn spans(source: &Source) -> Option<Vec<(Range<usize>, Role)>> {
    let fields = fields(&source.envelope).into_iter().enumerate().map(|(place, text)| (text, Role::Field(place)));
    let pairs = source.payload.iter().enumerate();
    let pairs = pairs.flat_map(|(place, &(name, text))| [(name, Role::Name(place)), (text, Role::Text(place))]);
    let texts = fields.chain(pairs).filter(|(text, _)| !text.is_empty());
    texts.map(|(text, role)| Some((text.span()?, role))).collect()
}

fn note(role: Role, text: Text, found: &mut [Text; FIELDS], source: &mut Source) {
    match role {
        Role::Passed => {}
        Role::Field(place) => found[place] = text,
        Role::Name(place) => source.payload[place].0 = text,
        Role::Text(place) => source.payload[place].1 = text,
    }
}

/// Walks a document that was parsed from value to value.
struct Values<'a> {
    document: &'a [u8],
    at: usize,
    /// Whether System's `EventID` was passed, and its end wasn't.
    in_system: Option<bool>,
}

impl Values<'_> {
    /// The next value that isn't empty, unless `Data` of a name may have it.
    fn next_value(&mut self) -> Option<Range<usize>> {
        while let Some(&octet) = self.document.get(self.at) {
            let rest = &self.document[self.at..];
            match octet {
                b'<' if rest.starts_with(EVENT_ID_END) && self.in_system.is_none() => self.in_system = Some(true),
                b'<' if rest.starts_with(SYSTEM_END) => self.in_system = Some(false),
                b'"' | b'\'' => {
                    let start = self.at + 1;
                    let end = start + memchr(octet, self.document.get(start..)?)?;
                    self.at = end + 1;
                    if self.in_system == Some(true) && end > start {
                        return Some(start..end);
                    }
                    continue;
                }
                b'>' => {
                    let start = self.at + 1;
                    let length = memchr(b'<', self.document.get(start..)?)?;
                    self.at = start + length;
                    let closes = self.document.get(self.at + 1) == Some(&b'/');
                    let tag = &self.document[last_tag(self.document, start)..start];
                    let opens = !tag.starts_with(b"</") && !tag.ends_with(b"/>");
                    if closes && opens && self.in_system.is_some() && (length > 0 || tag.starts_with(NAMED_DATA)) {
                        return Some(start..self.at);
                    }
                    continue;
                }
                _ => {}
            }
            self.at += 1;
        }
        None
    }
}

/// Where the last tag before `at` begins: no value holds `<`.
fn last_tag(document: &[u8], at: usize) -> usize {
    memrchr(b'<', &document[..at]).unwrap_or_default()
}
