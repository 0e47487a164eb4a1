//! Entry: `KeySet`. It is a set, whatever comes and goes.

#![no_main]

use std::collections::HashSet;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::key_set::{Key, KeySet};

/// A key: one of few, so that keys meet, or any.
#[derive(Arbitrary, Clone, Debug)]
enum Drawn {
    Few(u8),
    Any(Key),
}

impl Drawn {
    fn key(&self) -> Key {
        match *self {
            Self::Few(number) => u128::from(number % 64).to_be_bytes(),
            Self::Any(key) => key,
        }
    }
}

#[derive(Arbitrary, Debug)]
enum Step {
    Add(Drawn),
    AddNew(Vec<Drawn>),
    Discard(Drawn),
}

fuzz_target!(|input: (u128, bool, Vec<Step>)| {
    let (seed, small, steps) = input;
    let mut found = if small { KeySet::small(seed) } else { KeySet::new(seed) };
    let mut model: HashSet<Key> = HashSet::new();
    for step in &steps {
        match step {
            Step::Add(drawn) => assert_eq!(found.add(drawn.key()), model.insert(drawn.key())),
            Step::Discard(drawn) => {
                found.discard(drawn.key());
                model.remove(&drawn.key());
            }
            Step::AddNew(drawn) => {
                let keys: Vec<Key> = drawn.iter().map(Drawn::key).collect();
                let news: HashSet<Key> = keys.iter().copied().collect();
                let all_new = news.len() == keys.len() && news.is_disjoint(&model);
                assert_eq!(found.add_new(&keys), all_new);
                if all_new {
                    model.extend(news);
                }
            }
        }
        assert_eq!(found.len(), model.len());
    }
    assert!(model.iter().all(|&key| found.contains(key)));
    assert!((0..64_u128).map(u128::to_be_bytes).all(|key| found.contains(key) == model.contains(&key)));
});
