//! Entries: `render_chunks`, `find_expanding`, of a chunk around one record's Binary XML. What is foretold of its text is no less
//! than the text, and what is rendered can be normalized.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::evtx::render_chunks;
use tidegate_core::evtx_expansion::find_expanding;
use tidegate_fuzz::normalizers;

const CHUNK: usize = 65_536;
const FIRST: usize = 512;
const HEADER: usize = 24;
const SIZE: usize = 4;
const FILETIME: u64 = 133_000_000_000_000_000;
const MAX_TEXT: u64 = 1 << 20;
const MAX_STEPS: i64 = 1 << 20;

/// A chunk that has one record, and where that ends.
fn chunk_around(binary_xml: &[u8]) -> (Vec<u8>, usize) {
    let binary_xml = &binary_xml[..binary_xml.len().min(CHUNK - FIRST - HEADER - SIZE)];
    let end = FIRST + HEADER + binary_xml.len() + SIZE;
    let size = u32::try_from(end - FIRST).unwrap().to_le_bytes();
    let mut chunk = vec![0; CHUNK];
    let mut put = |at: usize, octets: &[u8]| chunk[at..at + octets.len()].copy_from_slice(octets);
    put(0, b"ElfChnk\x00");
    put(32, &1_u64.to_le_bytes());
    put(48, &u32::try_from(end).unwrap().to_le_bytes());
    put(FIRST, b"**\x00\x00");
    put(FIRST + 4, &size);
    put(FIRST + 8, &1_u64.to_le_bytes());
    put(FIRST + 16, &FILETIME.to_le_bytes());
    put(FIRST + HEADER, binary_xml);
    put(end - SIZE, &size);
    (chunk, end)
}

fuzz_target!(|binary_xml: &[u8]| {
    let (chunk, end) = chunk_around(binary_xml);
    let record = [FIRST, end].map(|at| u32::try_from(at).unwrap());
    let rendered = render_chunks(&chunk, false, MAX_TEXT, MAX_STEPS);
    if let Some(less) = (rendered.text.len() as u64).checked_sub(1) {
        assert_eq!(find_expanding(&chunk, &record, less, MAX_STEPS), [0], "more text than was foretold");
    }
    if rendered.consumed > 0 {
        normalizers::check_message(&rendered.text, true);
    }
    let twice = [record, record, [0, 7]].concat();
    let refused = find_expanding(&chunk, &twice, MAX_TEXT / 8, MAX_STEPS / 8);
    assert!(refused.is_sorted_by(|one, next| one < next) && refused.last().is_none_or(|&last| last < 3));
});
