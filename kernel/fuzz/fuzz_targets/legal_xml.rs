//! Entry: `is_legal_xml`. It says what the standard library and the table of XML 1.0 section 2.2 say.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::xml_text::is_legal;

fn is_char(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fuzz_target!(|octets: &[u8]| {
    assert_eq!(is_legal(octets), core::str::from_utf8(octets).is_ok_and(|text| text.chars().all(is_char)));
});
