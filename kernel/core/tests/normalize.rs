//! Whatever a document or a message holds, nothing panics. What comes out is compared with the reference engine in Python.

use proptest::prelude::*;
use tidegate_core::normalize::Normalizer;
use tidegate_core::source::{Source, Text};

proptest! {
    #[test]
    fn any_octets_are_no_document(document: Vec<u8>) {
        prop_assert!(Normalizer::load(&document).is_err());
    }

    #[test]
    fn any_span_is_a_text_or_none(message: Vec<u8>, start: usize, end in 0_usize..100, part in 0_usize..100) {
        let source = Source::default();
        let text = Text::in_message(start, end);
        prop_assert!(source.text(&message, text).len() <= end);
        prop_assert!(source.text(&message, text.part(part, end)).len() <= end);
    }
}
