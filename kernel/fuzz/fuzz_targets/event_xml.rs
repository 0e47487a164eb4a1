//! Entry: `Normalizer.normalize` of messages that are an event's XML with no header before it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| tidegate_fuzz::normalizers::check_message(message, true));
