//! Entry: `decode_utf_16`. The text is the standard library's, with what XML doesn't allow replaced and counted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tidegate_core::soap_encoding::{Order, decode_utf_16};
use tidegate_core::xml_text::is_legal;

fn is_char(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fuzz_target!(|octets: &[u8]| {
    for order in [Order::Little, Order::Big] {
        let units = octets.chunks_exact(2).map(|pair| match order {
            Order::Little => u16::from_le_bytes([pair[0], pair[1]]),
            Order::Big => u16::from_be_bytes([pair[0], pair[1]]),
        });
        let letters = char::decode_utf16(units).map(|letter| letter.ok().filter(|&letter| is_char(letter)));
        let letters: Vec<Option<char>> = letters.chain((octets.len() % 2 == 1).then_some(None)).collect();
        let expected: String = letters.iter().map(|letter| letter.unwrap_or('\u{fffd}')).collect();
        let replaced = letters.iter().filter(|letter| letter.is_none()).count();
        let (text, count) = decode_utf_16(octets, order);
        assert!(is_legal(&text));
        assert_eq!((text, count), (expected.into_bytes(), replaced));
    }
});
