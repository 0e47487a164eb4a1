//! Which layout JSON is in, and whether it may carry another message: all expressions of the twins in one pass over the
//! names of members. Twin of what the JSON layouts and `wire/json_carrier.py` say about beginnings.

use memchr::memchr_iter;

use super::detect::{Detected, Layout};
use super::payload::{from, run};
use crate::octets::is_space;

const MAX_SPACES: usize = 8;

/// What the member names in a JSON text say, wherever they stand.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "one for each expression of the twins")]
struct Marks {
    winlog: bool,
    winlogbeat_6: bool,
    data_6: bool,
    nxlog: bool,
    event_id: bool,
    record_id: bool,
    record_log: bool,
    gelf: bool,
    carries: bool,
}

/// Tell the layout of JSON, of which `head` is as much as is looked at.
#[must_use]
pub fn detect_json(head: &[u8]) -> Detected {
    let mut marks = Marks::default();
    let mut quotes = memchr_iter(b'"', head).peekable();
    while let Some(quote) = quotes.next() {
        let end = quotes.peek().copied();
        let name = head.get(quote + 1..end.unwrap_or(head.len())).unwrap_or_default();
        if name.starts_with(b"winlog.") {
            marks.winlog = true;
        }
        let Some(value) = end.and_then(|end| colon(head, end + 1)) else { continue };
        marks.note(name, from(head, value));
    }
    let layout = if marks.winlog || (marks.winlogbeat_6 && marks.data_6) {
        Some(Layout::WinlogbeatJson)
    } else if marks.nxlog {
        Some(Layout::NxlogJson)
    } else if marks.event_id || (marks.record_id && marks.record_log) {
        Some(Layout::FlatJson)
    } else {
        None
    };
    Detected { layout, may_carry: marks.carries || (marks.gelf && layout.is_none()) }
}

/// The place behind a colon, before which at most eight white space octets may stand.
fn colon(head: &[u8], at: usize) -> Option<usize> {
    let at = at + run(from(head, at), MAX_SPACES, is_space);
    (head.get(at) == Some(&b':')).then_some(at + 1)
}

impl Marks {
    /// Note a member: its name, and what follows its colon.
    fn note(&mut self, name: &[u8], rest: &[u8]) {
        match name {
            b"winlog" => self.winlog = true,
            b"source_name" | b"record_number" | b"beat" => self.winlogbeat_6 = true,
            b"type" => self.winlogbeat_6 |= text_value(rest).starts_with(b"wineventlog\""),
            b"event_data" | b"user_data" | b"log_name" => self.data_6 = true,
            b"SourceModuleType" | b"SourceModuleName" | b"EventReceivedTime" => self.nxlog = true,
            b"EventType" => self.nxlog |= text_value(rest).starts_with(b"AUDIT_"),
            b"Id" => self.record_id = true,
            b"ProviderName" | b"LogName" => self.record_log = true,
            b"short_message" => self.gelf = true,
            _ => {}
        }
        self.event_id |= is_event_id(name);
        self.carries |= carries(name, rest);
    }
}

/// What stands behind the quotation mark of a member's value; empty where it is no text.
fn text_value(rest: &[u8]) -> &[u8] {
    from(rest, run(rest, MAX_SPACES, is_space)).strip_prefix(b"\"").unwrap_or_default()
}

fn is_event_id(name: &[u8]) -> bool {
    let Some((event, rest)) = name.split_at_checked(5) else { return false };
    if !event.eq_ignore_ascii_case(b"event") {
        return false;
    }
    let rest = if let [b'_' | b' ', rest @ ..] = rest { rest } else { rest };
    rest.eq_ignore_ascii_case(b"id") || rest.eq_ignore_ascii_case(b"code")
}

/// Members that hold whole messages, in lower case.
const CARRIERS: [&[u8]; 18] = [
    b"original",
    b"xml",
    b"eventxml",
    b"raweventdata",
    b"message",
    b"msg",
    b"rawmsg",
    b"_raw",
    b"raw",
    b"rawevent",
    b"log",
    b"event",
    b"system",
    b"payload",
    b"body",
    b"data",
    b"full_message",
    b"short_message",
];

fn carries(name: &[u8], rest: &[u8]) -> bool {
    let last = match name.split_at_checked(6) {
        Some((prefix, last)) if prefix.eq_ignore_ascii_case(b"event.") => last,
        _ => name,
    };
    if last.len() < 3 || last.len() > 13 || !CARRIERS.iter().any(|carrier| last.eq_ignore_ascii_case(carrier)) {
        return false;
    }
    let mut text = text_value(rest);
    for _ in 0..8 {
        text = match text {
            [b' ', rest @ ..] | [b'\\', b'n' | b'r' | b't' | b'N' | b'R' | b'T', rest @ ..] => rest,
            _ => break,
        };
    }
    begins_a_message(text)
}

fn begins_a_message(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] = [b"\\u003c", b"CEF:", b"LEEF:", b"AgentDevice=", b"MSWinEventLog", b"RsaSA"];
    if matches!(text.first(), Some(b'<' | b'{')) {
        return true;
    }
    if BEGINNINGS.iter().any(|form| text.get(..form.len()).is_some_and(|begun| begun.eq_ignore_ascii_case(form))) {
        return true;
    }
    let digits = run(text, 5, |octet| octet.is_ascii_digit());
    if (1..=4).contains(&digits) {
        return matches!(text.get(digits), Some(b'/' | b'-'));
    }
    let letters = run(text, 33, |octet| octet.is_ascii_alphabetic());
    (2..=32).contains(&letters) && text.get(letters) == Some(&b'=')
}
