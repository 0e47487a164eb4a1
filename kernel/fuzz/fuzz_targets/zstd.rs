//! Entries: `compress`, `decompress`. Any octets are a frame within the limit or refused, any content comes back, and half a frame is none.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::compression::{compress, decompress};

const LIMIT: usize = 1 << 20;

fuzz_target!(|octets: &[u8]| {
    for frame in [octets.to_vec(), [b"\x28\xb5\x2f\xfd", octets].concat()] {
        if let Ok(content) = decompress(&frame, LIMIT) {
            assert!(content.len() <= LIMIT);
            assert!(content.is_empty() || decompress(&frame, content.len() - 1).is_err());
        }
    }
    let level = i32::from(octets.first().copied().unwrap_or_default() % 4) + 1;
    let frame = compress(octets, level).expect("zstd has this level");
    assert_eq!(decompress(&frame, octets.len()).as_deref(), Ok(octets));
    assert!(decompress(&frame[..frame.len() / 2], LIMIT).is_err());
    assert!(decompress(&[frame.as_slice(), &frame].concat(), LIMIT).is_err());
});
