//! Records of a chunk as event XML, the way the `evtx` library writes it without indentation ([MS-EVEN6] section 2.2.12; libevtx, section 4).
//!
//! A record is an instance of a template: a table of values, then the values. So is a value that is binary XML. Anything else, the library's
//! tolerances among it, is None, and the library's to read.

use std::collections::HashMap;
use std::rc::Rc;

use crate::evtx_template::{HEADER, RECORDS_AT, Step, Template};
use crate::evtx_values::{NESTED, STRING_ARRAY, is_empty, is_sound, push_string, push_value};

const INSTANCE_IN_FRAGMENT: &[u8] = b"\x0f\x01\x01\x00\x0c";
const INSTANCE_ALONE: &[u8] = b"\x0c";
const MAX_VALUES: usize = 4096;
const MAX_NESTING: usize = 4;

/// A value: its type, and where it starts and ends.
#[derive(Clone, Copy)]
struct Value {
    kind: u8,
    start: usize,
    end: usize,
}

/// A chunk's records up to where they end, the templates of it that were read, and the values of the instances being written.
pub struct Templates<'a> {
    octets: &'a [u8],
    known: HashMap<usize, Option<Rc<Template>>>,
    values: Vec<Value>,
}

impl<'a> Templates<'a> {
    /// None is read yet.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets, known: HashMap::new(), values: Vec::new() }
    }

    /// Add the record whose binary XML stands from `start` to `end`; None, with something of it written, where that isn't surely read.
    pub fn render(&mut self, start: usize, end: usize, text: &mut Vec<u8>) -> Option<()> {
        self.values.clear();
        self.instance(start, end, 0, text)
    }

    fn instance(&mut self, start: usize, end: usize, depth: usize, text: &mut Vec<u8>) -> Option<()> {
        let octets = self.octets.get(..end)?;
        let tokens = octets.get(start..).filter(|_| depth <= MAX_NESTING)?;
        let begun = [INSTANCE_IN_FRAGMENT, INSTANCE_ALONE].into_iter().find(|begin| tokens.starts_with(begin))?;
        let at = start + begun.len();
        let (definition, mut at) = (long(octets, at + 5)?, at + 9);
        if definition == at {
            at += HEADER + long(octets, at + 20)?;
        }
        let template = self.template(definition)?;
        let first = self.values.len();
        let behind = self.read_values(octets, at, &template)?;
        if octets.get(behind..)?.first().is_some_and(|&octet| octet != 0) {
            return None;
        }
        self.write(&template, first, depth, text)?;
        self.values.truncate(first);
        Some(())
    }

    /// Append the values of the table at `at`; where they end.
    fn read_values(&mut self, octets: &[u8], at: usize, template: &Template) -> Option<usize> {
        let count = long(octets, at)?;
        let table = octets.get(at + 4..).filter(|_| count <= MAX_VALUES)?.get(..4 * count)?;
        let mut start = at + 4 + table.len();
        for (number, row) in table.chunks_exact(4).enumerate() {
            let (kind, end) = (row[2], start + usize::from(u16::from_le_bytes([row[0], row[1]])));
            let value = octets.get(start..end)?;
            let elsewhere = (kind == NESTED && start < end) || kind == STRING_ARRAY;
            if !is_sound(kind, value) || (elsewhere && !template.takes(kind, number)) {
                return None;
            }
            self.values.push(Value { kind, start, end });
            start = end;
        }
        Some(start)
    }

    fn write(&mut self, template: &Template, first: usize, depth: usize, text: &mut Vec<u8>) -> Option<()> {
        let octets = self.octets;
        let last = self.values.len();
        let value_of = |values: &[Value], number: usize| values.get(first..last)?.get(number).copied();
        for step in &template.steps {
            match step {
                Step::Text(part) => text.extend_from_slice(&template.text[part.clone()]),
                Step::Attribute(name, number) => {
                    let Some(Value { kind, start, end }) = value_of(&self.values, *number) else { continue };
                    if !is_empty(kind, &octets[start..end]) {
                        text.extend_from_slice(&template.text[name.clone()]);
                        push_value(kind, &octets[start..end], true, text)?;
                        text.push(b'"');
                    }
                }
                Step::Content(number) => {
                    if let Some(value) = value_of(&self.values, *number) {
                        self.content(value, depth, text)?;
                    }
                }
                Step::Element(open, number, close) => {
                    let (open, close) = (&template.text[open.clone()], &template.text[close.clone()]);
                    match value_of(&self.values, *number) {
                        Some(Value { kind: STRING_ARRAY, start, end }) => {
                            push_items(&octets[start..end], open, close, text)?;
                        }
                        value => {
                            text.extend_from_slice(open);
                            if let Some(value) = value {
                                self.content(value, depth, text)?;
                            }
                            text.extend_from_slice(close);
                        }
                    }
                }
            }
        }
        Some(())
    }

    fn content(&mut self, value: Value, depth: usize, text: &mut Vec<u8>) -> Option<()> {
        let Value { kind, start, end } = value;
        if kind == NESTED {
            return if start == end { Some(()) } else { self.instance(start, end, depth + 1, text) };
        }
        push_value(kind, &self.octets[start..end], false, text)
    }

    fn template(&mut self, at: usize) -> Option<Rc<Template>> {
        let octets = self.octets;
        let read = || (at >= RECORDS_AT).then(|| Template::read(octets, at).map(Rc::new)).flatten();
        self.known.entry(at).or_insert_with(read).clone()
    }
}

/// Add an element for each item of an array; the value ends with the NUL of its last one.
fn push_items(octets: &[u8], open: &[u8], close: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let mut items = octets.chunks_exact(2).enumerate().filter(|(_, unit)| *unit == [0, 0]);
    items.try_fold(0, |start, (place, _)| {
        text.extend_from_slice(open);
        push_string(&octets[start..2 * place], false, text)?;
        text.extend_from_slice(close);
        Some(2 * place + 2)
    })?;
    Some(())
}

fn long(octets: &[u8], at: usize) -> Option<usize> {
    Some(u32::from_le_bytes(*octets.get(at..)?.first_chunk()?) as usize)
}
