//! Where a syslog header ends and its payload begins (RFC 5424 section 6, RFC 3164 section 4); the readable twin is
//! `wire/syslog_header.py`, of which this keeps what a verdict depends on. What only looks like a priority or a version is
//! left to the twin.

use crate::octets::{at_space_or_end, behind, digits, is_space, literal, one_of, run, run_of_text, some};
use crate::syslog_payload::{begins, skip_white};
use crate::syslog_stamp::{bsd_timestamp, epoch_timestamp, iso_timestamp};

const MAX_PRI: u16 = 191;
const MAX_DEPTH: usize = 3;
const MAX_TAG_WORDS: usize = 4;
const TOKENS_5424: usize = 4;
const MAX_TOKEN: usize = 256;
const BOM: &[u8] = b"\xef\xbb\xbf";
const CEE_COOKIE: &[u8] = b"@cee:";

/// What stood before the payload, as far as a verdict depends on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Octet of the message at which the payload begins.
    pub payload_start: usize,
    /// Whether any header stood there at all.
    pub headed: bool,
    /// How often `bad-pri` is among the defects.
    pub bad_pri: usize,
    /// How often `bad-structured-data` is among them.
    pub bad_structured_data: usize,
}

/// Find where the payload of `message` begins; None where only the twin knows.
#[must_use]
pub fn parse_header(message: &[u8]) -> Option<Header> {
    if let Some(header) = usual_header(message) {
        return Some(header);
    }
    let mut reader = Reader { message, at: 0, relayed: false, found: Header::default() };
    for depth in 0..MAX_DEPTH {
        reader.skip_to_text();
        if reader.at_payload() || (depth > 0 && !(reader.relayed || pri(message, reader.at).is_some())) {
            break;
        }
        let before = reader.at;
        let had_pri = reader.take_pri(depth == 0)?;
        if let Some(end) = version(message, reader.at).filter(|_| had_pri) {
            reader.take(end, false);
            reader.rfc5424();
        } else if had_pri && literal(message, reader.at, b"1 ").is_some() {
            return None;
        } else {
            reader.rfc3164(had_pri);
        }
        if reader.at == before {
            break;
        }
    }
    reader.skip_to_text();
    reader.found.payload_start = reader.at;
    Some(reader.found)
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID - `, a single space behind each field, before a payload that is known: what
/// most senders write, read without looking for anything else.
fn usual_header(message: &[u8]) -> Option<Header> {
    let (at, priority) = pri(message, 0)?;
    let mut at = behind(message, at, b"1 ")?;
    literal(message, digits(message, at, 4, 4)?, b"-")?;
    for name in 0..=TOKENS_5424 {
        if name > 0 && begins(message, at) {
            return None;
        }
        let end = run_of_text(message, at, MAX_TOKEN);
        if end == at || message.get(end) != Some(&b' ') {
            return None;
        }
        at = end + 1;
    }
    let payload_start = behind(message, at, b"- ").filter(|&at| begins(message, at))?;
    Some(Header { payload_start, headed: true, bad_pri: usize::from(priority > MAX_PRI), bad_structured_data: 0 })
}

/// Walks a message from the left: `at` is the first octet that no field has taken, `relayed` whether the last field was one
/// behind which a relay leaves the sender's header.
struct Reader<'a> {
    message: &'a [u8],
    at: usize,
    relayed: bool,
    found: Header,
}

impl Reader<'_> {
    fn take(&mut self, end: usize, relayed: bool) {
        self.at = end;
        self.relayed = relayed;
        self.found.headed = true;
    }

    fn take_if(&mut self, end: Option<usize>, relayed: bool) -> bool {
        if let Some(end) = end {
            self.take(end, relayed);
        }
        end.is_some()
    }

    fn skip(&mut self, end: Option<usize>) {
        self.at = end.unwrap_or(self.at);
    }

    fn skip_spaces(&mut self) {
        self.at = run(self.message, self.at, usize::MAX, |octet| octet == b' ' || octet == b'\t');
    }

    fn skip_to_text(&mut self) {
        self.at = skip_white(self.message, self.at);
        if let Some(end) = literal(self.message, self.at, BOM) {
            self.at = skip_white(self.message, end);
        }
    }

    fn at_payload(&self) -> bool {
        self.at >= self.message.len() || begins(self.message, self.at)
    }

    /// A second TIMESTAMP, which a relay's header stands before.
    fn at_stamp(&self) -> bool {
        bsd_timestamp(self.message, self.at).or_else(|| iso_timestamp(self.message, self.at)).is_some()
    }

    /// Whether a PRI stood here; None for what only looks like one, where that would be taken for it.
    fn take_pri(&mut self, tolerant: bool) -> Option<bool> {
        let Some((end, priority)) = pri(self.message, self.at) else {
            let odd = literal(self.message, self.at, b"<")
                .is_some_and(|at| one_of(self.message, at, b"->0123456789").is_some());
            return (!tolerant || !odd).then_some(false);
        };
        self.take(end, false);
        self.found.bad_pri += usize::from(priority > MAX_PRI);
        Some(true)
    }

    fn rfc5424(&mut self) {
        self.take_if(token(self.message, self.at), true);
        for name in 0..TOKENS_5424 {
            self.skip_spaces();
            if self.at_payload() || !self.take_if(token(self.message, self.at), name == 0) {
                return;
            }
        }
        self.skip_spaces();
        if self.at_payload() {
            return;
        }
        if !self.take_if(structured_data(self.message, self.at), false) && begins_parameter(self.message, self.at) {
            self.found.bad_structured_data += 1;
        }
    }

    fn rfc3164(&mut self, had_pri: bool) {
        self.skip_spaces();
        let mut stamped =
            self.take_if(bsd_timestamp(self.message, self.at).or_else(|| iso_timestamp(self.message, self.at)), true);
        if !stamped && !had_pri {
            self.take_if(snare_host(self.message, self.at), true);
            return;
        }
        stamped = stamped || self.take_if(epoch_timestamp(self.message, self.at), true);
        self.skip_to_text();
        if stamped && !self.at_payload() && !self.at_stamp() && pri(self.message, self.at).is_none() {
            self.take_if(hostname(self.message, self.at), true);
            self.skip_to_text();
        }
        if !self.at_payload() && !self.at_stamp() {
            self.skip(literal(self.message, self.at, CEE_COOKIE));
            self.tag();
            self.skip_spaces();
            self.skip(literal(self.message, self.at, CEE_COOKIE));
        }
    }

    /// Take `app[pid]:`; before a payload that is known also one bare word, or a few that end in `[pid]:`.
    fn tag(&mut self) {
        let message = self.message;
        let ends =
            |&end: &usize| message.get(end).is_none_or(|octet| b" \t\r\n".contains(octet)) || begins(message, end);
        if self.take_if(tag(message, self.at).filter(ends), false) {
            return;
        }
        let mut at = self.at;
        for words in 0..MAX_TAG_WORDS {
            let Some((end, has_process)) = tag_word(message, at) else { return };
            at = end;
            if begins(message, at) {
                if words == 0 || has_process {
                    self.take(at, false);
                }
                return;
            }
        }
    }
}

/// (end, number) of `<13>`.
fn pri(message: &[u8], at: usize) -> Option<(usize, u16)> {
    let start = literal(message, at, b"<")?;
    let end = digits(message, start, 1, 3)?;
    let number = message[start..end].iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    literal(message, end, b">").map(|end| (end, number))
}

fn version(message: &[u8], at: usize) -> Option<usize> {
    let end = digits(message, at, 1, 3).filter(|_| message[at] != b'0')?;
    let end = some(message, end, 1, usize::MAX, |octet| octet == b' ')?;
    let nil = literal(message, end, b"-").is_some_and(|at| message.get(at).is_none_or(|&octet| octet == b' '));
    let dated = digits(message, end, 4, 4).and_then(|at| literal(message, at, b"-")).is_some();
    (nil || dated).then_some(end)
}

fn token(message: &[u8], at: usize) -> Option<usize> {
    let end = run_of_text(message, at, MAX_TOKEN);
    (end > at && (at_space_or_end(message, end) || message[end] == 0)).then_some(end)
}

fn is_host(octet: u8) -> bool {
    !is_space(octet) && !b"\0[]{}<>|=,\"\\".contains(&octet)
}

fn hostname(message: &[u8], at: usize) -> Option<usize> {
    let end = some(message, at, 1, 255, is_host)?;
    (message[end - 1] != b':' && (at_space_or_end(message, end) || message[end] == 0)).then_some(end)
}

fn snare_host(message: &[u8], at: usize) -> Option<usize> {
    let end = literal(message, some(message, at, 1, 255, is_host)?, b"\t")?;
    literal(message, end, b"MSWinEventLog\t").map(|_| end)
}

fn is_tag_word(octet: u8) -> bool {
    !is_space(octet) && !b"\0[]{}<>|=\"".contains(&octet)
}

/// Behind `[123]`, whatever it holds.
fn process(message: &[u8], at: usize) -> Option<usize> {
    let at = literal(message, at, b"[")?;
    literal(message, run(message, at, 64, |octet| octet != b']' && !is_space(octet)), b"]")
}

fn tag(message: &[u8], at: usize) -> Option<usize> {
    let end = some(message, at, 1, 64, |octet| is_tag_word(octet) && octet != b':')?;
    match process(message, end) {
        Some(end) => Some(run(message, end, 1, |octet| octet == b':')),
        None => literal(message, end, b":"),
    }
}

/// (behind a word and the space after it, whether it ended in `[pid]:`).
fn tag_word(message: &[u8], at: usize) -> Option<(usize, bool)> {
    let end = some(message, at, 1, 64, is_tag_word)?;
    let process = process(message, end).and_then(|end| literal(message, end, b":"));
    literal(message, process.unwrap_or(end), b" ").map(|end| (end, process.is_some()))
}

fn is_sd_name(octet: u8) -> bool {
    !is_space(octet) && !b"=]\"[".contains(&octet)
}

/// `[SD-ID`.
fn sd_id(message: &[u8], at: usize) -> Option<usize> {
    some(message, literal(message, at, b"[")?, 1, usize::MAX, is_sd_name)
}

/// ` PARAM-NAME="`.
fn sd_param_start(message: &[u8], at: usize) -> Option<usize> {
    let at = some(message, at, 1, usize::MAX, |octet| octet == b' ')?;
    let at = literal(message, some(message, at, 1, usize::MAX, is_sd_name)?, b"=")?;
    literal(message, run(message, at, 1, |octet| octet == b' '), b"\"")
}

fn sd_param(message: &[u8], at: usize) -> Option<usize> {
    let mut at = sd_param_start(message, at)?;
    loop {
        at = match message.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => message.get(at + 1).map(|_| at + 2)?,
            _ => at + 1,
        };
    }
}

fn sd_element(message: &[u8], at: usize) -> Option<usize> {
    let mut at = sd_id(message, at)?;
    while let Some(end) = sd_param(message, at) {
        at = end;
    }
    literal(message, run(message, at, usize::MAX, |octet| octet == b' '), b"]")
}

fn structured_data(message: &[u8], at: usize) -> Option<usize> {
    if let Some(end) = literal(message, at, b"-").filter(|&end| at_space_or_end(message, end)) {
        return Some(end);
    }
    let mut at = sd_element(message, at)?;
    while let Some(end) = sd_element(message, at) {
        at = end;
    }
    Some(at)
}

/// Structured data that was begun, and didn't end.
fn begins_parameter(message: &[u8], at: usize) -> bool {
    sd_id(message, at).and_then(|at| sd_param_start(message, at)).is_some()
}
