//! What stands between the values of a record: the same octets in every record of a plan that has the same leaves.
//!
//! A layout is walked for the first such record; the following ones copy what was found then, value by value.

use super::{Leaves, Plan, Step};
use crate::source::octets_of;

/// The last two forms of each plan, the last one of use first.
#[derive(Clone, Debug, Default)]
pub(super) struct Forms {
    by_plan: Vec<[Form; 2]>,
}

/// A record without its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Form {
    leaves: Leaves,
    text: Vec<u8>,
    /// (where the text before a value ends, the value's leaf), in the order of the record.
    values: Vec<(usize, u8)>,
}

impl Forms {
    /// The form of a plan's record with these leaves.
    pub fn of(&mut self, plan: &Plan, leaves: Leaves, constants: &[u8]) -> &Form {
        if self.by_plan.len() <= plan.number {
            self.by_plan.resize_with(plan.number + 1, Default::default);
        }
        let forms = &mut self.by_plan[plan.number];
        if forms[0].leaves != leaves {
            forms.swap(0, 1);
            if forms[0].leaves != leaves {
                forms[0].learn(plan, leaves, constants);
            }
        }
        &forms[0]
    }
}

impl Form {
    /// Each value's leaf with the text before it.
    pub fn values(&self) -> impl Iterator<Item = (&[u8], u8)> {
        let mut at = 0;
        self.values.iter().map(move |&(end, leaf)| (&self.text[core::mem::replace(&mut at, end)..end], leaf))
    }

    /// The text behind the last value.
    pub fn end(&self) -> &[u8] {
        &self.text[self.values.last().map_or(0, |&(end, _)| end)..]
    }

    /// Every member is followed by a comma; the last one's becomes its object's end.
    fn learn(&mut self, plan: &Plan, leaves: Leaves, constants: &[u8]) {
        self.leaves = leaves;
        self.text.clear();
        self.values.clear();
        self.text.push(b'{');
        let mut at = 0;
        while let Some(&step) = plan.layout.get(at) {
            at += 1;
            match step {
                Step::Fixed(text) => self.text.extend_from_slice(octets_of(text, &[], &[], constants)),
                Step::Leaf(key, leaf) if leaves >> leaf & 1 == 1 => {
                    self.text.extend_from_slice(octets_of(key, &[], &[], constants));
                    self.values.push((self.text.len(), leaf));
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
