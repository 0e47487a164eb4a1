//! Hosts, names and addresses as delivered: twin of `normalizers/transforms/hosts.py`.

use std::net::IpAddr;

use super::{Outputs, Texts, span, unless_empty};
use crate::plan::{Options, Value};
use crate::source::Text;

const MAX_ADDRESS: usize = 64;
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

/// Whether a text is an IPv4 or IPv6 address, the latter with or without zone.
fn is_address(text: &[u8]) -> bool {
    let begins = text.first().is_some_and(|&octet| octet.is_ascii_hexdigit() || octet == b':');
    if !begins || text.len() > MAX_ADDRESS || !text.is_ascii() {
        return false;
    }
    let percent = memchr::memchr(b'%', text);
    let Ok(bare) = std::str::from_utf8(&text[..percent.unwrap_or(text.len())]) else { return false };
    match (bare.parse(), percent) {
        (Ok(_), None) => true,
        (Ok(IpAddr::V6(_)), Some(at)) => is_zone(&text[at + 1..]),
        _ => false,
    }
}

fn is_zone(zone: &[u8]) -> bool {
    let like = |&octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'.' | b'~' | b'-');
    (1..=MAX_ZONE).contains(&zone.len()) && zone.iter().all(like)
}
