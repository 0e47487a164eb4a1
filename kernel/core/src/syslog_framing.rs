//! Syslog stream framing (RFC 6587). The specification is the readable twin, `wire/syslog_framing.py`; what a position, a
//! skip or a rule means is written there.

use memchr::memchr2_iter;

const MAX_LENGTH_DIGITS: usize = 7;

/// Why a stream can't be followed, by the names that `wire/syslog_framing.py` gives the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// A message without MSG-LEN on an octet-counted connection.
    MixedFraming,
    /// MSG-LEN isn't a number without leading zero, ended by SP.
    Syntax,
    /// MSG-LEN has too many digits.
    Digits,
}

impl Rule {
    /// The rule's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MixedFraming => "mixed-framing",
            Self::Syntax => "msg-len-syntax",
            Self::Digits => "msg-len-digits",
        }
    }
}

/// What one pass over an octet-counted buffer found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// start, end, start, end ... of whole messages.
    pub spans: Vec<u32>,
    /// Octets that need not be presented again.
    pub consumed: usize,
    /// Octets of an oversize message that are still to come.
    pub skip: usize,
    /// Messages longer than the limit.
    pub oversize: usize,
    /// The rule broken at `consumed`, if the stream can't be followed from there.
    pub broken: Option<Rule>,
}

/// What one pass over a non-transparently framed buffer found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Trailed {
    /// start, end, start, end ... of whole messages.
    pub spans: Vec<u32>,
    /// Octets that need not be presented again.
    pub consumed: usize,
    /// Whether the end of an oversize line is still to come.
    pub skipping: bool,
    /// Messages longer than the limit.
    pub oversize: usize,
}

/// Find the whole messages of an octet-counted buffer (section 3.4.1), passing over its first `skip` octets.
#[must_use]
pub fn scan_counted(buffer: &[u8], skip: usize, max_message: usize) -> Counted {
    let mut found = Counted::default();
    let mut at = skip;
    while let Some(&octet) = buffer.get(at) {
        if matches!(octet, b'\n' | b'\r' | 0) {
            at += 1;
            continue;
        }
        let (start, length) = match message_start(buffer, at) {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(rule) => {
                found.broken = Some(rule);
                break;
            }
        };
        let end = start + length;
        if length > max_message {
            found.oversize += 1;
        } else if end > buffer.len() {
            break;
        } else {
            push(&mut found.spans, start, without_line_end(buffer, start, end));
        }
        at = end;
    }
    found.consumed = at.min(buffer.len());
    found.skip = at - found.consumed;
    found
}

/// The offset just past `MSG-LEN SP` and MSG-LEN itself, or None while its SP hasn't arrived.
fn message_start(buffer: &[u8], at: usize) -> Result<Option<(usize, usize)>, Rule> {
    let window = &buffer[at..buffer.len().min(at + MAX_LENGTH_DIGITS + 1)];
    let space = window.iter().position(|&octet| octet == b' ');
    let digits = &window[..space.unwrap_or(window.len())];
    if digits.first() == Some(&b'<') {
        return Err(Rule::MixedFraming);
    }
    if digits.is_empty() || digits[0] == b'0' || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Rule::Syntax);
    }
    if digits.len() > MAX_LENGTH_DIGITS {
        return Err(Rule::Digits);
    }
    let length = digits.iter().fold(0, |sum, &digit| sum * 10 + usize::from(digit - b'0'));
    Ok(space.map(|space| (at + space + 1, length)))
}

/// Find the whole messages of a non-transparently framed buffer (section 3.4.2), whose first `searched` octets hold no
/// trailer; `skipping` where it begins inside an oversize line.
#[must_use]
pub fn scan_trailed(buffer: &[u8], mut skipping: bool, searched: usize, max_message: usize) -> Trailed {
    let mut found = Trailed::default();
    let searched = searched.min(buffer.len());
    let mut at = 0;
    for trailer in memchr2_iter(b'\n', 0, &buffer[searched..]) {
        let end = searched + trailer;
        if skipping {
            skipping = false;
        } else if end - at > max_message {
            found.oversize += 1;
        } else {
            let line_end = if buffer[end] == b'\n' { without_cr(buffer, at, end) } else { end };
            push(&mut found.spans, at, line_end);
        }
        at = end + 1;
    }
    if !skipping && buffer.len() - at > max_message {
        found.oversize += 1;
        skipping = true;
    }
    found.consumed = if skipping { buffer.len() } else { at };
    found.skipping = skipping;
    found
}

/// The end of a counted message without the LF or CR LF that its sender counted in.
fn without_line_end(buffer: &[u8], start: usize, end: usize) -> usize {
    if buffer[start..end].last() == Some(&b'\n') { without_cr(buffer, start, end - 1) } else { end }
}

fn without_cr(buffer: &[u8], start: usize, end: usize) -> usize {
    if buffer[start..end].last() == Some(&b'\r') { end - 1 } else { end }
}

fn push(spans: &mut Vec<u32>, start: usize, end: usize) {
    if end > start {
        spans.push(offset(start));
        spans.push(offset(end));
    }
}

/// Offsets fit 32 bits: the caller holds buffers under 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a buffer is under 4 GiB")
}
