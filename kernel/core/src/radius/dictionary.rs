//! What a number means: twin of `wire/radius/dictionary.py`, whose tables come as data.

use std::collections::HashMap;

use serde::Deserialize;

use super::values::Kind;

/// The dictionary, as `normalizers/native_radius.py` writes it.
pub type DictionaryPart = Vec<EntryPart>;

/// An attribute that has a name.
#[derive(Clone, Debug, Deserialize)]
#[allow(missing_docs)] // the fields of `wire.radius.dictionary.Entry`
pub struct EntryPart {
    pub path: Vec<u32>,
    pub name: String,
    pub kind: String,
    pub values: Vec<(u32, String)>,
    pub tagged: bool,
    pub secret: bool,
    pub pair: bool,
}

/// An attribute that has a name, ready to be read.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub name: Box<str>,
    pub kind: Kind,
    pub values: HashMap<u32, Box<str>>,
    pub tagged: bool,
    pub secret: bool,
    pub pair: bool,
}

/// A number, as `wire.radius.attributes.Numbered` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Path {
    steps: [u32; 4],
    len: usize,
}

impl Path {
    pub fn of<const N: usize>(path: [u32; N]) -> Self {
        let mut steps = [0; 4];
        for (step, number) in steps.iter_mut().zip(path) {
            *step = number;
        }
        Self { steps, len: N.min(4) }
    }

    pub fn steps(&self) -> &[u32] {
        &self.steps[..self.len]
    }
}

/// All attributes that have a name.
#[derive(Clone, Debug, Default)]
pub struct Dictionary {
    entries: Vec<Entry>,
    plain: Vec<Option<usize>>,
    others: HashMap<Path, usize>,
}

impl Dictionary {
    /// A dictionary of data; None where a type of it is unknown.
    #[must_use]
    pub fn new(parts: DictionaryPart) -> Option<Self> {
        let mut dictionary = Self { plain: vec![None; 256], ..Self::default() };
        for part in parts {
            let place = dictionary.entries.len();
            dictionary.entries.push(Entry {
                name: part.name.into(),
                kind: Kind::of(&part.kind)?,
                values: part.values.into_iter().map(|(number, name)| (number, name.into())).collect(),
                tagged: part.tagged,
                secret: part.secret,
                pair: part.pair,
            });
            match *part.path {
                [number] => *dictionary.plain.get_mut(usize::try_from(number).ok()?)? = Some(place),
                [a, b] => drop(dictionary.others.insert(Path::of([a, b]), place)),
                [a, b, c] => drop(dictionary.others.insert(Path::of([a, b, c]), place)),
                [a, b, c, d] => drop(dictionary.others.insert(Path::of([a, b, c, d]), place)),
                _ => return None,
            }
        }
        Some(dictionary)
    }

    /// What has this number.
    pub(super) fn find(&self, path: Path) -> Option<&Entry> {
        let place = match *path.steps() {
            [number] => *self.plain.get(number as usize)?,
            _ => self.others.get(&path).copied(),
        };
        self.entries.get(place?)
    }
}
