//! SLDC (ECMA-321). The specification is the readable twin, `wire/sldc.py`; what a rule means is written there.

use std::collections::HashMap;

const HISTORY: usize = 1024;
const CONTROL_MARK: u32 = 0x1FF;
const STUFFED: u32 = 0x1FE;
const END_OF_RECORD: u32 = 4;
const SHORTEST: usize = 3;
const LONGEST: usize = 271;
const SIZE_OCTETS: usize = 4;
const MOST_PADDING: usize = 3;

/// (bits of prefix, prefix, bits behind it, count where those are zero), shortest first.
const COUNTS: [(u32, u32, u32, usize); 5] =
    [(1, 0b0, 1, 2), (2, 0b10, 2, 4), (3, 0b110, 3, 8), (4, 0b1110, 4, 16), (4, 0b1111, 8, 32)];

/// Why a stream can't be followed, by the names that `wire/sldc.py` gives the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Data before a scheme.
    NoScheme,
    /// A control symbol that has no place here.
    Control,
    /// A copy of what hasn't been there.
    Displacement,
    /// No end of record.
    Truncated,
    /// More content than allowed.
    TooLarge,
    /// Another size than stated.
    Length,
    /// Octets behind the end.
    Trailing,
}

impl Rule {
    /// The rule's stable name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoScheme => "sldc-no-scheme",
            Self::Control => "sldc-control",
            Self::Displacement => "sldc-displacement",
            Self::Truncated => "sldc-truncated",
            Self::TooLarge => "sldc-too-large",
            Self::Length => "sldc-length",
            Self::Trailing => "sldc-trailing",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    One,
    Two,
}

/// A data symbol: its bits, and what it says.
enum Symbol {
    Octet(u8),
    Copy { count: usize, displacement: usize },
}

/// The content of a stream with one record, of at most `max_size` octets; or the rule it breaks, and the octet at which.
///
/// # Errors
///
/// One of the rules.
pub fn decode(data: &[u8], max_size: usize) -> Result<Vec<u8>, (Rule, usize)> {
    let mut out: Vec<u8> = Vec::with_capacity(max_size.min(data.len().saturating_mul(4)));
    let (mut at, mut reset_at, mut scheme) = (0, 0, None);
    let total = data.len() * 8;
    loop {
        if at >= total {
            return Err((Rule::Truncated, data.len()));
        }
        let mark = peek(data, at, 9);
        if mark == CONTROL_MARK {
            if at + 13 > total {
                return Err((Rule::Truncated, data.len()));
            }
            match peek(data, at, 13) & 0xF {
                END_OF_RECORD => {
                    let end = (at + 13).div_ceil(8);
                    return match check_end(&data[end..], out.len()) {
                        Some(rule) => Err((rule, end)),
                        None => Ok(out),
                    };
                }
                1 => scheme = Some(Scheme::One),
                2 => scheme = Some(Scheme::Two),
                5 => (scheme, reset_at) = (Some(Scheme::One), out.len()),
                6 => (scheme, reset_at) = (Some(Scheme::Two), out.len()),
                _ => return Err((Rule::Control, at / 8)),
            }
            at += 13;
            continue;
        }
        let Some(scheme) = scheme else { return Err((Rule::NoScheme, at / 8)) };
        let (size, symbol) = symbol(data, at, mark, scheme);
        if at + size > total {
            return Err((Rule::Truncated, data.len()));
        }
        match symbol {
            Symbol::Octet(_) if out.len() >= max_size => return Err((Rule::TooLarge, at / 8)),
            Symbol::Octet(octet) => out.push(octet),
            Symbol::Copy { count, displacement } => {
                let written = out.len() - reset_at;
                let distance = (written + HISTORY - displacement - 1) % HISTORY + 1;
                if distance > written {
                    return Err((Rule::Displacement, at / 8));
                }
                if out.len() + count > max_size {
                    return Err((Rule::TooLarge, at / 8));
                }
                copy(&mut out, distance, count);
            }
        }
        at += size;
    }
}

/// Append `count` octets from `distance` back; what is being copied may be what is being written.
fn copy(out: &mut Vec<u8>, distance: usize, count: usize) {
    let from = out.len() - distance;
    if count <= distance {
        out.extend_from_within(from..from + count);
    } else {
        for index in from..from + count {
            out.push(out[index]);
        }
    }
}

/// Up to 24 bits from bit `at` on; beyond the end they are 0.
fn peek(data: &[u8], at: usize, bits: u32) -> u32 {
    let first = at / 8;
    let word = match data.get(first..first + 4) {
        Some(octets) => u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]),
        None => (0..4).fold(0, |word, index| word << 8 | u32::from(data.get(first + index).copied().unwrap_or(0))),
    };
    let shift = u32::try_from(at % 8).unwrap_or(0);
    (word << shift) >> (32 - bits)
}

fn symbol(data: &[u8], at: usize, mark: u32, scheme: Scheme) -> (usize, Symbol) {
    if scheme == Scheme::Two {
        return (if mark == STUFFED { 9 } else { 8 }, Symbol::Octet(low_octet(mark >> 1)));
    }
    if mark >> 8 == 0 {
        return (9, Symbol::Octet(low_octet(mark)));
    }
    let (prefix_bits, _, value_bits, least) = COUNTS
        .into_iter()
        .find(|&(bits, prefix, _, _)| peek(data, at + 1, bits) == prefix)
        .expect("every four bits begin with a prefix");
    let value_at = at + 1 + prefix_bits as usize;
    let displacement_at = value_at + value_bits as usize;
    let count = least + peek(data, value_at, value_bits) as usize;
    let displacement = peek(data, displacement_at, 10) as usize;
    (displacement_at + 10 - at, Symbol::Copy { count, displacement })
}

fn low_octet(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

/// What is wrong with the octets behind the record.
fn check_end(rest: &[u8], size: usize) -> Option<Rule> {
    let nonzero = |octets: &[u8]| octets.iter().any(|&octet| octet != 0);
    let Some((padding, stated)) = rest.split_last_chunk::<SIZE_OCTETS>() else {
        return nonzero(rest).then_some(Rule::Trailing);
    };
    if padding.len() > MOST_PADDING || nonzero(padding) {
        return Some(Rule::Trailing);
    }
    (u32::from_le_bytes(*stated) as usize != size).then_some(Rule::Length)
}

/// A stream as Windows writes it, of `content` under 4 GiB. Greedy: of each place's three octets, the latest other
/// occurrence is the only one tried.
///
/// # Panics
///
/// On a content of 4 GiB or more.
#[must_use]
pub fn encode(content: &[u8]) -> Vec<u8> {
    let mut out = Bits { octets: Vec::with_capacity(content.len() / 2 + 16), pending: 0, count: 0 };
    out.put(CONTROL_MARK << 4 | 5, 13);
    let mut latest: HashMap<[u8; SHORTEST], usize> = HashMap::new();
    let mut at = 0;
    while at < content.len() {
        let found = content[at..].first_chunk().and_then(|key| latest.get(key)).copied();
        let found = found.filter(|found| at - found < HISTORY);
        let mut count = found.map_or(0, |found| matching(content, found, at));
        if let (Some(found), true) = (found, count >= SHORTEST) {
            let row = COUNTS.into_iter().rev().find(|row| count >= row.3).expect("the least count is 2");
            out.put(1 << row.0 | row.1, 1 + row.0);
            out.put(bits_of(count - row.3), row.2);
            out.put(bits_of(found % HISTORY), 10);
        } else {
            count = 1;
            out.put(u32::from(content[at]), 9);
        }
        for passed in at..at + count {
            if let Some(key) = content[passed..].first_chunk() {
                latest.insert(*key, passed);
            }
        }
        at += count;
    }
    out.put(CONTROL_MARK << 4 | END_OF_RECORD, 13);
    let mut octets = out.padded();
    octets.extend_from_slice(&u32::try_from(content.len()).expect("a body is under 4 GiB").to_le_bytes());
    octets
}

/// Octets from `at` on that equal those from `found` on.
fn matching(content: &[u8], found: usize, at: usize) -> usize {
    content[at..].iter().zip(&content[found..]).take(LONGEST).take_while(|(one, other)| one == other).count()
}

fn bits_of(value: usize) -> u32 {
    u32::try_from(value).expect("counts and addresses are small")
}

/// Bits written one after another.
struct Bits {
    octets: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn put(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | value;
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            self.octets.push(low_octet(self.pending >> self.count));
        }
        self.pending &= (1 << self.count) - 1;
    }

    /// What was written, with zero bits to an even number of octets.
    fn padded(mut self) -> Vec<u8> {
        self.put(0, (8 - self.count) % 8);
        if self.octets.len() % 2 == 1 {
            self.octets.push(0);
        }
        self.octets
    }
}
