//! Entry: `parse_changes`. Any octets are words up to some place, and none of them reaches beyond the end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::radius::Changes;

fuzz_target!(|octets: &[u8]| {
    let told: usize = Changes::new(octets)
        .map(|change| change.map_or(1, |change| 17 + change.texts.iter().map(|text| 2 + text.len()).sum::<usize>()))
        .sum();
    assert!(told <= octets.len());
});
