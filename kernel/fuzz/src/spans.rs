//! Spans: start, end, start, end ... of what was found in a buffer.

/// They rise, none overlaps the next, and all lie in the first `octets` of their buffer.
pub fn check(spans: &[u32], octets: usize) {
    assert!(spans.len() % 2 == 0, "a span has a start and an end");
    assert!(spans.is_sorted(), "spans rise");
    assert!(spans.last().is_none_or(|&end| end as usize <= octets), "spans end in what was read");
}

/// The octets of each.
#[must_use]
pub fn cut<'a>(buffer: &'a [u8], spans: &[u32]) -> Vec<&'a [u8]> {
    spans.chunks_exact(2).map(|span| &buffer[span[0] as usize..span[1] as usize]).collect()
}
