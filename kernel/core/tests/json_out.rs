//! Texts as JSON against another writer of JSON, whose escapes are orjson's too.

use proptest::prelude::*;
use tidegate_core::json_out::{write_int, write_text};

fn written(text: &str) -> String {
    let mut out = Vec::new();
    write_text(&mut out, text.as_bytes());
    String::from_utf8(out).expect("UTF-8 in, UTF-8 out")
}

#[test]
fn every_ascii_character_at_every_place() {
    for character in (0..128).map(char::from) {
        for before in 0..40 {
            let text = format!("{}{character}{}", "a".repeat(before), "\u{e4}".repeat(9));
            assert_eq!(written(&text), serde_json::to_string(&text).expect("a string"));
        }
    }
}

proptest! {
    #[test]
    fn any_text(text in ".*") {
        prop_assert_eq!(written(&text), serde_json::to_string(&text).expect("a string"));
    }

    #[test]
    fn texts_of_what_is_escaped(text in "[\\x00-\\x22\\x5b-\\x5d\\x7f\u{80}-\u{ff}a]{0,70}") {
        prop_assert_eq!(written(&text), serde_json::to_string(&text).expect("a string"));
    }

    #[test]
    fn any_number(number: i64) {
        let mut out = Vec::new();
        write_int(&mut out, number);
        prop_assert_eq!(out, number.to_string().into_bytes());
    }
}
