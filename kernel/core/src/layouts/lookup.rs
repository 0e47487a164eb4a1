//! Names to values, found by their length first: tables that are asked for every member of every message.

use serde::Deserialize;

/// A table of names. Of a name that stands twice, the first counts.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Vec<(String, V)>")]
pub struct Lookup<V> {
    rows: Vec<(Box<[u8]>, V)>,
    /// Where the rows of each length begin, and where the last ones end.
    starts: Vec<usize>,
}

impl<V> Default for Lookup<V> {
    fn default() -> Self {
        Self { rows: Vec::new(), starts: Vec::new() }
    }
}

impl<V> From<Vec<(String, V)>> for Lookup<V> {
    fn from(rows: Vec<(String, V)>) -> Self {
        let mut rows: Vec<(Box<[u8]>, V)> =
            rows.into_iter().map(|(name, value)| (name.into_bytes().into(), value)).collect();
        rows.sort_by_key(|(name, _)| name.len());
        let longest = rows.last().map_or(0, |(name, _)| name.len());
        let starts = (0..longest + 2).map(|length| rows.partition_point(|(name, _)| name.len() < length)).collect();
        Self { rows, starts }
    }
}

impl<V> Lookup<V> {
    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<&V> {
        let (&start, &end) = (self.starts.get(name.len())?, self.starts.get(name.len() + 1)?);
        self.rows.get(start..end)?.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    /// Whether it is in the table.
    #[must_use]
    pub fn holds(&self, name: &[u8]) -> bool {
        self.get(name).is_some()
    }
}
