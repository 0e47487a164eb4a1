//! Entries: `sldc_decode`, `sldc_encode`. Any octets decode within the limit or break a rule at one of them, any content comes back.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::sldc::{decode, encode};

const LIMIT: usize = 1 << 16;

fuzz_target!(|octets: &[u8]| {
    for stream in [octets.to_vec(), [&[0xff, 0xa8], octets].concat()] {
        match decode(&stream, LIMIT) {
            Ok(content) => {
                assert!(content.len() <= LIMIT);
                assert_eq!(decode(&encode(&content), content.len()).as_deref(), Ok(content.as_slice()));
            }
            Err((rule, at)) => assert!(!rule.name().is_empty() && at <= stream.len()),
        }
    }
    assert_eq!(decode(&encode(octets), octets.len()).as_deref(), Ok(octets));
});
