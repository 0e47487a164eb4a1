//! The anchored matchers that the twins write as regular expressions: each takes a message and an offset, and returns the
//! offset behind what it matched there. All are greedy without giving back; where an expression of the twin may give back,
//! the caller says why that can't matter.

/// The classes `\s` of Python's `re` for octets.
#[must_use]
pub fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t'..=b'\r')
}

/// Whether `\s` or the end stands at `at`.
#[must_use]
pub fn at_space_or_end(message: &[u8], at: usize) -> bool {
    message.get(at).is_none_or(|&octet| is_space(octet))
}

/// Behind the longest run of octets of a class, at most `max` of them.
#[must_use]
pub fn run(message: &[u8], at: usize, max: usize, class: impl Fn(u8) -> bool) -> usize {
    let rest = message.get(at..).unwrap_or_default();
    at + rest.iter().take(max).take_while(|&&octet| class(octet)).count()
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Behind the longest run of octets that are neither `\s` nor NUL, at most `max` of them: eight at a time.
#[must_use]
pub fn run_of_text(message: &[u8], at: usize, max: usize) -> usize {
    let text = message.get(at..message.len().min(at.saturating_add(max))).unwrap_or_default();
    let is_text = |octet: u8| octet > b' ' || !(is_space(octet) || octet == 0);
    let mut passed = 0;
    for eight in text.chunks_exact(8) {
        let word = eight.try_into().map_or(0, u64::from_le_bytes);
        let low = word.wrapping_sub(EACH * 0x21) & !word & HIGHS; // exact up to the lowest octet that is marked
        if low != 0 {
            passed += low.trailing_zeros() as usize / 8;
            break;
        }
        passed += 8;
    }
    run(text, passed, max, is_text) + at
}

/// Where the first of two octets stands from `at` on, eight looked at together: for what is near, where a call of `memchr2`
/// costs more than the search.
#[inline]
#[must_use]
pub fn near(text: &[u8], at: usize, one: u8, other: u8) -> Option<usize> {
    let equal = |word: u64, octet: u8| {
        let differing = word ^ (EACH * u64::from(octet));
        differing.wrapping_sub(EACH) & !differing & HIGHS // exact up to the lowest octet that is marked
    };
    let rest = text.get(at..)?;
    let mut passed = at;
    for eight in rest.chunks_exact(8) {
        let word = eight.try_into().map_or(0, u64::from_le_bytes);
        let found = equal(word, one) | equal(word, other);
        if found != 0 {
            return Some(passed + found.trailing_zeros() as usize / 8);
        }
        passed += 8;
    }
    text.get(passed..)?.iter().position(|octet| *octet == one || *octet == other).map(|behind| passed + behind)
}

/// Behind a literal of a length that is known when this is compiled.
#[inline]
#[must_use]
pub fn behind<const N: usize>(text: &[u8], at: usize, literal: &[u8; N]) -> Option<usize> {
    (text.get(at..)?.first_chunk::<N>()? == literal).then_some(at + N)
}

/// Behind a run of `min` to `max` octets of a class.
#[must_use]
pub fn some(message: &[u8], at: usize, min: usize, max: usize, class: impl Fn(u8) -> bool) -> Option<usize> {
    let end = run(message, at, max, class);
    (end - at >= min).then_some(end)
}

/// Behind `min` to `max` ASCII digits.
#[must_use]
pub fn digits(message: &[u8], at: usize, min: usize, max: usize) -> Option<usize> {
    some(message, at, min, max, |octet| octet.is_ascii_digit())
}

/// Behind a literal.
#[must_use]
pub fn literal(message: &[u8], at: usize, text: &[u8]) -> Option<usize> {
    message.get(at..)?.starts_with(text).then_some(at + text.len())
}

/// Behind one octet out of a few.
#[must_use]
pub fn one_of(message: &[u8], at: usize, octets: &[u8]) -> Option<usize> {
    octets.contains(message.get(at)?).then_some(at + 1)
}

/// `text` without white space (SPACE, TAB, CR, LF) around it.
#[must_use]
pub fn trim(text: &[u8]) -> &[u8] {
    let is_white = |octet: &u8| matches!(octet, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|octet| !is_white(octet)).unwrap_or(text.len());
    let end = text.iter().rposition(|octet| !is_white(octet)).map_or(start, |last| last + 1);
    &text[start..end]
}
