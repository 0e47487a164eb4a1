//! Hosts, names and addresses as delivered: twin of `normalizers/transforms/hosts.py`.

use std::net::IpAddr;

use super::{Output, Outputs, Texts, is_blank, span, unless_empty};
use crate::plan::{Options, Value};
use crate::source::Text;

const MAX_ADDRESS: usize = 64;
const MAX_OCSF_ADDRESS: usize = 40;
const MAX_ZONE: usize = 16;

pub(super) fn host(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let bare = without_backslashes(texts, values);
    out[usize::from(!is_address(texts.get(bare)))] = unless_empty(bare);
    !bare.is_empty()
}

pub(super) fn unc(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let bare = without_backslashes(texts, values);
    out[0] = unless_empty(bare);
    !bare.is_empty()
}

fn without_backslashes(texts: &mut Texts<'_>, values: &[Option<Value>]) -> Text {
    let text = texts.printed(values.first().copied().flatten());
    text.part(span(texts.get(text), |octet| octet == b'\\'), text.len())
}

pub(super) fn ip(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(values.first().copied().flatten());
    let plain = is_plain_address(texts.get(text));
    if plain {
        out[0] = Output::Value(Value::Text(text));
    }
    plain
}

/// `ip`, else `mac` with `name`, else `name`.
pub(super) fn station(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(values.first().copied().flatten());
    let octets = texts.get(text);
    let blanks = span(octets, is_blank);
    let end = octets.iter().rposition(|&octet| !is_blank(octet)).map_or(blanks, |last| last + 1);
    let prefixed = matches!(octets[blanks..end], [b'i' | b'I', b'p' | b'P', b'=', ..]);
    let start = if prefixed { blanks + 3 } else { blanks };
    let bare = &octets[start..end];
    if let Some(mac) = mac_of(bare) {
        out[1] = Output::Value(Value::Text(texts.copy(&mac)));
        out[2] = Output::Value(Value::Text(text));
        return true;
    }
    if is_plain_address(bare) {
        out[0] = Output::Value(Value::Text(text.part(start, end)));
    } else if let Some((from, to)) = without_port(bare).filter(|&(from, to)| is_plain_address(&bare[from..to])) {
        out[0] = Output::Value(Value::Text(text.part(start + from, start + to)));
    } else {
        out[2] = Output::Value(Value::Text(text));
    }
    true
}

/// Six octets in hexadecimal, as `01-23-45-AB-CD-EF`, out of the ways of writing them.
fn mac_of(text: &[u8]) -> Option<[u8; 17]> {
    let separated = |each: usize, separator: u8| {
        text.iter().enumerate().all(|(at, &octet)| (at % (each + 1) == each) == (octet == separator))
    };
    let formed = match text.len() {
        12 => true,
        14 => separated(4, b'.'),
        17 => separated(2, b':') || separated(2, b'-'),
        _ => false,
    };
    let mut digits = text.iter().copied().filter(|octet| text.len() == 12 || !matches!(octet, b':' | b'-' | b'.'));
    let mut mac = [b'-'; 17];
    for (_, place) in mac.iter_mut().enumerate().filter(|(at, _)| at % 3 != 2) {
        let digit = digits.next().filter(u8::is_ascii_hexdigit);
        *place = digit?.to_ascii_uppercase();
    }
    (formed && digits.next().is_none()).then_some(mac)
}

/// Where the address of `[ADDRESS]:PORT`, `[ADDRESS]` or `ADDRESS:PORT` is, the last of IPv4 alone.
fn without_port(text: &[u8]) -> Option<(usize, usize)> {
    let is_port = |text: &[u8]| (1..=5).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    if let Some(inside) = text.strip_prefix(b"[") {
        let end = inside.iter().position(|octet| matches!(octet, b'[' | b']'))?;
        let behind = inside[end..].strip_prefix(b"]")?;
        let fits = behind.is_empty() || behind.strip_prefix(b":").is_some_and(is_port);
        return fits.then_some((1, end + 1));
    }
    let end = span(text, |octet| octet.is_ascii_digit() || octet == b'.');
    text[end..].strip_prefix(b":").is_some_and(is_port).then_some((0, end))
}

/// An address as OCSF takes one, but not the unspecified one.
pub(super) fn is_plain_address(text: &[u8]) -> bool {
    text.len() <= MAX_OCSF_ADDRESS && address_of(text).is_some_and(|address| !address.is_unspecified())
}

/// Whether a text is an IPv4 or IPv6 address, the latter with or without zone.
fn is_address(text: &[u8]) -> bool {
    address_of(text).is_some()
}

/// The address that a text is, its zone left out.
fn address_of(text: &[u8]) -> Option<IpAddr> {
    let begins = text.first().is_some_and(|&octet| octet.is_ascii_hexdigit() || octet == b':');
    if !begins || text.len() > MAX_ADDRESS || !text.is_ascii() {
        return None;
    }
    let percent = memchr::memchr(b'%', text);
    let address = std::str::from_utf8(&text[..percent.unwrap_or(text.len())]).ok()?.parse().ok()?;
    match (address, percent) {
        (_, None) => Some(address),
        (IpAddr::V6(_), Some(at)) => is_zone(&text[at + 1..]).then_some(address),
        _ => None,
    }
}

fn is_zone(zone: &[u8]) -> bool {
    let like = |&octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.' | b'~' | b'-');
    (1..=MAX_ZONE).contains(&zone.len()) && zone.iter().all(like)
}
