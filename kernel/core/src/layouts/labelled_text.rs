//! Any event's rendered text as (name, value), without knowing the event. Twin of `wire/labelled_text.py`.

use super::payload::{from, is_blank, trim};
use crate::octets::run;
use crate::source::{Source, Text, octets_of};

const FREE_TEXT: &[u8] = b"Message";
const MAX_NAMES: usize = 128;
const BLANK_LINE_SPACES: usize = 4;
/// Characters of a label.
const LABEL: std::ops::RangeInclusive<usize> = 2..=63;

/// Octets of a line: its label, and its value from where it begins.
#[derive(Clone, Copy)]
struct Label {
    /// Its first octet, behind the indent.
    start: usize,
    end: usize,
    value: usize,
}

/// The pairs of a text in its order, free text as `Message`; names and values that run over lines are in the arena.
pub fn parse_labels(message: &[u8], text: Text, source: &mut Source) -> Vec<(Text, Text)> {
    let octets = source.text(message, text).to_vec();
    let mut lines = lines_of(&octets);
    let mut plain = octets.as_slice();
    let flat;
    if lines.len() == 1 {
        flat = broken_at_gaps(crate::octets::trim(&octets));
        lines = lines_of(&flat);
        plain = &flat;
    }
    Reader::default().read(plain, &lines, source)
}

/// Where lines begin and end; their breaks are CR LF, LF or CR.
fn lines_of(octets: &[u8]) -> Vec<(usize, usize)> {
    let mut lines = Vec::new();
    let mut start = 0;
    for end in memchr::memchr2_iter(b'\r', b'\n', octets) {
        if end < start {
            continue; // the LF of a CR LF
        }
        lines.push((start, end));
        start = end + if from(octets, end).starts_with(b"\r\n") { 2 } else { 1 };
    }
    lines.push((start, octets.len()));
    lines
}

/// The text of one line with breaks where it has two or more spaces; four and more stand for a blank line.
fn broken_at_gaps(octets: &[u8]) -> Vec<u8> {
    let mut broken = Vec::with_capacity(octets.len());
    let mut at = 0;
    while at < octets.len() {
        let spaces = run(octets, at, usize::MAX, |octet| octet == b' ') - at;
        match spaces {
            0 => broken.extend(octets.get(at)),
            1 => broken.push(b' '),
            2..BLANK_LINE_SPACES => broken.push(b'\n'),
            _ => broken.extend_from_slice(b"\n\n"),
        }
        at += spaces.max(1);
    }
    broken
}

/// What has been read: of each pair its name and the lines of its value.
#[derive(Default)]
struct Reader<'a> {
    heading: &'a [u8],
    indent: usize,
    pairs: Vec<(Vec<u8>, Vec<&'a [u8]>)>,
    free: Vec<&'a [u8]>,
    /// Whether lines belong to the last pair, else to the free text.
    labelled: bool,
}

impl<'a> Reader<'a> {
    fn read(mut self, octets: &'a [u8], lines: &[(usize, usize)], source: &mut Source) -> Vec<(Text, Text)> {
        let line_at = |number: usize| lines.get(number).and_then(|&(start, end)| octets.get(start..end));
        for number in 0..lines.len() {
            let line = line_at(number).unwrap_or_default();
            let label = if self.pairs.len() < MAX_NAMES { label_of(line) } else { None };
            let before = number.checked_sub(1).and_then(line_at);
            match label {
                Some(label) if is_heading(line, label, before, line_at(number + 1)) => {
                    self.heading = line.get(label.start..label.end).unwrap_or_default();
                    (self.labelled, self.indent) = (false, 0);
                }
                Some(label) => self.note(line, label),
                None if is_blank(line) => self.labelled &= !self.current().iter().any(|line| !line.is_empty()),
                None => self.current().push(crate::octets::trim(line)),
            }
        }
        self.written(source)
    }

    fn current(&mut self) -> &mut Vec<&'a [u8]> {
        match self.pairs.last_mut() {
            Some((_, lines)) if self.labelled => lines,
            _ => &mut self.free,
        }
    }

    fn note(&mut self, line: &'a [u8], label: Label) {
        if label.start < self.indent {
            self.heading = b"";
        }
        self.indent = label.start;
        let name = line.get(label.start..label.end).unwrap_or_default();
        let name = if self.heading.is_empty() { name.to_vec() } else { [self.heading, b".", name].concat() };
        self.pairs.push((name, vec![from(line, label.value)]));
        self.labelled = true;
    }

    fn written(self, source: &mut Source) -> Vec<(Text, Text)> {
        let mut written = Vec::with_capacity(self.pairs.len() + 1);
        if !self.free.is_empty() {
            written.push((source.copy(FREE_TEXT), source.copy(&self.free.join(&b'\n'))));
        }
        for (name, lines) in self.pairs {
            let value = lines.join(&b'\n');
            let name = source.copy(&name);
            let whole = source.copy(&value);
            written.push((name, trim(octets_of(whole, &[], &source.arena, &[]), whole)));
        }
        written
    }
}

/// A line's label: letters and anything else up to a colon that begins no path.
fn label_of(line: &[u8]) -> Option<Label> {
    let indent = run(line, 0, usize::MAX, |octet| matches!(octet, b' ' | b'\t'));
    let rest = from(line, indent);
    let length = memchr::memchr(b':', rest)?;
    let label = rest.get(..length)?;
    let characters = label.iter().filter(|&&octet| octet & 0xC0 != 0x80).count();
    let begins = label.first().is_some_and(u8::is_ascii_alphabetic);
    if !begins || !LABEL.contains(&characters) || matches!(rest.get(length + 1), Some(b'\\' | b'/')) {
        return None;
    }
    let value = run(line, indent + length + 1, usize::MAX, |octet| matches!(octet, b' ' | b'\t'));
    Some(Label { start: indent, end: indent + length, value })
}

/// An empty label right above another: first of its paragraph, or less indented than what follows.
fn is_heading(line: &[u8], label: Label, before: Option<&[u8]>, after: Option<&[u8]>) -> bool {
    let Some(below) = after.and_then(label_of) else { return false };
    is_blank(from(line, label.value)) && (before.is_none_or(is_blank) || below.start > label.start)
}
