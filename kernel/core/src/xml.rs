//! A cursor over XML that is surely well-formed and surely means what expat makes of it (XML 1.0): names of ASCII letters,
//! attributes, character data, the five entities and character references. At anything else it answers None, which says
//! "not surely", never "not well-formed". Offsets are those of the message.

use core::ops::Range;

use memchr::{memchr, memchr2};

use crate::octets::run;
use crate::source::{Source, Text};
use crate::xml_text::{Kind, Survey, is_white, unescape};

const DECLARATION: &[u8] = b"xmlns";
const MAX_NAME: usize = 200;
const MAX_ATTRIBUTES: usize = 12;

/// A start-tag or an empty element's tag; its attributes are in [`Xml::attributes`] until the next tag is read.
#[derive(Clone, Debug)]
pub struct Tag {
    /// Where its name stands.
    pub name: Range<usize>,
    /// Whether it is an element without content.
    pub empty: bool,
}

/// How an element is usually spelled: `opening`, a text or a quoted value, `closing`; or `empty`.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Spelling {
    pub opening: &'static [u8],
    pub closing: &'static [u8],
    pub empty: &'static [u8],
    /// Whether an attribute's value is read, not the element's text.
    pub is_value: bool,
}

/// What follows character data.
#[derive(Clone, Debug)]
pub enum Next {
    /// Another element.
    Open(Tag),
    /// The end-tag of the element whose content this is; its name was compared.
    Close,
}

/// An attribute: where its name and its value stand.
pub type Attribute = (Range<usize>, Range<usize>);

/// A cursor over a message, whose end is the document's.
#[derive(Debug)]
pub struct Xml<'a> {
    message: &'a [u8],
    at: usize,
    survey: Survey,
    attributes: [Attribute; MAX_ATTRIBUTES],
    count: usize,
}

impl<'a> Xml<'a> {
    /// A cursor at `at` of a message, where the document begins; both end together.
    #[must_use]
    pub fn new(message: &'a [u8], at: usize, survey: Survey) -> Self {
        Self { message, at, survey, attributes: core::array::from_fn(|_| (0..0, 0..0)), count: 0 }
    }

    /// The next octet.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The attributes of the last tag read, namespace declarations left out.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.attributes[..self.count].iter().filter(|(key, _)| !self.octets(key).starts_with(DECLARATION))
    }

    /// The value of an attribute of the last tag read.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<Range<usize>> {
        self.attributes[..self.count].iter().find(|(key, _)| self.octets(key) == name).map(|(_, value)| value.clone())
    }

    /// The octets of a range.
    #[must_use]
    pub fn octets(&self, range: &Range<usize>) -> &'a [u8] {
        &self.message[range.clone()]
    }

    /// Read a start-tag, whose `<` is the next octet.
    pub fn open(&mut self) -> Option<Tag> {
        let name = self.name(self.at + 1)?;
        self.at = name.end;
        self.count = 0;
        loop {
            match *self.message.get(self.at)? {
                b'>' => {
                    self.at += 1;
                    return Some(Tag { name, empty: false });
                }
                b'/' if self.message.get(self.at + 1) == Some(&b'>') => {
                    self.at += 2;
                    return Some(Tag { name, empty: true });
                }
                octet if is_white(octet) => {
                    self.at = self.skip_white(self.at);
                    if !matches!(self.message.get(self.at)?, b'>' | b'/') {
                        self.read_attribute()?;
                    }
                }
                _ => return None,
            }
        }
    }

    fn read_attribute(&mut self) -> Option<()> {
        let start = self.at;
        let mut end = name_end(self.message, start);
        let declares = self.message[start..end].starts_with(DECLARATION);
        if declares && self.message.get(end) == Some(&b':') {
            end = name_end(self.message, end + 1);
        }
        if !begins_name(*self.message.get(start)?) || end - start > MAX_NAME {
            return None;
        }
        let equals = self.skip_white(end);
        let open = self.skip_white(equals + 1);
        let quote = *self.message.get(open).filter(|octet| matches!(octet, b'"' | b'\''))?;
        if self.message[equals] != b'=' {
            return None;
        }
        let (name, rest) = (start..end, &self.message[open + 1..]);
        let length = memchr2(quote, b'<', rest).filter(|&length| rest[length] == quote)?;
        let refers = declares && memchr(b'&', &rest[..length]).is_some();
        if refers || self.count == MAX_ATTRIBUTES || self.attribute(&self.message[start..end]).is_some() {
            return None;
        }
        self.at = open + length + 2;
        self.attributes[self.count] = (name, open + 1..open + 1 + length);
        self.count += 1;
        Some(())
    }

    fn name(&self, at: usize) -> Option<Range<usize>> {
        let end = name_end(self.message, at);
        (begins_name(*self.message.get(at)?) && end - at <= MAX_NAME).then_some(at..end)
    }

    fn skip_white(&self, at: usize) -> usize {
        match self.message.get(at) {
            Some(&octet) if is_white(octet) => run(self.message, at + 1, usize::MAX, is_white),
            _ => at,
        }
    }

    /// Read an element in the spelling that is usual for it: its text, or the value of its one attribute. None for any other
    /// element or spelling, which leaves the cursor where it is, as text before the element does.
    pub fn usual(&mut self, spelling: &Spelling) -> Option<Range<usize>> {
        let rest = self.message.get(self.at..)?;
        if rest.starts_with(spelling.empty) {
            self.at += spelling.empty.len();
            return Some(self.at..self.at);
        }
        let mut content = rest.strip_prefix(spelling.opening)?;
        let (length, behind) = if spelling.is_value {
            let (&quote, value) = content.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
            content = value;
            let length = memchr2(quote, b'<', value)?;
            (length, value[length..].strip_prefix(&[quote])?)
        } else {
            let length = memchr(b'<', content)?;
            (length, &content[length..])
        };
        let behind = behind.strip_prefix(spelling.closing)?;
        let (end, start) = (self.message.len(), self.message.len() - content.len());
        self.at = end - behind.len();
        Some(start..start + length)
    }

    /// Read `<Data Name='...'>...</Data>`: its name and its text. None for any other element, as [`Xml::usual`] does.
    pub fn pair(&mut self) -> Option<(Range<usize>, Range<usize>)> {
        let rest = self.message.get(self.at..)?;
        let open = rest.strip_prefix(b"<Data Name=")?;
        let (&quote, open) = open.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
        let length = memchr2(quote, b'<', open)?;
        let content = open[length..].strip_prefix(&[quote])?.strip_prefix(b">")?;
        let text_length = memchr(b'<', content)?;
        let close = content[text_length..].strip_prefix(b"</Data>")?;
        let end = self.message.len();
        let (name, text) = (end - open.len(), end - content.len());
        self.at = end - close.len();
        Some((name..name + length, text..text + text_length))
    }

    /// Read the character data up to the next tag of the element `tag`, and that tag.
    pub fn content(&mut self, tag: &Tag) -> Option<(Range<usize>, Next)> {
        let start = self.at;
        let end = start + memchr(b'<', self.message.get(start..)?)?;
        self.at = end;
        if self.message.get(end + 1) != Some(&b'/') {
            return Some((start..end, Next::Open(self.open()?)));
        }
        let name = self.octets(&tag.name);
        if !self.message[end + 2..].starts_with(name) {
            return None;
        }
        let close = self.skip_white(end + 2 + name.len());
        if self.message.get(close) != Some(&b'>') {
            return None;
        }
        self.at = close + 1;
        Some((start..end, Next::Close))
    }

    /// The next element in one whose text means nothing, or its end.
    pub fn child(&mut self, tag: &Tag, source: &mut Source) -> Option<Next> {
        if tag.empty {
            return Some(Next::Close);
        }
        let (text, next) = self.content(tag)?;
        self.check(&text, source)?;
        Some(next)
    }

    /// The text of an element without elements in it; its attributes are those of the last tag still.
    pub fn leaf(&mut self, tag: &Tag, source: &mut Source) -> Option<Text> {
        if tag.empty {
            return Some(Text::EMPTY);
        }
        match self.content(tag)? {
            (text, Next::Close) => self.text(&text, source),
            _ => None,
        }
    }

    /// Whether character data is white space alone; None where that isn't sure, or it isn't surely legal.
    #[must_use]
    pub fn is_blank(&self, range: &Range<usize>) -> Option<bool> {
        let text = self.octets(range);
        memchr(b'&', text).is_none().then(|| text.iter().copied().all(is_white))
    }

    /// Character data as text, a line end of any kind as LF; as it stands, white space around it included.
    pub fn text(&self, range: &Range<usize>, source: &mut Source) -> Option<Text> {
        let content = self.octets(range);
        let first = if self.survey.is_plain() { None } else { memchr2(b'&', b'\r', content) };
        match first {
            None => Some(Text::in_message(range.start, range.end)),
            Some(first) => unescape(content, first, Kind::Content, source),
        }
    }

    /// An attribute's value as text, each white space in it as a space (section 3.3.3).
    pub fn value(&self, range: &Range<usize>, source: &mut Source) -> Option<Text> {
        if self.survey.is_plain() {
            return Some(Text::in_message(range.start, range.end));
        }
        let content = self.octets(range);
        match content.iter().position(|octet| matches!(octet, b'&' | b'\t' | b'\r' | b'\n')) {
            None => Some(Text::in_message(range.start, range.end)),
            Some(first) => unescape(content, first, Kind::Attribute, source),
        }
    }

    /// Pass over an element of which nothing is wanted but that it is well-formed, at most `depth` levels of it.
    pub fn pass(&mut self, tag: &Tag, depth: usize, source: &mut Source) -> Option<()> {
        self.check_attributes(source)?;
        if tag.empty {
            return Some(());
        }
        loop {
            let (text, next) = self.content(tag)?;
            self.check(&text, source)?;
            match next {
                Next::Close => return Some(()),
                Next::Open(child) => self.pass(&child, depth.checked_sub(1)?, source)?,
            }
        }
    }

    /// Whether the character data is surely legal; nothing is kept of it.
    pub fn check(&self, text: &Range<usize>, source: &mut Source) -> Option<()> {
        if !self.survey.references() {
            return Some(());
        }
        let kept = source.arena.len();
        self.text(text, source)?;
        source.arena.truncate(kept);
        Some(())
    }

    /// Whether the values of the last tag's attributes are surely legal; nothing is kept of them.
    pub fn check_attributes(&self, source: &mut Source) -> Option<()> {
        if !self.survey.references() {
            return Some(());
        }
        let kept = source.arena.len();
        for (_, value) in self.attributes().filter(|(_, value)| memchr(b'&', self.octets(value)).is_some()) {
            self.value(value, source)?;
        }
        source.arena.truncate(kept);
        Some(())
    }
}

fn begins_name(octet: u8) -> bool {
    octet.is_ascii_alphabetic() || octet == b'_'
}

/// The octets of names.
static NAMES: [bool; 256] = {
    let mut names = [false; 256];
    let mut octet = 0;
    while octet < 128_u8 {
        names[octet as usize] = octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.' | b'-');
        octet += 1;
    }
    names
};

/// Behind the octets of names from `at` on.
fn name_end(message: &[u8], at: usize) -> usize {
    run(message, at, usize::MAX, |octet| NAMES[usize::from(octet)])
}
