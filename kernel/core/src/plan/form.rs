//! What stands between the values of a record: the same octets in every record of a plan that has the same leaves.
//!
//! A layout is walked for the first such record; the following ones copy what was found then, value by value. A value that is
//! the same in every record stands in what is copied, and is compared instead of written.

use super::record::Writer;
use super::{Leaves, ONLY, Step, Value};
use crate::source::octets_of;

/// Longest text that is held, in octets.
const MAX_HELD: usize = 256;

/// What the plans' records look like.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms {
    by_plan: Vec<OfPlan>,
}

#[derive(Clone, Debug, Default)]
struct OfPlan {
    /// The last two, the last one of use first.
    forms: [Form; 2],
    /// Leaves of which a form held a value, and then another one came.
    varying: Leaves,
}

/// A record without those of its values that vary.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    leaves: Leaves,
    text: Vec<u8>,
    /// (where the text before a value ends, the value's leaf), in the order of the record.
    values: Vec<(usize, u8)>,
    held: Held,
}

/// Values that stand in a form's text, each with its leaf: numbers and constants as they are, of texts where their octets end.
#[derive(Clone, Debug, Default)]
struct Held {
    values: Vec<(u8, Value)>,
    texts: Vec<(u8, usize)>,
    octets: Vec<u8>,
}

impl Forms {
    /// The form of a record, which is the last one with these leaves, unless a value that it holds has changed.
    pub fn of(&mut self, record: &Writer<'_>) -> &Form {
        let (number, leaves) = (record.plan.number, record.run.present());
        if self.by_plan.len() <= number {
            self.by_plan.resize_with(number + 1, Default::default);
        }
        let OfPlan { forms, varying } = &mut self.by_plan[number];
        if forms[0].leaves != leaves {
            forms.swap(0, 1);
        }
        let form = &mut forms[0];
        if form.leaves == leaves {
            let changed = form.held.changed(record);
            if changed == 0 {
                return form;
            }
            *varying |= changed;
        }
        form.learn(record, *varying);
        form
    }
}

impl Held {
    /// Leaves whose values aren't those that are held.
    fn changed(&self, record: &Writer<'_>) -> Leaves {
        let mut changed = 0;
        for &(leaf, value) in &self.values {
            if record.run.at(leaf) != value {
                changed |= ONLY[usize::from(leaf)];
            }
        }
        let mut start = 0;
        for &(leaf, end) in &self.texts {
            let known = &self.octets[core::mem::replace(&mut start, end)..end];
            if !matches!(record.run.at(leaf), Value::Text(text) if record.text(text) == known) {
                changed |= ONLY[usize::from(leaf)];
            }
        }
        changed
    }

    /// Hold a leaf's value, unless it is none that can be compared.
    fn hold(&mut self, leaf: u8, value: Value, record: &Writer<'_>) -> bool {
        match value {
            Value::Int(_) | Value::Json(_) => self.values.push((leaf, value)),
            Value::Text(text) if text.is_constant() => self.values.push((leaf, value)),
            Value::Text(text) if text.len() <= MAX_HELD => {
                self.octets.extend_from_slice(record.text(text));
                self.texts.push((leaf, self.octets.len()));
            }
            _ => return false,
        }
        true
    }

    fn clear(&mut self) {
        self.values.clear();
        self.texts.clear();
        self.octets.clear();
    }
}

impl Form {
    /// The leaf of each value that isn't held, with the text before it.
    pub fn values(&self) -> impl Iterator<Item = (&[u8], u8)> {
        let mut at = 0;
        self.values.iter().map(move |&(end, leaf)| (&self.text[core::mem::replace(&mut at, end)..end], leaf))
    }

    /// The text behind the last value.
    pub fn end(&self) -> &[u8] {
        &self.text[self.values.last().map_or(0, |&(end, _)| end)..]
    }

    /// Every member is followed by a comma; the last one's becomes its object's end.
    fn learn(&mut self, record: &Writer<'_>, varying: Leaves) {
        let (plan, leaves, constants) = (record.plan, record.run.present(), record.constants);
        self.leaves = leaves;
        self.text.clear();
        self.values.clear();
        self.held.clear();
        self.text.push(b'{');
        let mut at = 0;
        while let Some(&step) = plan.layout.get(at) {
            at += 1;
            match step {
                Step::Fixed(text) => self.text.extend_from_slice(octets_of(text, &[], &[], constants)),
                Step::Leaf(key, leaf) if leaves >> leaf & 1 == 1 => {
                    self.text.extend_from_slice(octets_of(key, &[], &[], constants));
                    let value = record.run.at(leaf);
                    if varying >> leaf & 1 == 0 && self.held.hold(leaf, value, record) {
                        record.value(value, &mut self.text);
                    } else {
                        self.values.push((self.text.len(), leaf));
                    }
                    self.text.push(b',');
                }
                Step::Leaf(..) => {}
                Step::Open(key, inside, _) if leaves & inside != 0 => {
                    self.text.extend_from_slice(octets_of(key, &[], &[], constants));
                }
                Step::Open(_, _, behind) => at = behind,
                Step::Close => {
                    self.close();
                    self.text.push(b',');
                }
            }
        }
        self.close();
    }

    /// Put an object's end in the place of its last comma.
    fn close(&mut self) {
        match self.text.last_mut() {
            Some(last) if *last == b',' => *last = b'}',
            _ => self.text.push(b'}'),
        }
    }
}
