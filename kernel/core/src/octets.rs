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

/// Behind the longest run of octets that are neither `\s` nor NUL, at most `max` of them: eight at a time, the last one by one.
#[must_use]
pub fn run_of_text(message: &[u8], at: usize, max: usize) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let text = message.get(at..message.len().min(at.saturating_add(max))).unwrap_or_default();
    let holds_low = |eight: &[u8]| {
        let word = eight.try_into().map_or(0, u64::from_le_bytes);
        word.wrapping_sub(EACH * 0x21) & !word & (EACH * 0x80) != 0
    };
    let passed = text.chunks_exact(8).take_while(|eight| !holds_low(eight)).count() * 8;
    let is_text = |octet: u8| octet > b' ' || !(is_space(octet) || octet == 0);
    run(text, passed, max, is_text) + at
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
