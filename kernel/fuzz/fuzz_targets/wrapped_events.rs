//! Entry: `scan_wrapped_events`. Contents of CDATA sections, each wrapped as the first, that lie where they are told to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::wrapped_events::scan_wrapped_events;
use tidegate_fuzz::spans;

const OPENING: &[u8] = b"<![CDATA[";
const CLOSING: &[u8] = b"]]>";

fuzz_target!(|octets: &[u8]| {
    let found = scan_wrapped_events(octets);
    spans::check(&found.spans, found.last_end);
    assert!(found.first_end <= found.last_end && found.last_end <= octets.len());
    assert_eq!(found.spans.is_empty(), found.last_end == 0);
    for span in found.spans.chunks_exact(2) {
        let (start, end) = (span[0] as usize, span[1] as usize);
        assert!(octets[..start].ends_with(OPENING) && octets[end..].starts_with(CLOSING));
        assert!(!octets[start..end].windows(CLOSING.len()).any(|three| three == CLOSING));
    }
    if found.last_end > 0 {
        assert_eq!(scan_wrapped_events(&octets[..found.last_end]), found, "what follows the run changes nothing");
    }
});
