//! Entry: `highest_record_ids`. One number a computer and channel, and no other than some event has.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use tidegate_core::record_ids::highest_record_ids;

const DIGITS: u64 = 1_000_000_000_000_000_000;

fuzz_target!(|octets: &[u8]| {
    let (whole, half) = (u32::try_from(octets.len()).unwrap(), u32::try_from(octets.len() / 2).unwrap());
    let found = highest_record_ids(octets, &[0, half, half, whole]);
    let pairs: HashSet<_> = found.iter().map(|(computer, channel, _)| (computer, channel)).collect();
    assert_eq!(pairs.len(), found.len());
    assert!(
        found.len() <= 2
            && found
                .iter()
                .all(|(computer, channel, number)| !computer.is_empty() && !channel.is_empty() && *number < DIGITS)
    );
    assert_eq!(highest_record_ids(octets, &[0, half, half, whole, 0, half]), found, "an event again changes nothing");
    assert!(highest_record_ids(octets, &[whole, whole + 1, 1, 0]).is_empty(), "any numbers are spans or none");
});
