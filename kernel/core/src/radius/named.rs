//! A packet's attributes as names and texts: twin of `wire/radius/named.py` and of `scan_numbered` in `wire/radius/attributes.py`.
//! Long extended attributes, which may be fragments, are left to the reference.

use std::io::Write;

use super::dictionary::{Dictionary, Path};
use super::packet::Attributes;
use super::values::{Read, split_tag, write_hex, write_value};
use crate::source::Source;

const VENDOR_SPECIFIC: u8 = 26;
const VENDOR_ID: usize = 4;
const EXTENDED: std::ops::RangeInclusive<u8> = 241..=244;
const LONG_EXTENDED: std::ops::RangeInclusive<u8> = 245..=246;
const LONG_EXTENDED_HEADER: usize = 2;
const SECRET_WORDS: [&[u8]; 5] = [b"passw", b"secret", b"psk", b"key", b"credential"];

/// Reads attributes into a source.
pub(super) struct Reader<'a> {
    pub dictionary: &'a Dictionary,
    pub source: &'a mut Source,
    pub tunnel: u8,
}

impl Reader<'_> {
    /// Read all attributes of a packet; None where the reference has to.
    pub fn packet(&mut self, packet: &[u8], start: usize) -> Option<()> {
        let mut attributes = Attributes::new(packet, start);
        for attribute in attributes.by_ref() {
            let (kind, value) = (attribute.kind, &packet[attribute.start..attribute.end]);
            let number = u32::from(kind);
            match value {
                _ if LONG_EXTENDED.contains(&kind) && value.len() > LONG_EXTENDED_HEADER => return None,
                [inner, rest @ ..] if EXTENDED.contains(&kind) && !rest.is_empty() => {
                    self.extended(number, *inner, rest)?;
                }
                _ if kind == VENDOR_SPECIFIC => self.vendor_specific(value)?,
                _ => self.attribute(Path::of([number]), value)?,
            }
        }
        attributes.whole.then_some(())
    }

    fn vendor_specific(&mut self, value: &[u8]) -> Option<()> {
        let number = u32::from(VENDOR_SPECIFIC);
        let Some((id, inside)) = value.split_first_chunk::<VENDOR_ID>() else {
            return self.attribute(Path::of([number]), value);
        };
        let vendor = u32::from_be_bytes(*id);
        let mut attributes = Attributes::new(inside, 0);
        if attributes.by_ref().count() == 0 || !attributes.whole {
            return self.attribute(Path::of([number, vendor]), inside);
        }
        for attribute in Attributes::new(inside, 0) {
            let path = Path::of([number, vendor, u32::from(attribute.kind)]);
            self.attribute(path, &inside[attribute.start..attribute.end])?;
        }
        Some(())
    }

    fn extended(&mut self, number: u32, inner: u8, value: &[u8]) -> Option<()> {
        if let (VENDOR_SPECIFIC, Some((id, [kind, rest @ ..]))) = (inner, value.split_first_chunk::<VENDOR_ID>()) {
            if !rest.is_empty() {
                let path = Path::of([number, u32::from(inner), u32::from_be_bytes(*id), u32::from(*kind)]);
                return self.attribute(path, rest);
            }
        }
        self.attribute(Path::of([number, u32::from(inner)]), value)
    }

    fn attribute(&mut self, path: Path, value: &[u8]) -> Option<()> {
        let Some(entry) = self.dictionary.find(path) else {
            self.numbered(path, value);
            return Some(());
        };
        if entry.secret {
            return Some(());
        }
        let (mut room, start) = ([0; 4], self.source.arena.len());
        let (tag, bare) = split_tag(entry, value, &mut room);
        match write_value(entry, bare, &mut self.source.arena) {
            Read::Written => {}
            Read::Formless => {
                self.source.arena.truncate(start);
                self.numbered(path, value);
                return Some(());
            }
            Read::Unsure => return None,
        }
        if entry.pair && names_a_secret(&self.source.arena[start..]) {
            return Some(());
        }
        let text = self.source.since(start);
        if self.tunnel == 0 {
            self.tunnel = tag;
        }
        let start = self.source.arena.len();
        self.source.arena.extend_from_slice(entry.name.as_bytes());
        if tag != 0 && tag != self.tunnel {
            let _ = write!(self.source.arena, ":{tag}"); // a Vec takes everything
        }
        let name = self.source.since(start);
        self.source.payload.push((name, text));
        Some(())
    }

    /// An attribute that has no name, under its number.
    fn numbered(&mut self, path: Path, value: &[u8]) {
        let start = self.source.arena.len();
        let (head, between, numbers) = match path.steps() {
            [number, inside @ ..] if *number == u32::from(VENDOR_SPECIFIC) && !inside.is_empty() => {
                ("Vendor-", b'-', inside)
            }
            steps => ("Attr-", b'.', steps),
        };
        self.source.arena.extend_from_slice(head.as_bytes());
        for (place, number) in numbers.iter().enumerate() {
            if place > 0 {
                self.source.arena.push(between);
            }
            self.source.arena.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
        }
        let name = self.source.since(start);
        let start = self.source.arena.len();
        write_hex(value, &mut self.source.arena);
        let text = self.source.since(start);
        self.source.payload.push((name, text));
    }
}

/// Whether a pair's own name says that its value is nobody's business.
fn names_a_secret(pair: &[u8]) -> bool {
    let Some(end) = pair.iter().position(|octet| matches!(octet, b'=' | b'*')) else { return false };
    let name = pair[..end].to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| memchr::memmem::find(&name, word).is_some())
}
