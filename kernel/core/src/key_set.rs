//! A set of 16-octet keys at 20 to 24 octets each: what `set[bytes]` is in `pipeline/spool/duplicates.py`, at a fifth of its memory.
//!
//! Open addressing with linear probing; a removed key's successors move up, so that nothing is left of it. The keys lie in
//! many small tables that grow one at a time by a fifth, so that no call waits for all of them to be moved. Peers may choose
//! keys, so places depend on a seed that they don't know.

const TABLES: usize = 256;
const LEAST_SLOTS: usize = 8;

/// Keys whose slots are fetched at once.
const AHEAD: usize = 32;

const EMPTY: Key = [0; 16];

/// A key.
pub type Key = [u8; 16];

/// The set.
#[derive(Clone, Debug)]
pub struct KeySet {
    seed: [u64; 2],
    tables: Vec<Table>,
    /// Whether the key that stands for an empty slot is in the set.
    holds_empty: bool,
}

#[derive(Clone, Debug, Default)]
struct Table {
    slots: Vec<Key>,
    len: usize,
}

impl KeySet {
    /// An empty set for millions of keys.
    #[must_use]
    pub fn new(seed: u128) -> Self {
        Self::of_tables(seed, TABLES)
    }

    /// An empty set for hundreds of keys.
    #[must_use]
    pub fn small(seed: u128) -> Self {
        Self::of_tables(seed, 1)
    }

    fn of_tables(seed: u128, tables: usize) -> Self {
        let [low, high] = [seed, seed >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or_default());
        Self { seed: [low, high], tables: vec![Table::default(); tables], holds_empty: false }
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.len).sum::<usize>() + usize::from(self.holds_empty)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Octets of memory that its keys take.
    #[must_use]
    pub fn octets(&self) -> usize {
        self.tables.iter().map(|table| table.slots.capacity() * size_of::<Key>()).sum()
    }

    /// Whether a key is in the set.
    #[must_use]
    pub fn contains(&self, key: Key) -> bool {
        if key == EMPTY {
            return self.holds_empty;
        }
        let hash = self.hash(key);
        self.tables.get(self.table_of(hash)).is_some_and(|table| table.find(key, hash).is_ok())
    }

    /// 1 for each key that is in the set, else 0.
    #[must_use]
    pub fn known(&self, keys: &[Key]) -> Vec<u8> {
        let mut known = Vec::with_capacity(keys.len());
        for some in keys.chunks(AHEAD) {
            self.fetch(some);
            known.extend(some.iter().map(|&key| u8::from(self.contains(key))));
        }
        known
    }

    /// Add keys that may be there.
    pub fn add_all(&mut self, keys: &[Key]) {
        for some in keys.chunks(AHEAD) {
            self.fetch(some);
            for &key in some {
                self.add(key);
            }
        }
    }

    /// Read the slots at which keys are looked for, none waiting for the one before: each lies somewhere else in memory, which
    /// takes longer than all else that is done with it.
    fn fetch(&self, keys: &[Key]) {
        let first = |&key: &Key| {
            let hash = self.hash(key);
            let slots = self.tables.get(self.table_of(hash)).map_or(&[][..], |table| &table.slots);
            slots.get(home(hash, slots.len())).map_or(0, |slot| slot[0])
        };
        core::hint::black_box(keys.iter().map(first).fold(0, |all, octet| all ^ octet));
    }

    /// Add keys of which none is in the set, nor there twice; adds none of them where one is.
    pub fn add_new(&mut self, keys: &[Key]) -> bool {
        let (seed, more) = (self.seed, keys.len().div_ceil(self.tables.len()));
        self.tables.iter_mut().for_each(|table| table.make_room(more, seed));
        let mut added = 0;
        for some in keys.chunks(AHEAD) {
            self.fetch(some);
            let new = some.iter().take_while(|&&key| self.add(key)).count();
            added += new;
            if new < some.len() {
                keys.iter().take(added).for_each(|&key| self.discard(key));
                return false;
            }
        }
        true
    }

    /// Add a key; whether it wasn't there.
    pub fn add(&mut self, key: Key) -> bool {
        if key == EMPTY {
            return !std::mem::replace(&mut self.holds_empty, true);
        }
        let (hash, seed, place) = (self.hash(key), self.seed, self.table_of(self.hash(key)));
        self.tables.get_mut(place).is_some_and(|table| table.add(key, hash, seed))
    }

    /// Remove a key, if it is there.
    pub fn discard(&mut self, key: Key) {
        if key == EMPTY {
            self.holds_empty = false;
            return;
        }
        let (hash, seed, place) = (self.hash(key), self.seed, self.table_of(self.hash(key)));
        if let Some(table) = self.tables.get_mut(place) {
            table.discard(key, hash, seed);
        }
    }

    fn hash(&self, key: Key) -> u64 {
        hash(key, self.seed)
    }

    /// The upper octet of a hash chooses the table, the rest the slot.
    fn table_of(&self, hash: u64) -> usize {
        usize::from(hash.to_be_bytes()[0]) % self.tables.len()
    }
}

impl Table {
    /// The slot of a key, or the empty one in which it would be; a table without any has none.
    fn find(&self, key: Key, hash: u64) -> Result<usize, Option<usize>> {
        if self.slots.is_empty() {
            return Err(None);
        }
        let mut at = home(hash, self.slots.len());
        loop {
            match self.slots[at] {
                known if known == key => return Ok(at),
                EMPTY => return Err(Some(at)),
                _ => at = next(at, self.slots.len()),
            }
        }
    }

    fn add(&mut self, key: Key, hash: u64, seed: [u64; 2]) -> bool {
        let Err(place) = self.find(key, hash) else { return false };
        let place = if self.is_full(1) {
            self.grow(1, seed);
            self.find(key, hash).err().flatten()
        } else {
            place
        };
        if let Some(slot) = place.and_then(|at| self.slots.get_mut(at)) {
            *slot = key;
            self.len += 1;
        }
        true
    }

    /// Whether so many more keys need more slots: one in five stays empty, so that probing ends soon.
    fn is_full(&self, more: usize) -> bool {
        (self.len + more) * 5 > self.slots.len() * 4
    }

    fn make_room(&mut self, more: usize, seed: [u64; 2]) {
        if self.is_full(more) {
            self.grow(more, seed);
        }
    }

    /// Slots for a fifth more keys, or for so many more.
    fn grow(&mut self, keys: usize, seed: [u64; 2]) {
        let more = (self.slots.len() / 5 + 1).max(keys + keys / 4 + 1).max(LEAST_SLOTS);
        let bigger = vec![EMPTY; self.slots.len() + more];
        for key in std::mem::replace(&mut self.slots, bigger).into_iter().filter(|&key| key != EMPTY) {
            if let Err(Some(at)) = self.find(key, hash(key, seed)) {
                self.slots[at] = key;
            }
        }
    }

    /// Empty a key's slot, and move up what is only behind it because it was there.
    fn discard(&mut self, key: Key, key_hash: u64, seed: [u64; 2]) {
        let Ok(mut hole) = self.find(key, key_hash) else { return };
        let slots = self.slots.len();
        let mut at = next(hole, slots);
        while self.slots[at] != EMPTY {
            let from_home = distance(home(hash(self.slots[at], seed), slots), at, slots);
            if from_home >= distance(hole, at, slots) {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = next(at, slots);
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
    }
}

/// Both halves of a key, each with its half of the seed, multiplied and folded.
fn hash(key: Key, seed: [u64; 2]) -> u64 {
    let half = |at: usize| key.get(at..at + 8).and_then(|half| half.try_into().ok()).map_or(0, u64::from_le_bytes);
    fold(half(0) ^ seed[0], half(8) ^ seed[1] ^ 0x9e37_79b9_7f4a_7c15)
}

#[allow(clippy::cast_possible_truncation)] // the halves of a product
fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

fn home(hash: u64, slots: usize) -> usize {
    let scaled = (u128::from(hash << 8) * slots as u128) >> 64;
    usize::try_from(scaled).unwrap_or_default()
}

fn next(at: usize, slots: usize) -> usize {
    if at + 1 == slots { 0 } else { at + 1 }
}

fn distance(from: usize, to: usize, slots: usize) -> usize {
    if to >= from { to - from } else { to + slots - from }
}
