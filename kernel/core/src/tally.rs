//! Counters by name that a peer can't make many of: twin of `_count` in `normalizers/normalizer.py`.

/// Most names; the rest is counted as [`OTHER`].
pub const MAX_TALLY: usize = 64;

/// The name of the rest.
pub const OTHER: &[u8] = b"other";

const PLACES: usize = 256;

/// Names and their counts, in the order of their first appearance.
#[derive(Clone, Debug)]
pub struct Tally {
    counts: Vec<(Box<[u8]>, u64)>,
    places: [u8; PLACES],
}

impl Default for Tally {
    fn default() -> Self {
        Self { counts: Vec::new(), places: [0; PLACES] }
    }
}

impl Tally {
    /// Count a name once more.
    pub fn add(&mut self, name: &[u8]) {
        let place = self.place(name);
        let known = usize::from(self.places[place]).checked_sub(1);
        if let Some((_, count)) = known.and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        } else if self.counts.len() < MAX_TALLY || name == OTHER {
            self.counts.push((name.into(), 1));
            self.places[place] = u8::try_from(self.counts.len()).unwrap_or_default();
        } else {
            self.add(OTHER);
        }
    }

    /// Names and counts.
    #[must_use]
    pub fn counts(&self) -> &[(Box<[u8]>, u64)] {
        &self.counts
    }

    /// Where the name is, or would be: there are more places than names, so one is free.
    fn place(&self, name: &[u8]) -> usize {
        let hash = name.iter().fold(name.len(), |hash, &octet| hash.wrapping_mul(31).wrapping_add(usize::from(octet)));
        let mut place = hash % PLACES;
        while let Some(at) = usize::from(self.places[place]).checked_sub(1) {
            if self.counts.get(at).is_none_or(|(known, _)| known.as_ref() == name) {
                break;
            }
            place = (place + 1) % PLACES;
        }
        place
    }
}
