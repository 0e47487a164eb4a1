//! Values as texts, by their types: twin of `wire/radius/values.py`.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::dictionary::Entry;

const HEX: [u8; 16] = *b"0123456789abcdef";
const MAX_TAG: u8 = 0x1f;
const MAX_PREFIX_LENGTH: u8 = 128;

/// Data types of RFC 8044 section 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Integer,
    Text,
    Octets,
    Ipv4Addr,
    Ipv6Addr,
    Ipv6Prefix,
    InterfaceId,
    Ether,
}

impl Kind {
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "integer" | "enum" | "time" => Self::Integer,
            "text" => Self::Text,
            "octets" => Self::Octets,
            "ipv4addr" => Self::Ipv4Addr,
            "ipv6addr" => Self::Ipv6Addr,
            "ipv6prefix" => Self::Ipv6Prefix,
            "ifid" => Self::InterfaceId,
            "ether" => Self::Ether,
            _ => return None,
        })
    }
}

/// What a value is as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It was written.
    Written,
    /// It isn't of its type's form.
    Formless,
    /// The reference engine has to say.
    Unsure,
}

/// Append the text of a value without its tag.
pub(super) fn write_value(entry: &Entry, value: &[u8], out: &mut Vec<u8>) -> Read {
    match entry.kind {
        Kind::Text => {
            let end = value.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1);
            if std::str::from_utf8(&value[..end]).is_err() {
                return Read::Unsure;
            }
            out.extend_from_slice(&value[..end]);
        }
        Kind::Octets => write_hex(value, out),
        Kind::Integer => {
            let Ok(octets) = <[u8; 4]>::try_from(value) else { return Read::Formless };
            let number = u32::from_be_bytes(octets);
            match entry.values.get(&number) {
                Some(name) => out.extend_from_slice(name.as_bytes()),
                None => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
            }
        }
        Kind::Ipv4Addr => {
            let Ok(octets) = <[u8; 4]>::try_from(value) else { return Read::Formless };
            write_ipv4(Ipv4Addr::from(octets), out);
        }
        Kind::Ipv6Addr => {
            let Ok(octets) = <[u8; 16]>::try_from(value) else { return Read::Formless };
            write(out, format_args!("{}", Ipv6Addr::from(octets)));
        }
        Kind::Ipv6Prefix => return write_prefix(value, out),
        Kind::InterfaceId => {
            let Ok(octets) = <[u8; 8]>::try_from(value) else { return Read::Formless };
            let group = |at: usize| u16::from_be_bytes([octets[at], octets[at + 1]]);
            write(out, format_args!("{:x}:{:x}:{:x}:{:x}", group(0), group(2), group(4), group(6)));
        }
        Kind::Ether => {
            if value.len() != 6 {
                return Read::Formless;
            }
            for (place, octet) in value.iter().enumerate() {
                if place > 0 {
                    out.push(b':');
                }
                write_hex(&[*octet], out);
            }
        }
    }
    Read::Written
}

fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text); // a Vec takes everything
}

fn write_ipv4(address: Ipv4Addr, out: &mut Vec<u8>) {
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
    }
}

fn write_prefix(value: &[u8], out: &mut Vec<u8>) -> Read {
    let (Some(&length), Some(address)) = (value.get(1), value.get(2..)) else { return Read::Formless };
    if length > MAX_PREFIX_LENGTH || address.len() > 16 {
        return Read::Formless;
    }
    let mut octets = [0; 16];
    octets[..address.len()].copy_from_slice(address);
    let behind = u32::from(MAX_PREFIX_LENGTH - length);
    let kept =
        u128::from_be_bytes(octets).checked_shr(behind).and_then(|bits| bits.checked_shl(behind)).unwrap_or_default();
    write(out, format_args!("{}/{length}", Ipv6Addr::from(kept)));
    Read::Written
}

/// Append octets in lower-case hexadecimal.
pub(super) fn write_hex(octets: &[u8], out: &mut Vec<u8>) {
    out.extend(octets.iter().flat_map(|octet| [HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]));
}

/// (tag, value without it) of an attribute; tag 0 is none. The value of an integer loses its tag's octet by its becoming zero.
pub(super) fn split_tag<'a>(entry: &Entry, value: &'a [u8], room: &'a mut [u8; 4]) -> (u8, &'a [u8]) {
    let Some((&first, rest)) = value.split_first().filter(|&(&first, _)| entry.tagged && first <= MAX_TAG) else {
        return (0, value);
    };
    if entry.kind != Kind::Integer {
        return (first, rest);
    }
    let Ok(octets) = <[u8; 4]>::try_from(value) else { return (0, value) };
    *room = octets;
    room[0] = 0;
    (first, room)
}
