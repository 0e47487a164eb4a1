//! Accounts, security identifiers and logon sessions: twin of `normalizers/transforms/accounts.py`.

use super::{Output, Outputs, Texts, number, parse_hex, span, unless_empty};
use crate::plan::{Options, Value};
use crate::source::Text;

const ADMIN: i64 = 2;
const SYSTEM: i64 = 3;
const SERVICE: i64 = 4;

const NOBODY: &[u8] = b"S-1-0-0";
const SYSTEM_SIDS: [&[u8]; 3] = [b"S-1-5-18", b"S-1-5-19", b"S-1-5-20"];
const SERVICE_SIDS: &[u8] = b"S-1-5-80-";
const DOMAIN_SIDS: &[u8] = b"S-1-5-21-";
const BUILTIN_GROUPS: &[u8] = b"S-1-5-32-5";

/// [MS-DTYP] section 2.4.2.4: well-known SIDs that are groups.
const GROUP_SIDS: [&[u8]; 7] = [b"S-1-1-0", b"S-1-2-0", b"S-1-5-2", b"S-1-5-4", b"S-1-5-6", b"S-1-5-9", b"S-1-5-11"];

pub(super) fn account(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let whole = texts.printed_or_empty(values.first().copied().flatten());
    let explicit = texts.printed_or_empty(values.get(1).copied().flatten());
    let (short, domain) = split_account(texts.get(whole), whole);
    out[0] = unless_empty(short);
    out[1] = unless_empty(if explicit.is_empty() { domain } else { explicit });
    true
}

/// (name, domain) of `DOMAIN\name`.
fn split_account(octets: &[u8], whole: Text) -> (Text, Text) {
    match memchr::memchr(b'\\', octets) {
        Some(at) if at > 0 && at + 1 < whole.len() => (whole.part(at + 1, whole.len()), whole.part(0, at)),
        _ => (whole, Text::EMPTY),
    }
}

pub(super) fn sid(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(values.first().copied().flatten());
    let Some((start, end)) = sid_within(texts.get(text)) else { return false };
    let bare = text.part(start, end);
    let octets = texts.get(bare);
    if octets.get(1..) != NOBODY.get(1..) {
        let spelled = octets.first() == Some(&b'S');
        out[0] = unless_empty(if spelled { bare } else { texts.joined(b"S", bare.part(1, bare.len())) });
    }
    true
}

pub(super) fn group_sid(texts: &Texts<'_>, value: Text, _: &[Box<[u8]>]) -> bool {
    let octets = texts.get(value);
    let Some((start, end)) = sid_within(octets) else { return false };
    let found = &octets[start..end];
    let like = |known: &[u8]| found.get(1..) == known.get(1..);
    GROUP_SIDS.into_iter().any(like) || behind(found, BUILTIN_GROUPS).is_some_and(is_two_digits) || is_group_rid(found)
}

/// A SID of a domain (or machine) whose last part is a well-known group's.
fn is_group_rid(sid: &[u8]) -> bool {
    let Some(rest) = behind(sid, DOMAIN_SIDS) else { return false };
    let Some(dash) = memchr::memrchr(b'-', rest) else { return false };
    matches!(
        &rest[dash + 1..],
        b"498"
            | b"512"
            | b"513"
            | b"514"
            | b"515"
            | b"516"
            | b"517"
            | b"518"
            | b"519"
            | b"520"
            | b"521"
            | b"522"
            | b"525"
            | b"526"
            | b"527"
            | b"553"
            | b"571"
            | b"572"
    )
}

pub(super) fn user_type(texts: &mut Texts<'_>, values: &[Option<Value>], options: &Options, out: &mut Outputs) -> bool {
    let uid = texts.printed_or_empty(values.first().copied().flatten());
    let name = texts.printed_or_empty(values.get(1).copied().flatten());
    let uid = texts.get(uid);
    out[0] = number(if SYSTEM_SIDS.contains(&uid) {
        SYSTEM
    } else if uid.starts_with(SERVICE_SIDS) {
        SERVICE
    } else if uid.strip_prefix(DOMAIN_SIDS).is_some_and(is_administrator) {
        ADMIN
    } else if texts.get(name).ends_with(b"$") {
        options.dollar
    } else {
        options.default
    });
    true
}

/// The rest of a domain's SID: numbers, the last one 500.
fn is_administrator(rest: &[u8]) -> bool {
    rest.rsplit(|&octet| octet == b'-').next() == Some(b"500".as_slice())
        && rest.split(|&octet| octet == b'-').all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

pub(super) fn logon_id(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(values.first().copied().flatten());
    match parse_hex(texts.get(text), 16) {
        None => return false,
        Some(0) => {}
        Some(_) => out[0] = Output::Value(Value::Text(texts.lower(text))),
    }
    true
}

/// Where in a text its SID is, out of `%{...}`: `S-1` and one or more `-` number.
fn sid_within(text: &[u8]) -> Option<(usize, usize)> {
    let wrapped = text.strip_prefix(b"%{").and_then(|rest| rest.strip_suffix(b"}"));
    let (start, sid) = wrapped.map_or((0, text), |inner| (2, inner));
    let mut rest = sid.strip_prefix(b"S-1").or_else(|| sid.strip_prefix(b"s-1"))?;
    if rest.is_empty() {
        return None;
    }
    while let Some((&dash, part)) = rest.split_first() {
        let digits = span(part, |octet| octet.is_ascii_digit());
        if dash != b'-' || digits == 0 {
            return None;
        }
        rest = &part[digits..];
    }
    Some((start, start + sid.len()))
}

/// What follows a prefix, the letter S in either case.
fn behind<'a>(sid: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    sid.get(1..)?.strip_prefix(prefix.get(1..)?)
}

fn is_two_digits(text: &[u8]) -> bool {
    text.len() == 2 && text.iter().all(u8::is_ascii_digit)
}

/// As `account`, but `name@realm` is split at its last `@`.
pub(super) fn realm_account(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let Some(whole) = values.first().copied().flatten() else { return false };
    let whole = texts.printed(Some(whole));
    let explicit = match values.get(1).copied().flatten() {
        Some(value) => {
            let domain = texts.printed(Some(value));
            without_ident(texts, domain, whole)
        }
        None => Text::EMPTY,
    };
    let octets = texts.get(whole);
    let (name, domain) = match memchr::memrchr(b'@', octets) {
        Some(at) if at > 0 && at + 1 < octets.len() && !octets[..at].contains(&b'\\') => {
            (whole.part(0, at), whole.part(at + 1, whole.len()))
        }
        _ => split_account(octets, whole),
    };
    out[0] = unless_empty(name);
    out[1] = unless_empty(if explicit.is_empty() { domain } else { explicit });
    true
}

/// MS-CHAP-Domain without the octet that it may start with.
fn without_ident(texts: &Texts<'_>, domain: Text, name: Text) -> Text {
    let octets = texts.get(domain);
    let Some(&first) = octets.first() else { return domain };
    let begun = octets[1..].iter().take_while(|&&octet| octet & 0xc0 == 0x80).count() + 1;
    let rest = domain.part(begun, domain.len());
    let of_name = texts.get(name).strip_prefix(texts.get(rest)).is_some_and(|behind| behind.first() == Some(&b'\\'));
    let starts = first < b' ' || first == 0x7f || octets.starts_with("\u{fffd}".as_bytes());
    if starts || of_name { rest } else { domain }
}
