//! The payload names that a plan reads, found without comparing one name with every other.

const BUCKETS: usize = 64;

/// A table from name to number.
#[derive(Clone, Debug)]
pub(super) struct Names {
    names: Vec<(Box<[u8]>, bool)>,
    buckets: [Vec<u8>; BUCKETS],
}

impl Names {
    /// Names with whether some row takes them; their numbers are their places.
    pub fn new(names: Vec<(Box<[u8]>, bool)>) -> Self {
        let mut buckets = [const { Vec::new() }; BUCKETS];
        for (number, (name, _)) in (0..).zip(&names) {
            buckets[bucket(name)].push(number);
        }
        Self { names, buckets }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// The number of a name.
    pub fn find(&self, name: &[u8]) -> Option<u8> {
        self.buckets[bucket(name)]
            .iter()
            .copied()
            .find(|&number| self.names.get(usize::from(number)).is_some_and(|(known, _)| known.as_ref() == name))
    }

    /// Whether some row takes the name.
    pub fn is_mapped(&self, number: u8) -> bool {
        self.names.get(usize::from(number)).is_some_and(|&(_, mapped)| mapped)
    }
}

/// Names of one event differ in their length, or about their middle (`SubjectUserSid`, `SubjectUserName`).
fn bucket(name: &[u8]) -> usize {
    let octet = |at: usize| name.get(at).map_or(0, |&octet| usize::from(octet));
    let last = name.len().wrapping_sub(1);
    (name.len() + 5 * octet(0) + 3 * octet(last) + octet(name.len() / 2)) % BUCKETS
}
