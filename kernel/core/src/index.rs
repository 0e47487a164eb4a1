//! The index of a batch in the columns in which the spool stores it: twin of `encode_index` in `pipeline/spool/index.py`.

use std::collections::HashMap;

use crate::json_out::write_text;

/// So many texts are compared sooner than hashed.
const FEW: usize = 12;

/// What one record's entry says.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the fields of `pipeline.model.Entry`
pub struct Entry<'a> {
    pub length: u32,
    pub time_ms: i64,
    pub class_uid: u32,
    pub status_id: u32,
    pub event_code: &'a [u8],
    pub computer: &'a [u8],
    pub weak: bool,
    pub uid: [u8; 16],
}

/// Columns that grow by entries.
#[derive(Clone, Debug, Default)]
pub struct Index {
    lengths: Vec<u32>,
    times: Vec<i64>,
    classes: Vec<u32>,
    statuses: Vec<u32>,
    codes: Column,
    computers: Column,
    weak: Vec<u8>,
    uids: Vec<u8>,
}

/// A column of texts: each a place among the distinct ones.
#[derive(Clone, Debug, Default)]
struct Column {
    places: Vec<u32>,
    texts: Vec<Box<[u8]>>,
    known: HashMap<Box<[u8]>, u32>,
}

impl Column {
    fn push(&mut self, text: &[u8]) {
        let place = self.place(text);
        self.places.push(place);
    }

    fn place(&mut self, text: &[u8]) -> u32 {
        let last = self.places.last().copied().unwrap_or_default();
        if self.texts.get(last as usize).is_some_and(|known| known.as_ref() == text) {
            return last;
        }
        let known = if self.texts.len() <= FEW {
            self.texts.iter().position(|known| known.as_ref() == text).and_then(|place| u32::try_from(place).ok())
        } else {
            self.known.get(text).copied()
        };
        if let Some(place) = known {
            return place;
        }
        let place = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.texts.push(text.into());
        self.known.insert(text.into(), place);
        place
    }
}

impl Index {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.weak.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.weak.is_empty()
    }

    /// Append an entry.
    pub fn push(&mut self, entry: &Entry<'_>) {
        self.lengths.push(entry.length);
        self.times.push(entry.time_ms);
        self.classes.push(entry.class_uid);
        self.statuses.push(entry.status_id);
        self.codes.push(entry.event_code);
        self.computers.push(entry.computer);
        self.weak.push(u8::from(entry.weak));
        self.uids.extend_from_slice(&entry.uid);
    }

    /// The columns, as the spool stores them.
    #[must_use]
    pub fn encode(mut self) -> Vec<u8> {
        let moved: Vec<u32> = self.computers.texts.iter().map(|computer| self.codes.place(computer)).collect();
        let computers =
            self.computers.places.iter().map(|&place| moved.get(place as usize).copied().unwrap_or_default());
        let mut texts = vec![b'['];
        for text in &self.codes.texts {
            write_text(&mut texts, text);
            texts.push(b',');
        }
        if texts.len() > 1 {
            texts.pop();
        }
        texts.push(b']');
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let mut out = Vec::with_capacity(8 + 45 * self.len() + texts.len());
        let numbers = [count(self.len()), count(texts.len())].into_iter().chain(self.lengths);
        out.extend(numbers.flat_map(u32::to_le_bytes));
        out.extend(self.times.into_iter().flat_map(i64::to_le_bytes));
        let numbers = self.classes.into_iter().chain(self.statuses).chain(self.codes.places.iter().copied());
        out.extend(numbers.chain(computers).flat_map(u32::to_le_bytes));
        out.extend(self.weak);
        out.extend(self.uids);
        out.extend(texts);
        out
    }
}
