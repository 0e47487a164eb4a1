//! Entry: `Normalizer.normalize` of messages of any layout behind a syslog header of any form.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| tidegate_fuzz::normalizers::check_message(message, false));
