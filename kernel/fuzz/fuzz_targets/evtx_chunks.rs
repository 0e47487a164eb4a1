//! Entry: `render_chunks`, of whole chunks. Each is rendered as it would be alone, and what is told to be read was.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::evtx::render_chunks;
use tidegate_fuzz::spans;

const CHUNK: usize = 65_536;
const MAX_TEXT: u64 = 1 << 20;
const MAX_STEPS: i64 = 1 << 20;

fuzz_target!(|octets: &[u8]| {
    let rendered = render_chunks(octets, false, MAX_TEXT, MAX_STEPS);
    assert!(rendered.consumed % CHUNK == 0 && rendered.consumed <= octets.len());
    spans::check(&rendered.spans, rendered.text.len());
    assert_eq!(spans::cut(&rendered.text, &rendered.spans).concat(), rendered.text, "records follow each other");
    assert!(core::str::from_utf8(&rendered.text).is_ok());
    let chunks = octets[..rendered.consumed].chunks_exact(CHUNK);
    let alone: Vec<Vec<u8>> = chunks.map(|chunk| render_chunks(chunk, false, MAX_TEXT, MAX_STEPS).text).collect();
    assert!(alone.iter().all(|text| text.len() as u64 <= MAX_TEXT));
    assert_eq!(alone.concat(), rendered.text, "a chunk depends on no other");
    let checked = render_chunks(octets, true, MAX_TEXT, MAX_STEPS);
    assert!(rendered.text.starts_with(&checked.text), "checksums only refuse");
});
