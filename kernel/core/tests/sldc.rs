//! SLDC's properties that need no twin: every content comes back, and nothing comes out larger than allowed.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_core::sldc::{Rule, decode, encode};

/// Contents with something to copy.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![vec(any::<u8>(), 1..20), (any::<u8>(), 1..400_usize).prop_map(|(octet, count)| vec![octet; count])],
        0..40,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn contents_come_back(content in contents()) {
        let data = encode(&content);
        prop_assert_eq!(decode(&data, content.len()), Ok(content.clone()));
        if let Some(less) = content.len().checked_sub(1) {
            prop_assert_eq!(decode(&data, less).map_err(|(rule, _)| rule), Err(Rule::TooLarge));
        }
    }

    #[test]
    fn anything_is_bounded(data in vec(any::<u8>(), 0..2000), limit in 0..5000_usize) {
        if let Ok(content) = decode(&[&[0xFF, 0xA8][..], &data].concat(), limit) {
            prop_assert!(content.len() <= limit);
        }
    }
}
