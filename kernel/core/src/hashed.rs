//! Maps whose keys need no hashing: hashes that were made with a key nobody knows, and numbers that we give ourselves.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map by such a key.
pub type ByHash<Key, Value> = HashMap<Key, Value, BuildHasherDefault<Hashed>>;

/// A set of such keys.
pub type Hashes = HashSet<u64, BuildHasherDefault<Hashed>>;

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of what is one already; of a number one that has its upper bits, too, by the number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        self.0 = octets.iter().fold(self.0, |hash, &octet| hash.wrapping_mul(GOLDEN) ^ u64::from(octet));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write_i64(&mut self, number: i64) {
        self.0 = u64::from_le_bytes(number.to_le_bytes()).wrapping_mul(GOLDEN);
    }
}
