//! Entry: `Normalizer`, of a document. Any octets are one or are refused, and what was taken normalizes without a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::normalize::{Call, Normalizer};
use tidegate_fuzz::normalizers::{ARRIVAL_MS, document};

fuzz_target!(|octets: &[u8]| {
    if let Ok(normalizer) = Normalizer::load(octets) {
        let event = document("event.xml");
        let call = Call { arrival_ms: ARRIVAL_MS, labels: &[], events: true, max_rejects: 1 };
        let _ = normalizer.normalize(&event, &[0, u32::try_from(event.len()).unwrap()], &call);
    }
});
