//! Entry: `Normalizer.normalize` of messages of the layouts in JSON (of `NXLog`, of Winlogbeat, flat).

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| tidegate_fuzz::normalizers::check_message(&[b"{", payload].concat(), false));
