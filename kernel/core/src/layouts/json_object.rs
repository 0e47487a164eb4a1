//! A JSON object (RFC 8259) as its leaves: (dotted path, text) of every scalar, in order. Twin of `wire/json_object.py`; what
//! is damaged, very deep or not UTF-8 is left to it.

use memchr::memchr2;

use super::payload::from;
use crate::octets::run;
use crate::source::{Source, Text};

/// Most octets of an object.
pub const MAX_OCTETS: usize = 256 * 1024;
const MAX_DEPTH: usize = 16;

/// What stands behind a member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A number, a literal or null.
    Other,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// Who wants to know of every member, beside its leaves: the names of a layout's shape. None where only the twin can tell.
pub trait Shape {
    /// A member of an object at some depth, the document's own being 0; `above` is its parent's path, `in_array` whether an
    /// array stands between.
    fn member(&mut self, name: &[u8], above: &[u8], depth: usize, kind: Kind) -> Option<()>;

    /// An object that is an item of an array.
    fn item(&mut self) -> Option<()>;
}

/// Read the object that is all of `start..` of the message, its leaves into the source's payload. None where only the twin can
/// tell.
pub fn read_leaves(message: &[u8], start: usize, source: &mut Source, shape: &mut impl Shape) -> Option<()> {
    let payload = message.get(start..)?;
    std::str::from_utf8(payload).ok()?;
    if payload.len() > MAX_OCTETS {
        return None;
    }
    let last = payload.iter().rposition(|&octet| !is_white(octet) && octet != 0)?;
    let octets = message.get(..=start + last)?;
    let mut reader = Reader { octets, at: start, source, shape };
    reader.object(Text::EMPTY, 0)?;
    (reader.at == octets.len()).then_some(())
}

fn is_white(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

struct Reader<'a, S> {
    octets: &'a [u8],
    at: usize,
    source: &'a mut Source,
    shape: &'a mut S,
}

impl<S: Shape> Reader<'_, S> {
    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn white(&mut self) {
        if self.peek().is_some_and(|octet| octet <= b' ') {
            self.at = run(self.octets, self.at, usize::MAX, is_white);
        }
    }

    fn pass(&mut self, octet: u8) -> Option<()> {
        (self.peek() == Some(octet)).then(|| self.at += 1)
    }

    fn object(&mut self, path: Text, depth: usize) -> Option<()> {
        self.pass(b'{')?;
        self.white();
        if self.pass(b'}').is_some() {
            return Some(());
        }
        if depth == MAX_DEPTH {
            return None;
        }
        loop {
            let name = self.string()?;
            self.white();
            self.pass(b':')?;
            self.white();
            let kind = match self.peek()? {
                b'"' => Kind::Text,
                b'{' => Kind::Object,
                b'[' => Kind::Array,
                _ => Kind::Other,
            };
            let octets = self.source.text(self.octets, name);
            self.shape.member(octets, self.source.text(self.octets, path), depth, kind)?;
            let below = self.below(path, name);
            self.value(below, depth + 1)?;
            self.white();
            if self.pass(b',').is_none() {
                return self.pass(b'}');
            }
            self.white();
        }
    }

    /// The path of a member.
    fn below(&mut self, path: Text, name: Text) -> Text {
        if path.is_empty() {
            return name;
        }
        let start = self.source.arena.len();
        self.source.append(self.octets, path);
        self.source.arena.push(b'.');
        self.source.append(self.octets, name);
        self.source.since(start)
    }

    fn array(&mut self, path: Text, depth: usize) -> Option<()> {
        self.pass(b'[')?;
        self.white();
        if self.pass(b']').is_some() {
            return Some(());
        }
        if depth == MAX_DEPTH {
            return None;
        }
        loop {
            if self.peek() == Some(b'{') {
                self.shape.item()?;
            }
            self.value(path, depth + 1)?;
            self.white();
            if self.pass(b',').is_none() {
                return self.pass(b']');
            }
            self.white();
        }
    }

    fn value(&mut self, path: Text, depth: usize) -> Option<()> {
        let text = match self.peek()? {
            b'{' => return self.object(path, depth),
            b'[' => return self.array(path, depth),
            b'"' => self.string()?,
            b't' => self.literal(b"true")?,
            b'f' => self.literal(b"false")?,
            b'n' => self.literal(b"null").map(|_| Text::EMPTY)?,
            _ => self.number()?,
        };
        self.source.payload.push((path, text));
        Some(())
    }

    fn literal(&mut self, spelling: &[u8]) -> Option<Text> {
        let start = self.at;
        from(self.octets, start).starts_with(spelling).then(|| self.at += spelling.len())?;
        Some(Text::in_message(start, self.at))
    }

    fn digits(&mut self) -> Option<()> {
        let end = run(self.octets, self.at, usize::MAX, |octet| octet.is_ascii_digit());
        (end > self.at).then(|| self.at = end)
    }

    fn number(&mut self) -> Option<Text> {
        let start = self.at;
        let _ = self.pass(b'-');
        if self.pass(b'0').is_none() {
            self.digits()?;
        }
        if self.pass(b'.').is_some() {
            self.digits()?;
        }
        if self.pass(b'e').or_else(|| self.pass(b'E')).is_some() {
            let _ = self.pass(b'+').or_else(|| self.pass(b'-'));
            self.digits()?;
        }
        Some(Text::in_message(start, self.at))
    }

    fn string(&mut self) -> Option<Text> {
        self.pass(b'"')?;
        let start = self.at;
        let found = start + memchr2(b'"', b'\\', from(self.octets, start))?;
        self.at = found;
        if self.pass(b'"').is_some() {
            return Some(Text::in_message(start, found));
        }
        let begin = self.source.arena.len();
        let mut plain = start;
        loop {
            let found = plain + memchr2(b'"', b'\\', from(self.octets, plain))?;
            self.source.arena.extend_from_slice(self.octets.get(plain..found)?);
            self.at = found + 1;
            if self.octets.get(found) == Some(&b'"') {
                return Some(self.source.since(begin));
            }
            self.escape()?;
            plain = self.at;
        }
    }

    fn escape(&mut self) -> Option<()> {
        let octet = self.peek()?;
        self.at += 1;
        self.source.arena.push(match octet {
            b'"' | b'\\' | b'/' => octet,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(),
            _ => return None,
        });
        Some(())
    }

    /// `\u` and four hex digits, twice for a character of two surrogates.
    fn unicode(&mut self) -> Option<()> {
        let unit = self.hex()?;
        let mut scalar = u32::from(unit);
        if (0xD800..0xDC00).contains(&unit) {
            self.pass(b'\\')?;
            self.pass(b'u')?;
            let low = self.hex().filter(|low| (0xDC00..0xE000).contains(low))?;
            scalar = 0x1_0000 + ((scalar - 0xD800) << 10) + u32::from(low - 0xDC00);
        }
        let character = char::from_u32(scalar)?;
        self.source.arena.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Some(())
    }

    fn hex(&mut self) -> Option<u16> {
        let digits = self.octets.get(self.at..self.at + 4).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))?;
        self.at += 4;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }
}
