//! The highest `EventRecordID` that a batch holds of each computer's channels; the readable twin is
//! `listeners/wef/record_ids.py`.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use crate::octets::trim;

const WINDOW: usize = 4096;
const MAX_PAIRS: usize = 64;
const MAX_NAME: usize = 256;
const MAX_DIGITS: usize = 18;
const NAMES: [(&[u8], &[u8]); 3] =
    [(b"<EventRecordID>", b"</EventRecordID>"), (b"<Channel>", b"</Channel>"), (b"<Computer>", b"</Computer>")];

/// (computer, channel, its highest record ID) for no more than 64 pairs.
#[must_use]
pub fn highest_record_ids(buffer: &[u8], spans: &[u32]) -> Vec<(String, String, u64)> {
    let finders = NAMES.map(|(opening, closing)| (memmem::Finder::new(opening), closing));
    let mut highest: Vec<(String, String, u64)> = Vec::new();
    for span in spans.chunks_exact(2) {
        let (start, end) = (span[0] as usize, span[1] as usize);
        let (head, behind) = (buffer.get(start..end.min(start + WINDOW)), buffer.get(start..));
        let (Some(head), Some(behind)) = (head, behind) else { continue };
        let [number, channel, computer] = [0, 1, 2].map(|at| text(&finders[at], head, behind));
        let Some(number) = parse_number(number).filter(|_| !channel.is_empty() && !computer.is_empty()) else {
            continue;
        };
        let pair = [computer, channel].map(String::from_utf8_lossy);
        let known = highest.iter().position(|(computer, channel, _)| *computer == pair[0] && *channel == pair[1]);
        match known {
            Some(at) => highest[at].2 = highest[at].2.max(number),
            None if highest.len() < MAX_PAIRS => {
                let [computer, channel] = pair.map(Cow::into_owned);
                highest.push((computer, channel, number));
            }
            None => {}
        }
    }
    highest
}

/// The text of the first element of a tag in an event's beginning; empty where there is none, or more in it than text.
fn text<'a>(tag: &(memmem::Finder<'_>, &[u8]), head: &'a [u8], behind: &[u8]) -> &'a [u8] {
    let (opening, closing) = tag;
    let Some(start) = opening.find(head).map(|at| at + opening.needle().len()) else { return &[] };
    let content = &head[start..head.len().min(start + MAX_NAME + 1)];
    match memchr(b'<', content) {
        Some(end) if behind[start + end..].starts_with(closing) => trim(&content[..end]),
        _ => &[],
    }
}

fn parse_number(text: &[u8]) -> Option<u64> {
    let is_number = (1..=MAX_DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}
