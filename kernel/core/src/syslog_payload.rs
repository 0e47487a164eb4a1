//! How the payloads begin that a syslog message carries to us; the readable twin is `wire/syslog_payload.py`.

use crate::octets::{at_space_or_end, digits, is_space, literal, one_of, run};

const DATED_KEYS: [&[u8]; 3] = [b"LogName=", b"SourceName=", b"EventCode="];
const SNARE_BREAKS: [&[u8]; 10] = [b"\t", b" ", b",", b";", b"|", b"\r", b"\n", b"#011", b"\\t", b"\\x09"];
const SNARE_ESCAPES: [&[u8]; 2] = [b"^I", b"<009>"];

/// Behind white space and NUL.
#[must_use]
pub fn skip_white(message: &[u8], at: usize) -> usize {
    run(message, at, usize::MAX, |octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | 0))
}

/// Whether a payload that one of the layouts may understand begins at `at`.
#[must_use]
pub fn begins(message: &[u8], at: usize) -> bool {
    let Some(&first) = message.get(at) else { return false };
    match first {
        b'<' => begins_xml(message, at),
        b'{' => begins_json(message, at),
        b'0'..=b'9' => begins_dated(message, at),
        b'A' => begins_any(message, at, &[b"AgentDevice="]),
        b'C' => begins_format(message, at, b"CEF:") || begins_any(message, at, &[b"ComputerName="]),
        b'E' => begins_any(message, at, &[b"EventCode=", b"EventType="]),
        b'K' => begins_any(message, at, &[b"Keywords="]),
        b'L' => begins_format(message, at, b"LEEF:") || begins_any(message, at, &[b"LogName=", b"Logfile="]),
        b'M' => begins_snare(message, at) || begins_any(message, at, &[b"Message="]),
        b'O' => begins_any(message, at, &[b"OpCode="]),
        b'R' => begins_rsa(message, at) || begins_any(message, at, &[b"RecordNumber="]),
        b'S' => begins_any(message, at, &[b"SourceName=", b"Sid=", b"SidType="]),
        b'T' => begins_any(message, at, &[b"TimeGenerated=", b"Type=", b"TaskCategory="]),
        b'U' => begins_any(message, at, &[b"User="]),
        _ => false,
    }
}

fn begins_any(message: &[u8], at: usize, keys: &[&[u8]]) -> bool {
    keys.iter().any(|key| literal(message, at, key).is_some())
}

fn begins_format(message: &[u8], at: usize, name: &[u8]) -> bool {
    literal(message, at, name)
        .is_some_and(|at| digits(message, run(message, at, 1, |octet| octet == b' '), 1, 1).is_some())
}

fn begins_rsa(message: &[u8], at: usize) -> bool {
    literal(message, at, b"RsaSA").is_some_and(|at| message.get(at).is_none_or(|octet| b"\r\n\\ ".contains(octet)))
}

fn begins_snare(message: &[u8], at: usize) -> bool {
    literal(message, at, b"MSWinEventLog").is_some_and(|at| {
        at == message.len()
            || SNARE_BREAKS.iter().chain(&SNARE_ESCAPES).any(|text| literal(message, at, text).is_some())
    })
}

fn begins_json(message: &[u8], at: usize) -> bool {
    let at = run(message, at + 1, 64, |octet| matches!(octet, b' ' | b'\t' | b'\n' | b'\r'));
    message.get(at).is_none_or(|&octet| octet == b'"')
}

fn begins_xml(message: &[u8], at: usize) -> bool {
    if let Some(at) = literal(message, at, b"<?xml") {
        return message.get(at).is_some_and(|&octet| is_space(octet));
    }
    let name = at + 1;
    if begins_event(message, name) {
        return true;
    }
    let Some(colon) = prefix_end(message, name, 31) else { return false };
    begins_event(message, colon + 1)
}

fn begins_event(message: &[u8], at: usize) -> bool {
    let Some(at) = literal(message, at, b"Event") else { return false };
    let at = run(message, at, 1, |octet| octet == b's');
    at_space_or_end(message, at) || one_of(message, at, b"/>").is_some()
}

/// Where the colon of a namespace prefix stands that begins at `at`, its first octet followed by at most `max` more.
#[must_use]
pub fn prefix_end(message: &[u8], at: usize, max: usize) -> Option<usize> {
    let first = *message.get(at)?;
    if !first.is_ascii_alphabetic() && first != b'_' {
        return None;
    }
    let end = run(message, at + 1, max, |octet| octet.is_ascii_alphanumeric() || b"_.-".contains(&octet));
    (message.get(end) == Some(&b':')).then_some(end)
}

/// `DATE_LINE`, `FLAT_DATE`, `ISO_LINE`, `CIM_LINE` of the twin: which of them is told by the octet behind the first digits.
fn begins_dated(message: &[u8], at: usize) -> bool {
    match run(message, at, 15, |octet| octet.is_ascii_digit()) - at {
        1 | 2 => begins_date_line(message, at),
        4 => begins_iso_line(message, at).is_some(),
        14 => begins_cim_line(message, at).is_some_and(|at| ends_line(message, at)),
        _ => false,
    }
}

fn begins_date_line(message: &[u8], at: usize) -> bool {
    let Some(at) = date_time(message, at) else { return false };
    let half = literal(message, at, b" ").and_then(|at| one_of(message, at, b"AaPp"));
    let at = half.and_then(|at| one_of(message, at, b"Mm")).unwrap_or(at);
    ends_line(message, at) || flat_break(message, at).is_some_and(|at| literal(message, at, b"LogName=").is_some())
}

fn date_time(message: &[u8], at: usize) -> Option<usize> {
    let at = literal(message, digits(message, at, 1, 2)?, b"/")?;
    let at = literal(message, digits(message, at, 1, 2)?, b"/")?;
    let at = literal(message, digits(message, at, 4, 4)?, b" ")?;
    let at = literal(message, digits(message, at, 1, 2)?, b":")?;
    let at = literal(message, digits(message, at, 2, 2)?, b":")?;
    let at = digits(message, at, 2, 2)?;
    Some(literal(message, at, b".").and_then(|at| digits(message, at, 1, 9)).unwrap_or(at))
}

fn flat_break(message: &[u8], at: usize) -> Option<usize> {
    literal(message, at, b" ").or_else(|| literal(message, at, b"#015#012")).or_else(|| literal(message, at, b"#012"))
}

fn begins_iso_line(message: &[u8], at: usize) -> Option<()> {
    let at = literal(message, digits(message, at, 4, 4)?, b"-")?;
    let at = literal(message, digits(message, at, 2, 2)?, b"-")?;
    let at = one_of(message, digits(message, at, 2, 2)?, b" T")?;
    let at = literal(message, digits(message, at, 2, 2)?, b":")?;
    let at = literal(message, digits(message, at, 2, 2)?, b":")?;
    let at = run(message, digits(message, at, 2, 2)?, 16, |octet| !is_space(octet) && octet != b'=');
    let at = literal(message, run(message, at, 1, |octet| octet == b'\r'), b"\n")?;
    DATED_KEYS.iter().find_map(|key| literal(message, at, key)).map(|_| ())
}

fn begins_cim_line(message: &[u8], at: usize) -> Option<usize> {
    let at = literal(message, digits(message, at, 14, 14)?, b".")?;
    let at = digits(message, at, 6, 6)?;
    Some(one_of(message, at, b"+-").and_then(|at| digits(message, at, 3, 3)).unwrap_or(at))
}

/// At most eight spaces or TABs, then a line's end or the message's.
fn ends_line(message: &[u8], at: usize) -> bool {
    let at = run(message, at, 8, |octet| octet == b' ' || octet == b'\t');
    message.get(at).is_none_or(|&octet| octet == b'\r' || octet == b'\n')
}
