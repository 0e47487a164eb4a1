//! The timestamps of syslog headers in the spellings of the field; the readable twin is `wire/syslog_header.py`. Each takes
//! a message and an offset, and returns the offset behind the timestamp that stands there.

use crate::octets::{at_space_or_end, digits, is_space, literal, one_of, run};

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// `Mar 15 10:11:12`, with a year before the month, before or behind the clock, and a zone's name.
#[must_use]
pub fn bsd_timestamp(message: &[u8], at: usize) -> Option<usize> {
    let at = run(message, at, 1, |octet| octet == b'*' || octet == b'.');
    let at = digits(message, at, 4, 4).and_then(|at| literal(message, at, b" ")).unwrap_or(at);
    let month = message.get(at..at + 3)?;
    let at = MONTHS.iter().any(|name| name.eq_ignore_ascii_case(month)).then_some(at + 3)?;
    let at = literal(message, at, b" ")?;
    let at = digits(message, run(message, at, 1, |octet| octet == b' '), 1, 2)?;
    let at = literal(message, at, b" ")?;
    let at = digits(message, at, 4, 4).and_then(|at| literal(message, at, b" ")).unwrap_or(at);
    let at = clock(message, at)?;
    let year = year_behind(message, at);
    year.and_then(|at| zone_and_end(message, at)).or_else(|| zone_and_end(message, at))
}

/// `2021-03-15T10:11:12.345Z`, or with a space in it, an offset, or neither.
#[must_use]
pub fn iso_timestamp(message: &[u8], at: usize) -> Option<usize> {
    let at = literal(message, digits(message, at, 4, 4)?, b"-")?;
    let at = literal(message, digits(message, at, 2, 2)?, b"-")?;
    let at = one_of(message, digits(message, at, 2, 2)?, b"Tt ")?;
    let at = clock(message, at)?;
    iso_zone(message, at).filter(|&end| ends_stamp(message, end)).or_else(|| ends_stamp(message, at).then_some(at))
}

/// `1615803072.345`, before a space.
#[must_use]
pub fn epoch_timestamp(message: &[u8], at: usize) -> Option<usize> {
    let at = digits(message, at, 10, 10)?;
    let at = literal(message, at, b".").and_then(|at| digits(message, at, 1, 9)).unwrap_or(at);
    literal(message, at, b" ").map(|_| at)
}

fn clock(message: &[u8], at: usize) -> Option<usize> {
    let at = literal(message, digits(message, at, 1, 2)?, b":")?;
    let at = literal(message, digits(message, at, 2, 2)?, b":")?;
    let at = digits(message, at, 2, 2)?;
    Some(one_of(message, at, b".,").and_then(|at| digits(message, at, 1, 9)).unwrap_or(at))
}

/// White space, a colon or the end.
fn ends_stamp(message: &[u8], at: usize) -> bool {
    message.get(at).is_none_or(|&octet| is_space(octet) || octet == b':')
}

fn year_behind(message: &[u8], at: usize) -> Option<usize> {
    digits(message, literal(message, at, b" ")?, 4, 4).filter(|&end| ends_stamp(message, end))
}

/// A zone or none, a colon or none, then white space or the end: the twin's expression gives each of them back.
fn zone_and_end(message: &[u8], at: usize) -> Option<usize> {
    zone(message, at).and_then(|at| colon_and_end(message, at)).or_else(|| colon_and_end(message, at))
}

fn colon_and_end(message: &[u8], at: usize) -> Option<usize> {
    literal(message, at, b":")
        .filter(|&end| at_space_or_end(message, end))
        .or_else(|| at_space_or_end(message, at).then_some(at))
}

/// ` CEST` before a colon, ` UTC` or ` GMT` before a space.
fn zone(message: &[u8], at: usize) -> Option<usize> {
    let start = literal(message, at, b" ")?;
    let end = run(message, start, 6, |octet| octet.is_ascii_alphabetic());
    let name = &message[start..end];
    match message.get(end)? {
        b':' if (3..=5).contains(&name.len()) => Some(end),
        b' ' if name.eq_ignore_ascii_case(b"UTC") || name.eq_ignore_ascii_case(b"GMT") => Some(end),
        _ => None,
    }
}

fn iso_zone(message: &[u8], at: usize) -> Option<usize> {
    let at = run(message, at, 1, |octet| octet == b' ');
    if let Some(end) = one_of(message, at, b"Zz") {
        return Some(end);
    }
    let at = digits(message, one_of(message, at, b"+-")?, 2, 2)?;
    digits(message, run(message, at, 1, |octet| octet == b':'), 2, 2)
}
