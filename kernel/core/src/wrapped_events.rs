//! Events in a SOAP envelope that lie one behind the other in the same wrapping, a CDATA section in an element each: what
//! `wire/wef/envelope.py` needs to parse only once, whose parser judges the first one's wrapping for all of them.

use memchr::memmem;

use crate::octets::run;

const OPENING: &[u8] = b"<![CDATA[";
const CLOSING: &[u8] = b"]]>";
const MAX_WRAPPING: usize = 1024;

/// A run of events in one wrapping.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wrapped {
    /// start, end, start, end ... of what is in their CDATA sections; empty where there is no such run.
    pub spans: Vec<u32>,
    /// Behind the first event's end-tag.
    pub first_end: usize,
    /// Behind the last one's.
    pub last_end: usize,
}

/// Find the run that begins with the first CDATA section of an envelope: start-tag, section, end-tag, then at once the same
/// again, octet for octet but for the content.
#[must_use]
pub fn scan_wrapped_events(octets: &[u8]) -> Wrapped {
    scan(octets).unwrap_or_default()
}

fn scan(octets: &[u8]) -> Option<Wrapped> {
    u32::try_from(octets.len()).ok()?;
    let closing_finder = memmem::Finder::new(CLOSING);
    let section = memmem::find(octets, OPENING)?;
    let before = &octets[section.saturating_sub(MAX_WRAPPING)..section];
    let wrapping = &before[memchr::memrchr(b'<', before)?..];
    let name = &wrapping
        [1..run(wrapping, 1, usize::MAX, |octet| !matches!(octet, b' ' | b'\t' | b'\r' | b'\n' | b'>' | b'/'))];
    if wrapping.last() != Some(&b'>') || wrapping.ends_with(b"/>") || name.is_empty() {
        return None;
    }
    let opening = [wrapping, OPENING].concat();
    let closing = [b"]]></", name, b">"].concat();
    let mut found = Wrapped::default();
    let mut at = section - wrapping.len();
    while octets[at..].starts_with(&opening) {
        let start = at + opening.len();
        let Some(length) = closing_finder.find(&octets[start..]) else { break };
        if !octets[start + length..].starts_with(&closing) {
            break;
        }
        found.spans.extend([start, start + length].map(|offset| u32::try_from(offset).unwrap_or(u32::MAX)));
        found.last_end = start + length + closing.len();
        if found.first_end == 0 {
            found.first_end = found.last_end;
        }
        at = found.last_end;
    }
    Some(found)
}
