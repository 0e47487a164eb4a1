//! Which layout a payload is in, by its content alone. Twin of `wire/layouts/detect.py`, and of what every text layout says
//! about its beginning.

use memchr::memmem;

use super::detect_json::detect_json;
use super::payload::{from, is_white, run, without_bom};

const HEAD: usize = 256;
const SPLUNK_HEAD: usize = 4096;
const CLASSIC_HEAD: usize = 2048;
const JSON_HEAD: usize = 64 * 1024;
const MAX_SPACES: usize = 8;

/// The layouts, as `wire/layouts/detect.py` orders them; event XML is told before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// RSA Security Analytics.
    Rsa,
    /// `ArcSight` CEF.
    Cef,
    /// `QRadar`.
    Qradar,
    /// Splunk, key=value.
    Splunk,
    /// IBM LEEF.
    Leef,
    /// Snare's `MSWinEventLog`.
    Snare,
    /// Splunk's classic text.
    SplunkClassic,
    /// Winlogbeat.
    WinlogbeatJson,
    /// `NXLog`.
    NxlogJson,
    /// Any other JSON of an event.
    FlatJson,
}

impl Layout {
    /// `metadata.log_format` of its records.
    #[must_use]
    pub fn log_format(self) -> &'static [u8] {
        match self {
            Self::WinlogbeatJson | Self::NxlogJson | Self::FlatJson => b"JSON",
            _ => b"syslog",
        }
    }
}

/// What was told about a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detected {
    /// The layout, if there is one.
    pub layout: Option<Layout>,
    /// Whether the payload is JSON that may carry another message, which only reading can tell.
    pub may_carry: bool,
}

/// Tell the layout of a payload that isn't event XML.
#[must_use]
pub fn detect(payload: &[u8]) -> Detected {
    match payload.first() {
        Some(b'{') => detect_json(payload.get(..JSON_HEAD).unwrap_or(payload)),
        Some(b'C') if payload.starts_with(b"CEF:") => Detected { layout: Some(Layout::Cef), may_carry: false },
        _ => Detected { layout: detect_text(payload), may_carry: false },
    }
}

fn detect_text(payload: &[u8]) -> Option<Layout> {
    let head = without_bom(payload.get(..HEAD).unwrap_or(payload));
    let begun = from(head, run(head, HEAD, is_white));
    let classic = || starts_as_splunk_classic(payload).then_some(Layout::SplunkClassic);
    if begun.strip_prefix(b"RsaSA").is_some_and(|rest| RSA_SEPARATORS.iter().any(|form| rest.starts_with(form))) {
        return Some(Layout::Rsa);
    }
    if begun.starts_with(b"CEF:") {
        return Some(Layout::Cef);
    }
    let short = without_bom(payload.get(..64).unwrap_or(payload));
    if from(short, run(short, HEAD, is_white)).starts_with(b"AgentDevice=") {
        return Some(Layout::Qradar);
    }
    if starts_as_splunk(payload.get(..SPLUNK_HEAD).unwrap_or(payload)) {
        return Some(Layout::Splunk);
    }
    if let Some(rest) = payload.strip_prefix(b"LEEF:") {
        let digit = usize::from(rest.first() == Some(&b' '));
        return if rest.get(digit).is_some_and(u8::is_ascii_digit) { Some(Layout::Leef) } else { classic() };
    }
    if payload
        .strip_prefix(b"MSWinEventLog")
        .is_some_and(|rest| SNARE_DELIMITERS.iter().any(|form| rest.starts_with(form)))
    {
        return Some(Layout::Snare);
    }
    classic()
}

const RSA_SEPARATORS: [&[u8]; 6] = [b"\n", b"\r\n", b"\\n", b"\\r\\n", b"#012", b"#015#012"];
const SNARE_DELIMITERS: [&[u8]; 10] = [b"\t", b" ", b",", b";", b"|", b"#011", b"\\t", b"\\x09", b"^I", b"<009>"];

/// Twin of `wire/layouts/splunk.py`, `starts`.
fn starts_as_splunk(head: &[u8]) -> bool {
    let mut at = head.len() - without_bom(head).len();
    at += cim_line(from(head, at));
    loop {
        let rest = from(head, at);
        at += match rest {
            [b'\\', b'r' | b'n', ..] => 2,
            [b' ' | b'\t' | b'\r' | b'\n' | b'\\', ..] => 1,
            [b'#', b'0', b'1', b'2' | b'5', ..] => 4,
            _ => break,
        };
    }
    let name = from(head, at);
    let letters = run(name, 33, |octet| octet.is_ascii_alphabetic());
    (2..=32).contains(&letters)
        && name.first().is_some_and(u8::is_ascii_uppercase)
        && name.get(letters) == Some(&b'=')
        && memmem::find(head, b"EventCode=").is_some()
        && memmem::find(head, b"Logfile=").is_some()
}

/// The length of a CIM datetime that is all of a line, 0 where none stands here.
fn cim_line(octets: &[u8]) -> usize {
    if run(octets, 15, |octet| octet.is_ascii_digit()) != 14 || octets.get(14) != Some(&b'.') {
        return 0;
    }
    if run(from(octets, 15), 6, |octet| octet.is_ascii_digit()) != 6 {
        return 0;
    }
    let mut at = 21;
    if matches!(octets.get(at), Some(b'+' | b'-')) && run(from(octets, at + 1), 3, |octet| octet.is_ascii_digit()) == 3
    {
        at += 4;
    }
    at += run(from(octets, at), MAX_SPACES, |octet| matches!(octet, b' ' | b'\t'));
    if matches!(octets.get(at), None | Some(b'\r' | b'\n')) { at } else { 0 }
}

/// Twin of `wire/layouts/splunk_classic.py`, `starts`.
fn starts_as_splunk_classic(payload: &[u8]) -> bool {
    let keyed = [b"LogName=".as_slice(), b"EventCode=", b"SourceName="].iter().any(|key| payload.starts_with(key));
    let head = payload.get(..CLASSIC_HEAD).unwrap_or(payload);
    (keyed || dated(payload)) && holds_key(head, b"LogName=") && holds_key(head, b"EventCode=")
}

/// Whether a payload begins with a date line of classic Splunk.
#[must_use]
pub fn dated(payload: &[u8]) -> bool {
    date_line(payload).is_some()
}

fn date_line(octets: &[u8]) -> Option<()> {
    let digits = |at: usize, most: usize| match run(from(octets, at), most + 1, |octet| octet.is_ascii_digit()) {
        found if (1..=most).contains(&found) => Some(at + found),
        _ => None,
    };
    let one_of =
        |at: usize, which: [u8; 2]| octets.get(at).is_some_and(|octet| which.contains(octet)).then_some(at + 1);
    let mut at = digits(0, 4)?;
    at = digits(one_of(at, *b"/-")?, 2)?;
    at = digits(one_of(at, *b"/-")?, 4)?;
    at = digits(one_of(at, *b" T")?, 2)?;
    for _ in 0..2 {
        let start = one_of(at, *b"::")?;
        at = start + run(from(octets, start), 2, |octet| octet.is_ascii_digit());
        (at == start + 2).then_some(())?;
    }
    for _ in 0..=24 {
        let rest = from(octets, at);
        if line_end(rest).is_some_and(|end| is_key(from(rest, end))) {
            return Some(());
        }
        if matches!(rest.first(), None | Some(b'\r' | b'\n' | b'#' | b'=')) {
            return None;
        }
        at += 1;
    }
    None
}

/// The length of what ends a date line, whichever spelling.
fn line_end(octets: &[u8]) -> Option<usize> {
    let breaks = |at: usize| match run(from(octets, at), 5, |octet| matches!(octet, b'\r' | b'\n')) {
        5 => None,
        more => Some(at + more),
    };
    match octets {
        [b'\n', ..] => breaks(1),
        [b'\r', b'\n', ..] => breaks(2),
        [b' ', ..] => Some(1),
        _ if octets.starts_with(b"#015#012") => Some(8),
        _ if octets.starts_with(b"#012") => Some(4),
        _ => None,
    }
}

fn is_key(octets: &[u8]) -> bool {
    let letters = run(octets, 21, |octet| octet.is_ascii_alphabetic());
    (2..=20).contains(&letters) && octets.get(letters) == Some(&b'=')
}

/// Whether a key stands at the beginning, or behind a line's end or a space.
fn holds_key(head: &[u8], key: &[u8]) -> bool {
    memmem::find_iter(head, key).any(|at| {
        let before = head.get(..at).unwrap_or_default();
        matches!(before.last(), None | Some(b'\n' | b' ')) || before.ends_with(b"#012")
    })
}
