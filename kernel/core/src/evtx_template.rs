//! Templates of EVTX records as steps: text that is copied, and places where values go (libevtx, section 4.5).
//!
//! Without indentation an element is its start-tag, its content and its end-tag one behind the other, whatever stands in it. What is read is
//! what event manifests make: one root element; attributes of one value each; text and values as content.

use std::ops::Range;

use crate::evtx_values::{NESTED, STRING, STRING_ARRAY, push_string};

/// Octets of a definition before its tokens.
pub const HEADER: usize = 24;
/// Where a chunk's records begin, and with them all that names and templates may be.
pub const RECORDS_AT: usize = 512;

const MAX_NAME: usize = 255;
const MAX_DEPTH: usize = 32;
const REPEATED: &[u8] = b"Data";

/// [MS-EVEN6] section 2.2.12.1; MORE is a flag.
const END: u8 = 0x00;
const OPEN: u8 = 0x01;
const CLOSE_START: u8 = 0x02;
const CLOSE_EMPTY: u8 = 0x03;
const CLOSE: u8 = 0x04;
const VALUE: u8 = 0x05;
const ATTRIBUTE: u8 = 0x06;
const SUBSTITUTION: u8 = 0x0d;
const OPTIONAL: u8 = 0x0e;
const FRAGMENT: u8 = 0x0f;
const MORE: u8 = 0x40;
const VALUE_MORE: u8 = VALUE | MORE;

const LAST_ARRAY: u8 = 0x95;

/// One step of writing.
#[derive(Clone, Debug)]
pub enum Step {
    /// A part of the template's text.
    Text(Range<usize>),
    /// An attribute, left out where its value is empty; its name is a part of the text, with what stands around it.
    Attribute(Range<usize>, usize),
    /// A value as content.
    Content(usize),
    /// A value as all there is in an element: its start-tag and end-tag are repeated around each item of an array.
    Element(Range<usize>, usize, Range<usize>),
}

/// A template definition, resolved.
#[derive(Debug, Default)]
pub struct Template {
    /// What steps refer to.
    pub text: Vec<u8>,
    /// In the order of the output.
    pub steps: Vec<Step>,
}

impl Template {
    /// The template that is defined at `at`; None where it isn't surely read.
    ///
    /// `octets` are a chunk's up to where its records end: names stand in it at offsets from the chunk's start.
    #[must_use]
    pub fn read(octets: &[u8], at: usize) -> Option<Self> {
        let size = u32::from_le_bytes(*octets.get(at + 20..)?.first_chunk()?) as usize;
        let end = (at + HEADER).checked_add(size).filter(|&end| end <= octets.len())?;
        let mut reader = Reader { octets, at: at + HEADER, end, template: Self::default(), flushed: 0 };
        reader.read()?;
        Some(reader.template)
    }

    /// Whether binary XML or an array may be the value of this number.
    #[must_use]
    pub fn takes(&self, kind: u8, number: usize) -> bool {
        self.steps.iter().any(|step| match step {
            Step::Content(value) => *value == number && kind == NESTED,
            Step::Element(_, value, _) => *value == number && (kind == NESTED || kind == STRING_ARRAY),
            _ => false,
        })
    }
}

/// Tokens of a template definition, from `at` to `end`.
struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    end: usize,
    template: Template,
    /// Up to where the text is part of a step.
    flushed: usize,
}

impl Reader<'_> {
    /// A fragment header, one element, and the end.
    fn read(&mut self) -> Option<()> {
        if self.octet()? != FRAGMENT {
            return None;
        }
        self.skip(3)?;
        let token = self.octet()?;
        self.element(token, 0)?;
        self.flush();
        (self.at == self.end || self.octet()? == END).then_some(())
    }

    fn element(&mut self, token: u8, depth: usize) -> Option<()> {
        if token & !MORE != OPEN || depth > MAX_DEPTH {
            return None;
        }
        self.skip(6)?; // what it depends on, and its size
        let start = self.template.text.len();
        self.template.text.push(b'<');
        let name = self.name()?;
        if token & MORE != 0 {
            self.skip(4)?;
        }
        let mut next = self.octet()?;
        let bare = next == CLOSE_START;
        while next & !MORE == ATTRIBUTE {
            self.attribute()?;
            next = self.octet()?;
        }
        self.template.text.push(b'>');
        match next {
            CLOSE_START if bare && self.template.text[name.clone()] == *REPEATED && self.is_one_value()? => {
                self.repeated(start, name)
            }
            CLOSE_START => {
                self.content(depth)?;
                self.close(name);
                Some(())
            }
            CLOSE_EMPTY => {
                self.close(name);
                Some(())
            }
            _ => None,
        }
    }

    /// Content up to the end-tag; text or a value stands alone in it, elements and values may be many.
    fn content(&mut self, depth: usize) -> Option<()> {
        let (mut elements, mut values, mut texts) = (0, 0, 0);
        loop {
            let token = self.octet()?;
            match token {
                CLOSE => break,
                VALUE => {
                    self.literal(false)?;
                    texts += 1;
                }
                SUBSTITUTION | OPTIONAL => {
                    let number = self.number()?;
                    self.flush();
                    self.template.steps.push(Step::Content(number));
                    values += 1;
                }
                _ => {
                    self.element(token, depth + 1)?;
                    elements += 1;
                }
            }
        }
        (texts == 0 || texts + values + elements == 1).then_some(())?;
        (values < 2 || elements > 0).then_some(())
    }

    fn attribute(&mut self) -> Option<()> {
        let start = self.template.text.len();
        self.template.text.push(b' ');
        self.name()?;
        self.template.text.extend_from_slice(b"=\"");
        match self.octet()? {
            VALUE | VALUE_MORE => {
                self.literal(true)?;
                self.template.text.push(b'"');
            }
            SUBSTITUTION | OPTIONAL => {
                let number = self.number()?;
                let name = start..self.template.text.len();
                self.template.steps.push(Step::Text(self.flushed..start));
                self.template.steps.push(Step::Attribute(name.clone(), number));
                self.flushed = name.end;
            }
            _ => return None,
        }
        Some(())
    }

    /// The element that begins at `start` of the text, its start-tag written: it is repeated for each item of an array.
    fn repeated(&mut self, start: usize, name: Range<usize>) -> Option<()> {
        self.octet()?;
        let number = self.number()?;
        self.octet()?;
        self.template.steps.push(Step::Text(self.flushed..start));
        let open = start..self.template.text.len();
        self.close(name);
        let close = open.end..self.template.text.len();
        self.flushed = close.end;
        self.template.steps.push(Step::Element(open, number, close));
        Some(())
    }

    /// Whether a value and the end-tag follow.
    fn is_one_value(&self) -> Option<bool> {
        let next = self.octets.get(self.at..self.end)?;
        Some(matches!(next, [SUBSTITUTION | OPTIONAL, _, _, _, CLOSE, ..]))
    }

    fn close(&mut self, name: Range<usize>) {
        self.template.text.extend_from_slice(b"</");
        self.template.text.extend_from_within(name);
        self.template.text.push(b'>');
    }

    /// Text that isn't empty.
    fn literal(&mut self, in_attribute: bool) -> Option<()> {
        if self.octet()? != STRING {
            return None;
        }
        let start = self.at + 2;
        let octets = self.octets.get(start..start + 2 * self.word()?)?;
        self.skip(octets.len())?;
        if octets.is_empty() || octets.chunks_exact(2).any(|unit| unit == [0, 0]) {
            return None;
        }
        push_string(octets, in_attribute, &mut self.template.text)
    }

    /// The number of a value, whose type here is a type at all.
    fn number(&mut self) -> Option<usize> {
        let number = self.word()?;
        matches!(self.octet()?, 0..=0x15 | NESTED | STRING_ARRAY..=LAST_ARRAY).then_some(number)
    }

    /// A name, which stands elsewhere or right here, as a part of the text.
    fn name(&mut self) -> Option<Range<usize>> {
        let named = u32::from_le_bytes(*self.octets.get(self.at..)?.first_chunk()?) as usize;
        self.skip(4)?;
        let characters: usize = u16::from_le_bytes(*self.octets.get(named.checked_add(6)?..)?.first_chunk()?).into();
        let octets = self.octets.get(named + 8..named + 8 + 2 * characters)?;
        if named < RECORDS_AT || characters > MAX_NAME {
            return None;
        }
        if named == self.at {
            self.skip(10 + octets.len())?;
        }
        let start = self.template.text.len();
        for unit in octets.chunks_exact(2) {
            if unit[1] != 0 || !(unit[0].is_ascii_alphanumeric() || b"_-.:".contains(&unit[0])) {
                return None;
            }
            self.template.text.push(unit[0]);
        }
        (characters > 0).then_some(start..self.template.text.len())
    }

    /// Make the text so far a step.
    fn flush(&mut self) {
        let end = self.template.text.len();
        self.template.steps.push(Step::Text(self.flushed..end));
        self.flushed = end;
    }

    fn octet(&mut self) -> Option<u8> {
        let octet = *self.octets.get(..self.end)?.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn word(&mut self) -> Option<usize> {
        Some(usize::from(self.octet()?) | usize::from(self.octet()?) << 8)
    }

    fn skip(&mut self, octets: usize) -> Option<()> {
        self.at = self.at.checked_add(octets).filter(|&at| at <= self.end)?;
        Some(())
    }
}
