//! Texts of XML: what characters a document may hold, references, line ends, white space (XML 1.0 sections 2.2, 2.11, 3.3.3, 4.1).
//! None says "not surely as expat has it", as in [`crate::xml`].

use memchr::memmem;

use crate::event_xml_scan::trimmed;
use crate::source::{Source, Text};

const ENTITIES: [(&[u8], u8); 5] =
    [(b"amp;", b'&'), (b"lt;", b'<'), (b"gt;", b'>'), (b"quot;", b'"'), (b"apos;", b'\'')];

/// Which rules a text follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An element's text.
    Content,
    /// An attribute's value, whose white space becomes spaces.
    Attribute,
}

/// A copy in the arena with references resolved and line ends normalized (sections 2.11, 3.3.3, 4.1); the first octet that
/// needs it is at `first`.
pub fn unescape(content: &[u8], first: usize, kind: Kind, source: &mut Source) -> Option<Text> {
    let start = source.arena.len();
    let white = |octet: u8| if kind == Kind::Attribute { b' ' } else { octet };
    let (mut at, mut from) = (first, 0);
    while let Some(&octet) = content.get(at) {
        if !matches!(octet, b'&' | b'\r') && (kind == Kind::Content || !matches!(octet, b'\t' | b'\n')) {
            at += 1;
            continue;
        }
        source.arena.extend_from_slice(&content[from..at]);
        match octet {
            b'&' => at = reference(content, at + 1, &mut source.arena)?,
            b'\r' => {
                source.arena.push(white(b'\n'));
                at += 1 + usize::from(content.get(at + 1) == Some(&b'\n'));
            }
            _ => {
                source.arena.push(white(octet));
                at += 1;
            }
        }
        from = at;
    }
    source.arena.extend_from_slice(&content[from..]);
    Some(source.since(start))
}

/// Behind the reference whose name or number begins at `at`; what it stands for is added to `text`.
fn reference(content: &[u8], at: usize, text: &mut Vec<u8>) -> Option<usize> {
    let rest = &content[at..];
    if let Some((name, octet)) = ENTITIES.iter().find(|(name, _)| rest.starts_with(name)) {
        text.push(*octet);
        return Some(at + name.len());
    }
    let (radix, digits, most) = match rest {
        [b'#', b'x', digits @ ..] => (16, digits, 8),
        [b'#', digits @ ..] => (10, digits, 9),
        _ => return None,
    };
    let length = digits.iter().take(most + 1).take_while(|octet| char::from(**octet).is_digit(radix)).count();
    if digits.get(length) != Some(&b';') {
        return None;
    }
    let number = u32::from_str_radix(core::str::from_utf8(&digits[..length]).ok()?, radix).ok()?;
    let letter = char::from_u32(number).filter(|letter| is_char(*letter))?;
    text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    Some(at + (rest.len() - digits.len()) + length + 1)
}

/// XML 1.0 section 2.2, Char, as the twin has it.
fn is_char(letter: char) -> bool {
    !matches!(letter, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}')
}

/// What one look at a whole document rules out of all of its texts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Survey {
    /// It holds `&`.
    references: bool,
    /// It holds TAB, CR or LF.
    breaks: bool,
}

impl Survey {
    /// Whether `&` stands somewhere.
    #[must_use]
    pub fn references(self) -> bool {
        self.references
    }

    /// Whether every text stands for itself.
    #[must_use]
    pub fn is_plain(self) -> bool {
        !self.references && !self.breaks
    }
}

/// Whether octets are UTF-8 and hold no character that XML doesn't allow.
#[must_use]
pub fn is_legal(octets: &[u8]) -> bool {
    let (mut lowest, mut high) = (b' ', 0);
    for &octet in octets {
        lowest = lowest.min(octet);
        high |= octet;
    }
    let is_control = |octet: u8| octet < b' ' && !is_white(octet);
    !(lowest < b' ' && octets.iter().copied().any(is_control)) && (high.is_ascii() || is_wide_legal(octets))
}

fn is_wide_legal(octets: &[u8]) -> bool {
    let holds = |text: &[u8]| memmem::find(octets, text).is_some();
    core::str::from_utf8(octets).is_ok() && !holds(b"\xef\xbf\xbe") && !holds(b"\xef\xbf\xbf")
}

/// Look through a document: None unless it is UTF-8, holds no character that XML doesn't allow, nor `]]>`, which text may not.
#[must_use]
pub fn survey(document: &[u8]) -> Option<Survey> {
    let (mut lowest, mut high, mut reference, mut bracket) = (b' ', 0, false, false);
    for &octet in document {
        lowest = lowest.min(octet);
        high |= octet;
        reference |= octet == b'&';
        bracket |= octet == b']';
    }
    let low = lowest < b' ';
    if low && document.iter().any(|&octet| octet < b' ' && !is_white(octet)) {
        return None;
    }
    if !(high.is_ascii() || is_wide_legal(document)) || (bracket && memmem::find(document, b"]]>").is_some()) {
        return None;
    }
    Some(Survey { references: reference, breaks: low })
}

/// A text without white space (SPACE, TAB, CR, LF) around it.
#[must_use]
pub fn trim(text: Text, message: &[u8], source: &Source) -> Text {
    let octets = source.text(message, text);
    let range = trimmed(octets, 0..octets.len());
    text.part(range.start, range.end)
}

/// Whether a text is white space alone, or nothing.
#[must_use]
pub fn is_blank(text: Text, message: &[u8], source: &Source) -> bool {
    source.text(message, text).iter().copied().all(is_white)
}

/// White space of XML.
#[must_use]
pub fn is_white(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}
