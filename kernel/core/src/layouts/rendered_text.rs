//! The English rendered text of known events. Twin of `wire/rendered_text.py`, which says why labels are looked for from the
//! end. Lines that the event's table doesn't know are left to the twin.

use memchr::{memchr2, memchr2_iter, memmem};

use super::assemble::Warnings;
use super::few::Few;
use super::payload::{from, is_blank, is_white, trim};
use super::tables::{MessageText, Word};
use crate::octets::run;
use crate::source::Text;

/// No label of the event stands in its text.
pub const LOCALISED: &str = "localised-text";
/// The text ends before the event's last label.
pub const TRUNCATED: &str = "truncated";
/// A label stands twice where it belongs once.
pub const AMBIGUOUS: &str = "ambiguous-text";

const FREE_TEXT: &[u8] = b"Message";
const MAX_TOKENS: usize = 64;
/// Most fields of a text.
pub const MAX_FIELDS: usize = 32;
const MAX_STRANGER: usize = 62;

/// What a text said.
#[derive(Debug, Default)]
pub struct RenderedText<'t> {
    /// (name, value) in the text's order; names are the table's.
    pub data: Few<(&'t [u8], Text), MAX_FIELDS>,
    /// In the twin's order.
    pub warnings: Warnings,
}

/// A heading or label that stands in the text: the number of its word, and its octets.
#[derive(Clone, Copy, Debug, Default)]
struct Token {
    word: usize,
    start: usize,
    end: usize,
}

/// A label's value: the label's place in the table, and the octets of the text behind its colon.
#[derive(Clone, Copy, Debug, Default)]
struct Field {
    section: usize,
    label: usize,
    value: usize,
    end: usize,
}

type Tokens = Few<Token, MAX_TOKENS>;
type Fields = Few<Field, MAX_FIELDS>;

/// The data of a text whose event is known; None where only the twin can tell.
///
/// `octets` are those of `text`.
#[must_use]
pub fn read_message<'t>(template: &'t MessageText, octets: &[u8], text: Text) -> Option<RenderedText<'t>> {
    let mut rendered = RenderedText::default();
    if is_blank(octets) {
        return Some(rendered);
    }
    let mut in_lines = memchr2(b'\r', b'\n', octets).is_some();
    let (mut fields, mut spare) = (Fields::default(), 0);
    if in_lines {
        (fields, spare) = find(template, &tokens_in_lines(template, octets)?, octets.len())?;
    }
    if fields.len() < 2 {
        in_lines = false;
        (fields, spare) = find(template, &tokens_in_flat(template, octets)?, octets.len())?;
    }
    if fields.is_empty() {
        let sentence = template.sentence.as_bytes();
        let whole = crate::octets::trim(octets);
        let cut = sentence.starts_with(whole) || whole_begins(octets, sentence);
        rendered.data.push((FREE_TEXT, trim(octets, text)))?;
        rendered.warnings.push(if cut { TRUNCATED } else { LOCALISED })?;
        return Some(rendered);
    }
    let (last_section, last_label) = last_label(template)?;
    let mut whole = false;
    for field in fields.iter().rev() {
        let label = template.sections.get(field.section)?.labels.get(field.label)?;
        let ends = field.section + 1 == template.sections.len()
            && field.label + 1 == template.sections.last().map_or(0, |section| section.labels.len());
        let (start, end) = value_of(template, ends, octets, field);
        if in_lines && holds_stranger(template, octets.get(start..end)?)? {
            return None;
        }
        rendered.data.push((label.name.as_bytes(), text.part(start, end)))?;
        whole |= (field.section, field.label) == (last_section, last_label);
    }
    if spare != 0 {
        rendered.warnings.push(AMBIGUOUS)?;
    }
    if !whole {
        rendered.warnings.push(TRUNCATED)?;
    }
    Some(rendered)
}

/// Whether a text begins with its sentence, white space before it aside.
fn whole_begins(octets: &[u8], sentence: &[u8]) -> bool {
    from(octets, run(octets, 0, usize::MAX, is_white)).starts_with(sentence)
}

/// The place of the last label that the text always has.
fn last_label(template: &MessageText) -> Option<(usize, usize)> {
    let sections = template.sections.iter().enumerate().rev();
    sections
        .flat_map(|(section, found)| {
            found.labels.iter().enumerate().rev().map(move |(label, row)| (section, label, row))
        })
        .find(|(_, _, row)| !row.optional)
        .map(|(section, label, _)| (section, label))
}

/// The fields, last first, and how many headings and labels stand in the text beyond those.
fn find(template: &MessageText, tokens: &Tokens, end: usize) -> Option<(Fields, usize)> {
    let mut fields = Fields::default();
    let (mut limit, mut taken) = (end, 0);
    for (section, found) in template.sections.iter().enumerate().rev() {
        let heading = last_of(tokens, &found.headings, 0, limit);
        if heading.is_none() && !found.headings.is_empty() {
            continue;
        }
        let floor = heading.map_or(0, |heading| heading.end);
        for (label, row) in found.labels.iter().enumerate().rev() {
            if let Some(token) = last_of(tokens, &row.words, floor, limit) {
                fields.push(Field { section, label, value: token.end, end: limit })?;
                limit = token.start;
            }
        }
        if let Some(heading) = heading {
            limit = heading.start;
            taken += 1;
        }
    }
    let beyond = tokens.len().checked_sub(taken + fields.len())?;
    Some((fields, beyond))
}

/// The last of these words that begins between `floor` and `limit`.
fn last_of(tokens: &Tokens, words: &[usize], floor: usize, limit: usize) -> Option<Token> {
    let within = tokens.iter().rev().find(|token| token.start < limit && words.contains(&token.word));
    within.filter(|token| token.start >= floor).copied()
}

/// The headings and labels that begin a line.
fn tokens_in_lines(template: &MessageText, octets: &[u8]) -> Option<Tokens> {
    let mut tokens = Tokens::default();
    let starts = std::iter::once(0).chain(memchr2_iter(b'\r', b'\n', octets).map(|end| end + 1));
    for start in starts {
        let at = run(octets, start, usize::MAX, |octet| matches!(octet, b' ' | b'\t'));
        if let Some((word, end)) = token_at(template, octets, at) {
            tokens.push(Token { word, start, end })?;
        }
    }
    Some(tokens)
}

/// The headings and labels that stand behind white space.
fn tokens_in_flat(template: &MessageText, octets: &[u8]) -> Option<Tokens> {
    let mut tokens = Tokens::default();
    let mut at = 0;
    while at < octets.len() {
        if let Some((word, end)) = token_at(template, octets, at) {
            tokens.push(Token { word, start: at, end })?;
            at = end;
        }
        at += from(octets, at).iter().position(|&octet| is_white(octet)).unwrap_or(octets.len()) + 1;
    }
    Some(tokens)
}

/// The word that stands at `at`, and where it ends, its colon included.
fn token_at(template: &MessageText, octets: &[u8], at: usize) -> Option<(usize, usize)> {
    let first = octets.get(at)?.to_ascii_lowercase();
    let stands = |word: &Word| {
        let text = word.text.as_bytes();
        text.first() == Some(&first)
            && octets.get(at..at + text.len()).is_some_and(|found| found.eq_ignore_ascii_case(text))
    };
    let mut bare = None;
    for (number, word) in template.words.iter().enumerate().filter(|(_, word)| stands(word)) {
        let end = at + word.text.len();
        let colon = run(octets, end, usize::MAX, |octet| matches!(octet, b' ' | b'\t'));
        if octets.get(colon) == Some(&b':') {
            return Some((number, colon + 1));
        }
        if word.bare && bare.is_none() && octets.get(end).copied().is_none_or(is_white) {
            bare = Some((number, end));
        }
    }
    bare
}

/// Where the text up to the next field lies; behind the last one, up to the advice.
fn value_of(template: &MessageText, ends: bool, octets: &[u8], field: &Field) -> (usize, usize) {
    let trimmed = |start: usize, end: usize| {
        let value = octets.get(start..end).unwrap_or_default();
        let blank = value.iter().rev().take_while(|&&octet| is_white(octet)).count();
        (start, end.saturating_sub(blank).max(start))
    };
    let start = run(octets, field.value, field.end.saturating_sub(field.value), is_white);
    let (start, end) = trimmed(start, field.end);
    if ends && !template.advice.is_empty() {
        let value = octets.get(start..end).unwrap_or_default();
        if let Some(advice) = memmem::find(value, template.advice.as_bytes()) {
            return trimmed(start, start + advice);
        }
    }
    (start, end)
}

/// Whether a value that may run over several lines holds one whose label the table doesn't know; None where that is hard to say.
fn holds_stranger(template: &MessageText, value: &[u8]) -> Option<bool> {
    for line_end in memchr2_iter(b'\r', b'\n', value) {
        let at = run(value, line_end + 1, usize::MAX, |octet| matches!(octet, b' ' | b'\t'));
        let line = from(value, at);
        let length = line.iter().position(|octet| matches!(octet, b':' | b'\r' | b'\n')).unwrap_or(line.len());
        let label = line.get(..length)?;
        if line.get(length) != Some(&b':') || !label.first().is_some_and(u8::is_ascii_alphabetic) || length < 2 {
            continue;
        }
        if !label.is_ascii() {
            return None;
        }
        let path = matches!(line.get(length + 1), Some(b'\\' | b'/'));
        if path || length > MAX_STRANGER + 1 {
            continue;
        }
        if !template.words.iter().any(|word| word.text.as_bytes().eq_ignore_ascii_case(label)) {
            return Some(true);
        }
    }
    Some(false)
}
