//! Running a plan over one source: twin of `_Run` in `normalizers/engine.py`, whose docstring has the rules.

use super::form::Forms;
use super::{Copy, Input, Leaves, MAX_INPUTS, MAX_LEAVES, ONLY, Op, Plan, Plans, Row, Target, Value};
use crate::source::{Source, Text};
use crate::transforms::{Output, Outputs, Texts};

const NONE: u32 = u32::MAX;
const UNKNOWN_NAME: u8 = u8::MAX;
const OTHER_ID: i64 = 99;

/// One event's way through its plan; its memory is reused for the next.
#[derive(Clone, Debug)]
pub struct Run {
    values: [Value; MAX_LEAVES],
    present: Leaves,
    activity: i64,
    others: Vec<(u8, Text)>,
    pub(super) filled: Vec<u8>,
    pub(super) filled_set: u64,
    taken: u64,
    first: Vec<u32>,
    numbers: Vec<u8>,
    /// (name, value), the list of a name's values in the order in which they came.
    pub(super) unmapped: Vec<(Text, Value)>,
    /// (observable, value).
    pub(super) observed: Vec<(u32, Text)>,
    pub(super) uid: [u8; 16],
    pub(super) weak: bool,
    pub(super) scratch: Vec<u8>,
    pub(super) forms: Forms,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            values: [Value::Int(0); MAX_LEAVES],
            present: 0,
            activity: 0,
            others: Vec::new(),
            filled: Vec::new(),
            filled_set: 0,
            taken: 0,
            first: Vec::new(),
            numbers: Vec::new(),
            unmapped: Vec::new(),
            observed: Vec::new(),
            uid: [0; 16],
            weak: false,
            scratch: Vec::new(),
            forms: Forms::default(),
        }
    }
}

/// What an index entry says of a record: twin of `normalizers.engine.Mapped` without the record.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the fields of `Mapped`
pub struct Mapped {
    pub uid: [u8; 16],
    pub weak: bool,
    pub class_uid: u32,
    pub event_code: Text,
    pub status_id: u32,
    pub time_ms: i64,
    pub computer: Text,
}

/// Map one event, of which `source` has texts of `message`; `labelled` where its sender has labels. None where the reference
/// engine has to.
pub fn map_event(
    plans: &Plans,
    plan: &Plan,
    message: &[u8],
    source: &mut Source,
    arrival_ms: i64,
    labelled: bool,
    run: &mut Run,
) -> Option<Mapped> {
    run.start(plan, message, source);
    let mut engine = Engine { plans, plan, message, source, run };
    engine.ops(&plan.ops);
    engine.mapped(arrival_ms, labelled)
}

impl Run {
    /// Whether anything stands at a leaf.
    fn has(&self, leaf: u8) -> bool {
        self.present & ONLY[usize::from(leaf)] != 0
    }

    /// What stands at a leaf.
    pub(super) fn value(&self, leaf: u8) -> Option<Value> {
        if self.has(leaf) { Some(self.values[usize::from(leaf)]) } else { None }
    }

    /// What stands at a leaf that is present.
    pub(super) fn at(&self, leaf: u8) -> Value {
        self.values[usize::from(leaf)]
    }

    /// Which leaves are present.
    pub(super) fn present(&self) -> Leaves {
        self.present
    }

    fn set(&mut self, leaf: u8, value: Value) {
        self.values[usize::from(leaf)] = value;
        self.present |= ONLY[usize::from(leaf)];
    }

    fn set_all(&mut self, values: &[(u8, Value)]) {
        for &(leaf, value) in values {
            self.set(leaf, value);
        }
    }

    fn fill(&mut self, debug: u8) {
        self.filled.push(debug);
        self.filled_set |= 1 << debug;
    }

    fn start(&mut self, plan: &Plan, message: &[u8], source: &Source) {
        self.present = 0;
        self.activity = plan.activity;
        self.others.clear();
        self.filled.clear();
        self.filled_set = 0;
        self.taken = 0;
        self.unmapped.clear();
        self.observed.clear();
        self.set_all(&plan.start);
        self.first.clear();
        self.first.resize(plan.names.len(), NONE);
        self.numbers.clear();
        for (index, &(name, _)) in (0..).zip(&source.payload) {
            let number = plan.names.find(source.text(message, name)).unwrap_or(UNKNOWN_NAME);
            self.numbers.push(number);
            if let Some(first) = self.first.get_mut(usize::from(number)).filter(|first| **first == NONE) {
                *first = index;
            }
        }
    }
}

pub(super) struct Engine<'a> {
    pub(super) plans: &'a Plans,
    pub(super) plan: &'a Plan,
    pub(super) message: &'a [u8],
    pub(super) source: &'a mut Source,
    pub(super) run: &'a mut Run,
}

impl Engine<'_> {
    pub(super) fn texts(&mut self) -> Texts<'_> {
        Texts::new(self.message, self.source, &self.plans.constants)
    }

    pub(super) fn read(&mut self, input: Input) -> Option<Value> {
        let text = match input {
            Input::Absent => return None,
            Input::Written(leaf) => {
                return self.run.value(leaf).filter(|value| matches!(value, Value::Text(_) | Value::Int(_)));
            }
            Input::Envelope(slot) => match slot.read(self.source)? {
                Value::Text(text) => text,
                value => return Some(value),
            },
            Input::Payload(name) => {
                let first = *self.run.first.get(usize::from(name))?;
                self.source.payload.get(first as usize)?.1
            }
        };
        (!self.plan.is_missing(self.source.text(self.message, text), true)).then_some(Value::Text(text))
    }

    fn ops(&mut self, ops: &[Op]) {
        for op in ops {
            match op {
                Op::Copy(row) => self.copy(row),
                Op::Row(row) => self.row(row),
                Op::Choice(branches) => {
                    for branch in branches {
                        if let Some((test, of)) = branch.test {
                            let Some(value) = self.read(of) else { continue };
                            let mut texts = self.texts();
                            let value = texts.printed(Some(value));
                            if !test(&texts, value, &branch.values) {
                                continue;
                            }
                        }
                        self.run.activity = branch.activity.unwrap_or(self.run.activity);
                        self.ops(&branch.ops);
                        break;
                    }
                }
                Op::Fill(fill) => {
                    let wanted = fill.when.is_none_or(|when| self.run.present & when != 0);
                    if self.run.present & fill.unless == 0 && wanted {
                        self.run.set_all(&fill.constants);
                        if let Some(debug) = fill.debug {
                            self.run.fill(debug);
                        }
                    }
                }
            }
        }
    }

    fn copy(&mut self, row: &Copy) {
        if self.run.has(row.leaf) || self.run.present & row.unless != 0 {
            return;
        }
        let Some(mut value) = self.read(row.input) else { return };
        if row.printed && !matches!(value, Value::Text(_)) {
            value = Value::Text(self.texts().printed(Some(value)));
        }
        self.run.taken |= row.takes;
        self.run.set(row.leaf, value);
    }

    fn row(&mut self, row: &Row) {
        let mut values = [None; MAX_INPUTS];
        let mut any = row.inputs.is_empty();
        for (value, &input) in values.iter_mut().zip(&row.inputs) {
            *value = self.read(input);
            any |= value.is_some();
        }
        if !any || self.run.present & row.unless != 0 {
            return;
        }
        let values = &values[..row.inputs.len()];
        for (transform, targets) in &row.transforms {
            let mut outputs: Outputs = [Output::Nothing; super::MAX_OUTPUTS];
            if transform(&mut self.texts(), values, &row.options, &mut outputs) {
                self.write(row, targets, &outputs);
                return;
            }
        }
    }

    /// Write all outputs, or, where one's leaf is there already, none.
    fn write(&mut self, row: &Row, targets: &[Target], outputs: &Outputs) {
        let mut leaves = 0;
        for (target, output) in targets.iter().zip(outputs) {
            if let (&Target::Leaf { leaf, .. }, Output::Value(_) | Output::Other(_)) = (target, output) {
                leaves |= ONLY[usize::from(leaf)];
            }
        }
        if self.run.present & leaves != 0 {
            return;
        }
        self.run.taken |= row.takes;
        for (&target, &output) in targets.iter().zip(outputs) {
            match (target, output) {
                (Target::Leaf { leaf, .. }, Output::Value(value)) => self.run.set(leaf, value),
                (Target::Leaf { leaf, other }, Output::Other(text)) => {
                    self.run.set(leaf, Value::Int(OTHER_ID));
                    self.run.others.push((other, text));
                }
                (Target::Unmapped(name), Output::Value(value)) => {
                    let texts = Texts::new(self.message, self.source, &self.plans.constants);
                    self.run.unmapped.retain(|&(known, _)| texts.get(known) != texts.get(name));
                    self.run.unmapped.push((name, value));
                }
                _ => {}
            }
        }
    }

    fn mapped(&mut self, arrival_ms: i64, labelled: bool) -> Option<Mapped> {
        let (plan, made) = (self.plan, self.plan.made);
        let time_ms = if let Some(Value::Int(time)) = self.run.value(made.time) {
            time
        } else {
            self.run.fill(plan.time_debug);
            arrival_ms
        };
        self.make_uid()?;
        self.run.set(made.time, Value::Int(time_ms));
        self.run.set(made.logged_time, Value::Int(arrival_ms));
        self.run.set(made.uid, Value::Uid);
        let activity = plan.activities.iter().find(|known| known.number == self.run.activity)?;
        self.run.set_all(&activity.constants);
        self.run.set_all(&plan.facts);
        if !self.run.filled.is_empty() {
            self.run.set(made.debug, Value::Debug);
        }
        if labelled || self.run.weak || self.source.partial || !self.plans.labels.is_empty() {
            self.run.set(made.labels, Value::Labels);
        }
        for at in 0..self.run.others.len() {
            let (caption, text) = self.run.others[at];
            self.run.set(caption, Value::Text(text));
        }
        for &(leaf, value) in &activity.defaults {
            if self.run.value(leaf).is_none() {
                self.run.set(leaf, value);
            }
        }
        self.captions();
        self.leftovers();
        self.observables();
        let text = |leaf: Option<u8>| match leaf.and_then(|leaf| self.run.value(leaf)) {
            None => Some(Text::EMPTY),
            Some(Value::Text(text)) => Some(text),
            Some(_) => None,
        };
        let (event_code, name) = (text(plan.index.event_code)?, text(plan.index.computer)?);
        let computer = if name.is_empty() { text(plan.index.address)? } else { name };
        let status_id = match plan.index.status_id.and_then(|leaf| self.run.value(leaf)) {
            Some(Value::Int(status)) => u32::try_from(status).ok()?,
            Some(Value::Json(_)) => return None,
            _ => 0,
        };
        let Run { uid, weak, .. } = *self.run;
        Some(Mapped { uid, weak, class_uid: plan.class_uid, event_code, status_id, time_ms, computer })
    }

    fn captions(&mut self) {
        for caption in &self.plan.captions {
            let Some(Value::Int(number)) = self.run.value(caption.of) else { continue };
            if let Some(&(_, text)) = caption.names.iter().find(|&&(known, _)| known == number) {
                self.run.set(caption.to, Value::Text(text));
            }
        }
    }

    /// Rule 3: whatever no row took.
    fn leftovers(&mut self) {
        for (index, (&(name, text), &number)) in (0..).zip(self.source.payload.iter().zip(&self.run.numbers)) {
            let known = number != UNKNOWN_NAME;
            let bound = known
                && self.run.taken >> (number & 63) & 1 == 1
                && self.run.first.get(usize::from(number)) == Some(&index);
            let mapped = known && self.plan.names.is_mapped(number);
            if !bound && !self.plan.is_missing(self.source.text(self.message, text), mapped) {
                self.run.unmapped.push((name, Value::Text(text)));
            }
        }
        if !self.run.unmapped.is_empty() {
            let texts = Texts::new(self.message, self.source, &self.plans.constants);
            if self.run.unmapped.len() > 1 {
                self.run.unmapped.sort_by(|&(left, _), &(right, _)| texts.get(left).cmp(texts.get(right)));
            }
            self.run.set(self.plan.made.unmapped, Value::Unmapped);
        }
    }

    fn observables(&mut self) {
        for (place, observable) in (0..).zip(&self.plan.observables) {
            let Some(Value::Text(text)) = self.run.value(observable.of) else { continue };
            if observable.debug.is_some_and(|debug| self.run.filled_set >> debug & 1 == 1) {
                continue;
            }
            let texts = Texts::new(self.message, self.source, &self.plans.constants);
            let seen = self.run.observed.iter().any(|&(other, known)| {
                self.plan.observables[other as usize].type_id == observable.type_id
                    && texts.get(known) == texts.get(text)
            });
            if !seen {
                self.run.observed.push((place, text));
            }
        }
        if !self.run.observed.is_empty() {
            self.run.set(self.plan.made.observables, Value::Observables);
        }
    }
}
