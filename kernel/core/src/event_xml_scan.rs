//! Event XML: finding an event's key without parsing the event. The scan rule is written in the readable twin,
//! `wire/event_xml_scan.py`.

use core::ops::Range;
use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memchr3, memmem};

use crate::octets::{behind, near, run, some};
use crate::syslog_payload::prefix_end;

/// Octets that are looked at from the event's start.
pub const WINDOW: usize = 4096;

const HEAD: usize = 512;
const CHANNEL_END: &[u8] = b"</Channel>";

/// The key of an event: where its texts stand in the payload, white space around them left out, and the ID's low 16 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScannedKey {
    /// The text of Channel.
    pub channel: Range<usize>,
    /// The Name of Provider; empty where it has none.
    pub provider: Range<usize>,
    /// The text of `EventID`, all its digits.
    pub event_id: Range<usize>,
    /// Its low 16 bits.
    pub number: u16,
}

/// The key of the first event in a payload, by the scan rule; None where only parsing can tell.
#[must_use]
pub fn scan_event_key(payload: &[u8]) -> Option<ScannedKey> {
    KeyScanner::default().scan(payload)
}

/// Scans one event after the other, and remembers how the last one began: events of one provider begin alike.
#[derive(Clone, Debug, Default)]
pub struct KeyScanner {
    beginning: Vec<u8>,
    provider: Range<usize>,
    /// The text of Channel and its end-tag.
    channel: Vec<u8>,
}

impl KeyScanner {
    /// [`scan_event_key`], whatever was scanned before.
    #[must_use]
    pub fn scan(&mut self, payload: &[u8]) -> Option<ScannedKey> {
        if !self.beginning.is_empty() && payload.starts_with(&self.beginning) {
            let window = &payload[..payload.len().min(WINDOW)];
            let event_id = id_text(window, self.beginning.len())?;
            let channel = match usual_channel(window, event_id.end) {
                Some(at) if window[at..].starts_with(&self.channel) => at..at + self.channel.len() - CHANNEL_END.len(),
                _ => first_channel(window, event_id.end)?,
            };
            return Some(ScannedKey::of(window, channel, self.provider.clone(), event_id));
        }
        let key = scan_from(payload, event_start(payload)?)?;
        if payload.starts_with(b"<Event")
            && key.provider.end < key.event_id.start
            && key.event_id.end < key.channel.start
        {
            self.beginning.clear();
            self.beginning.extend_from_slice(&payload[..key.event_id.start]);
            self.provider = key.provider.clone();
            self.channel.clear();
            self.channel.extend_from_slice(&payload[key.channel.clone()]);
            self.channel.extend_from_slice(CHANNEL_END);
        }
        Some(key)
    }
}

impl ScannedKey {
    fn of(window: &[u8], channel: Range<usize>, provider: Range<usize>, event_id: Range<usize>) -> Self {
        let number = low_16_bits(&window[event_id.clone()]);
        Self { channel, provider, event_id, number }
    }
}

/// The key of the event that begins at `start`.
fn scan_from(payload: &[u8], start: usize) -> Option<ScannedKey> {
    let window = &payload[..payload.len().min(start + WINDOW)];
    let (mut in_system, mut provider, mut event_id, mut channel) = (false, None, None, None);
    for tag in memchr_iter(b'<', &window[start + 1..]) {
        let name = start + tag + 2;
        let rest = &window[name..];
        match rest.first()? {
            b'!' => return None,
            b'S' if !in_system => {
                in_system = rest.starts_with(b"System>");
                continue;
            }
            _ if !in_system => continue,
            b'P' if provider.is_none() && begins(rest, b"Provider") => {
                provider = Some(scan_provider(window, name + b"Provider".len())?);
            }
            b'E' if event_id.is_none() && begins(rest, b"EventID") => {
                event_id = Some(scan_event_id(window, name + b"EventID".len())?);
            }
            b'C' if channel.is_none() && begins(rest, b"Channel") => {
                channel = Some(scan_channel(window, name + b"Channel".len())?);
            }
            b'/' if rest.starts_with(b"/System>") => return None,
            _ => continue,
        }
        if provider.is_some() && event_id.is_some() {
            let channel = match channel {
                Some(channel) => channel,
                None => first_channel(window, name)?,
            };
            return Some(ScannedKey::of(window, channel, provider?, event_id?));
        }
    }
    None
}

/// The text of the first Channel behind `at`, before which neither System ends nor a declaration, comment or CDATA section
/// begins.
fn first_channel(window: &[u8], at: usize) -> Option<Range<usize>> {
    let rest = &window[at..];
    let found = CHANNEL.find_iter(rest).find(|&found| ends_name(rest, found + b"<Channel".len()))?;
    let between = &rest[..found];
    if SYSTEM_END.find(between).is_some()
        || memchr_iter(b'!', between).any(|mark| mark > 0 && between[mark - 1] == b'<')
    {
        return None;
    }
    scan_channel(window, at + found + b"<Channel".len())
}

static CHANNEL: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"<Channel"));
static SYSTEM_END: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(b"</System>"));

/// Where the text of Channel begins, if what stands between it and the digits of `EventID` is what Windows writes there.
fn usual_channel(text: &[u8], at: usize) -> Option<usize> {
    let at = text_end(text, behind(text, at, b"</EventID><Version>")?)?;
    let at = text_end(text, behind(text, at, b"</Version><Level>")?)?;
    let at = text_end(text, behind(text, at, b"</Level><Task>")?)?;
    let at = text_end(text, behind(text, at, b"</Task><Opcode>")?)?;
    let at = text_end(text, behind(text, at, b"</Opcode><Keywords>")?)?;
    let at = value_end(text, behind(text, at, b"</Keywords><TimeCreated SystemTime='")?)?;
    let at = text_end(text, behind(text, at, b"'/><EventRecordID>")?)?;
    let at = behind(text, at, b"</EventRecordID><Correlation")?;
    let at = match behind(text, at, b" ActivityID='") {
        Some(at) => value_end(text, at)? + 1,
        None => at,
    };
    let at = value_end(text, behind(text, at, b"/><Execution ProcessID='")?)?;
    let at = value_end(text, behind(text, at, b"' ThreadID='")?)?;
    behind(text, at, b"'/><Channel>")
}

/// Where a text ends.
fn text_end(text: &[u8], at: usize) -> Option<usize> {
    near(text, at, b'<', b'<')
}

/// Where a value ends that holds no tag.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    near(text, at, b'\'', b'<').filter(|&found| text[found] == b'\'')
}

/// Whether a payload begins as event XML does; None for UTF-16 of anything, which only the twin reads.
#[must_use]
pub fn looks_like_event(payload: &[u8]) -> Option<bool> {
    if payload.starts_with(b"<Event") {
        return Some(true);
    }
    if is_utf_16(payload) {
        return None;
    }
    let head = &payload[..payload.len().min(HEAD)];
    let at = run(head, 0, HEAD, |octet| octet == b'?');
    let at = run(head, at, HEAD, |octet| matches!(octet, 0xef | 0xbb | 0xbf | b' ' | b'\t' | b'\r' | b'\n' | 0));
    let Some(rest) = head.get(at + 1..).filter(|_| head[at] == b'<') else { return Some(false) };
    let prefixed = prefix_end(rest, 0, HEAD).is_some_and(|colon| rest[colon + 1..].starts_with(b"Event"));
    Some(rest.starts_with(b"?xml") || rest.starts_with(b"Event") || prefixed)
}

/// Whether a payload is taken for UTF-16.
#[must_use]
pub fn is_utf_16(payload: &[u8]) -> bool {
    matches!(payload, [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'<', 0, ..] | [0, b'<', ..])
}

/// Where the first `<Event` stands that white space, `>` or `/` follows.
fn event_start(payload: &[u8]) -> Option<usize> {
    if payload.starts_with(b"<Event") && ends_name(payload, b"<Event".len()) {
        return Some(0);
    }
    memmem::find_iter(payload, b"<Event").find(|&at| ends_name(payload, at + b"<Event".len()))
}

fn ends_name(text: &[u8], at: usize) -> bool {
    text.get(at).is_some_and(|&octet| is_white(octet) || octet == b'/' || octet == b'>')
}

fn begins(rest: &[u8], name: &[u8]) -> bool {
    rest.starts_with(name) && ends_name(rest, name.len())
}

fn is_white(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

fn skip_white(text: &[u8], at: usize) -> usize {
    run(text, at, usize::MAX, is_white)
}

/// (name, value, behind it) of an attribute with the white space before it; its value holds neither `<` nor `&`.
fn attribute(text: &[u8], at: usize) -> Option<(Range<usize>, Range<usize>, usize)> {
    let start = some(text, at, 1, usize::MAX, is_white)?;
    let first = *text.get(start)?;
    if !first.is_ascii_alphabetic() && first != b'_' {
        return None;
    }
    let end = run(text, start, usize::MAX, |octet| octet.is_ascii_alphanumeric() || b"_.:-".contains(&octet));
    let equals = skip_white(text, end);
    let open = skip_white(text, equals + 1);
    let quote = *text.get(open).filter(|&&octet| text[equals] == b'=' && (octet == b'"' || octet == b'\''))?;
    let value = text.get(open + 1..)?;
    let len = memchr3(quote, b'<', b'&', value).filter(|&len| value[len] == quote)?;
    Some((start..end, open + 1..open + 1 + len, open + 2 + len))
}

/// The value of Name in a start-tag whose name ends at `at`.
fn scan_provider(text: &[u8], mut at: usize) -> Option<Range<usize>> {
    let (mut name, start) = (None, at);
    while let Some((key, value, end)) = attribute(text, at) {
        at = end;
        if name.is_none() && &text[key] == b"Name" {
            name = Some(value);
        }
    }
    let slash = run(text, skip_white(text, at), 1, |octet| octet == b'/');
    if !text[start..tag_end(text, slash)?].is_ascii() {
        return None;
    }
    Some(name.map_or(at..at, |name| trimmed(text, name)))
}

fn scan_event_id(text: &[u8], mut at: usize) -> Option<Range<usize>> {
    while let Some((_, _, end)) = attribute(text, at) {
        at = end;
    }
    id_text(text, skip_white(text, tag_end(text, skip_white(text, at))?))
}

/// A number at `start`, and behind it the end-tag.
fn id_text(text: &[u8], start: usize) -> Option<Range<usize>> {
    let end = some(text, start, 1, 10, |octet| octet.is_ascii_digit())?;
    text[skip_white(text, end)..].starts_with(b"</EventID>").then_some(start..end)
}

fn scan_channel(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = tag_end(text, at)?;
    let end = start + memchr(b'<', &text[start..])?;
    let content = &text[start..end];
    let sure = text[end..].starts_with(CHANNEL_END) && content.is_ascii() && memchr(b'&', content).is_none();
    sure.then(|| trimmed(text, start..end))
}

fn tag_end(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b'>')).then_some(at + 1)
}

/// The low 16 bits of a number of up to ten digits.
#[must_use]
pub fn low_16_bits(digits: &[u8]) -> u16 {
    let number = digits.iter().fold(0_u64, |sum, &digit| sum * 10 + u64::from(digit.wrapping_sub(b'0')));
    u16::try_from(number & 0xffff).unwrap_or_default()
}

/// A range of `text` without the white space around it.
#[must_use]
pub fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let start = skip_white(&text[..range.end], range.start);
    let last = text[start..range.end].iter().rposition(|&octet| !is_white(octet));
    start..last.map_or(start, |last| start + last + 1)
}
