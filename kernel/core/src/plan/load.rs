//! Loading the document of `normalizers/native_plan.py`: names to functions, texts to constants, lists of leaves to sets.

use super::document::{
    BranchPart, Constant, Document, FillPart, InputPart, LayoutPart, OpPart, PlanPart, RowPart, SpelledPart,
    TargetPart, UidPart,
};
use super::names::Names;
use super::read::Slot;
use super::session;
use super::{
    Activity, Branch, Caption, Copy, Fill, IndexLeaves, Input, Leaves, MAX_INPUTS, MAX_LEAVES, MAX_OUTPUTS, Made, ONLY,
    Observable, Op, Options, Piece, Plan, Plans, Row, Spelling, Step, Target, Uid, Value,
};
use crate::json_out::write_text;
use crate::judge::Context;
use crate::profile::{EventKey, Profile};
use crate::radius::Accounting;
use crate::source::{MAX_OCTETS, Text};
use crate::transforms::{test, transform};
use crate::uid::parse_uuid;

const MAX_NUMBER: usize = 64;

/// Why a document isn't one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError(String);

impl std::fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for LoadError {}

type Loaded<T> = Result<T, LoadError>;

fn demand(holds: bool, what: &str) -> Loaded<()> {
    if holds { Ok(()) } else { Err(LoadError(what.into())) }
}

/// Load a document.
///
/// # Errors
///
/// It isn't JSON of that form, or it names what this kernel doesn't have.
pub fn load(document: &[u8]) -> Loaded<(Context, Plans, Option<Accounting>)> {
    let document: Document = serde_json::from_slice(document).map_err(|error| LoadError(error.to_string()))?;
    let namespace = parse_uuid(&document.uid_namespace).ok_or_else(|| LoadError("uid_namespace".into()))?;
    let mut labels = Vec::new();
    for label in &document.labels {
        write_text(&mut labels, label.as_bytes());
        labels.push(b',');
    }
    let mut pool = Pool::default();
    let (mut keys, mut plans) = (Vec::new(), Vec::new());
    for (number, keyed) in document.plans.into_iter().enumerate() {
        keys.push((event_key(keyed.key), number));
        plans.push(keyed.plan.as_ref().map(|part| pool.plan(number, part)).transpose()?);
    }
    demand(pool.constants.len() < MAX_OCTETS, "too many constants")?;
    let wanted = document.keys.into_iter().map(event_key).collect();
    let context = Context {
        profile: Profile::new(wanted, keys, document.keep_all),
        strict: document.strict,
        zone_offset_minutes: document.zone_offset_minutes,
        layouts: document.layouts,
    };
    let accounting = document.radius.map(|part| Accounting::new(part).ok_or_else(|| LoadError("dictionary".into())));
    let plans = Plans { constants: pool.constants, namespace, labels, by_number: plans };
    Ok((context, plans, accounting.transpose()?))
}

fn event_key([channel, provider, event_id]: [String; 3]) -> EventKey {
    EventKey { channel, provider, event_id }
}

/// Constants, collected as they come.
#[derive(Default)]
struct Pool {
    constants: Vec<u8>,
}

impl Pool {
    fn text(&mut self, text: &str) -> Text {
        let start = self.constants.len();
        self.constants.extend_from_slice(text.as_bytes());
        Text::in_constants(start, self.constants.len())
    }

    fn value(&mut self, constant: &Constant) -> Value {
        match constant {
            Constant::Text(text) => Value::Text(self.text(text)),
            Constant::Int(number) => Value::Int(*number),
            Constant::Json(json) => Value::Json(self.text(json)),
        }
    }

    fn values(&mut self, constants: &[(u8, Constant)]) -> Loaded<Vec<(u8, Value)>> {
        constants.iter().map(|(leaf, constant)| Ok((checked_leaf(*leaf)?, self.value(constant)))).collect()
    }

    fn plan(&mut self, number: usize, part: &PlanPart) -> Loaded<Plan> {
        demand(part.names.len() <= MAX_NUMBER && part.debugs.len() <= MAX_NUMBER, "too many names")?;
        demand(usize::from(part.time_debug) < part.debugs.len(), "time_debug")?;
        let mut layout = Vec::new();
        self.layout(&part.layout, &mut layout)?;
        let made = Made {
            time: checked_leaf(part.made.time)?,
            logged_time: checked_leaf(part.made.logged_time)?,
            uid: checked_leaf(part.made.uid)?,
            debug: checked_leaf(part.made.debug)?,
            labels: checked_leaf(part.made.labels)?,
            observables: checked_leaf(part.made.observables)?,
            unmapped: checked_leaf(part.made.unmapped)?,
        };
        let index = IndexLeaves {
            status_id: part.index.status_id.map(checked_leaf).transpose()?,
            event_code: part.index.event_code.map(checked_leaf).transpose()?,
            computer: part.index.computer.map(checked_leaf).transpose()?,
            address: part.index.address.map(checked_leaf).transpose()?,
        };
        let session = session::Leaves {
            nas: part.session.nas.map(checked_leaf).transpose()?,
            nas_name: part.session.nas_name.map(checked_leaf).transpose()?,
            id: part.session.id.map(checked_leaf).transpose()?,
            user: part.session.user.map(checked_leaf).transpose()?,
            domain: part.session.domain.map(checked_leaf).transpose()?,
            address: part.session.address.map(checked_leaf).transpose()?,
            client: part.session.client.map(checked_leaf).transpose()?,
            started: part.session.started.map(checked_leaf).transpose()?,
        };
        let activities = part.activities.iter().map(|activity| {
            let (constants, defaults) = (self.values(&activity.constants)?, self.values(&activity.defaults)?);
            Ok(Activity { number: activity.activity, constants, defaults })
        });
        let activities = activities.collect::<Loaded<_>>()?;
        let captions = part.captions.iter().map(|caption| {
            let names = caption.names.iter().map(|(number, name)| (*number, self.text(name))).collect();
            Ok(Caption { of: checked_leaf(caption.of)?, to: checked_leaf(caption.to)?, names })
        });
        let captions = captions.collect::<Loaded<_>>()?;
        let observables = part.observables.iter().map(|observable| {
            let head = self.text(&observable.head);
            let debug = observable.debug.map(checked_number).transpose()?;
            Ok(Observable { of: checked_leaf(observable.of)?, type_id: observable.type_id, head, debug })
        });
        let observables = observables.collect::<Loaded<_>>()?;
        Ok(Plan {
            number,
            longest_missing: part.missing.iter().map(String::len).max().unwrap_or_default(),
            missing: part.missing.iter().map(|text| text.as_bytes().into()).collect(),
            names: Names::new(part.names.iter().map(|name| (name.name.as_bytes().into(), name.mapped)).collect()),
            start: self.values(&part.start)?,
            ops: self.ops(&part.ops)?,
            class_uid: part.class_uid,
            activity: part.activity,
            activities,
            facts: self.values(&part.facts)?,
            captions,
            observables,
            uids: part.uids.iter().map(|uid| self.uid(uid)).collect::<Loaded<_>>()?,
            made,
            time_debug: part.time_debug,
            index,
            session,
            layout,
            debugs: part.debugs.iter().map(|debug| self.text(debug)).collect(),
        })
    }

    fn ops(&mut self, parts: &[OpPart]) -> Loaded<Vec<Op>> {
        let op = |part: &OpPart| match part {
            OpPart::Row(row) => self.row(row).map(|loaded| shortened(row, &loaded).unwrap_or(Op::Row(loaded))),
            OpPart::Choice(branches) => {
                branches.iter().map(|branch| self.branch(branch)).collect::<Loaded<_>>().map(Op::Choice)
            }
            OpPart::Fill(fill) => self.fill(fill).map(Op::Fill),
        };
        parts.iter().map(op).collect()
    }

    fn row(&mut self, part: &RowPart) -> Loaded<Row> {
        demand(part.inputs.len() <= MAX_INPUTS, "too many inputs")?;
        let transforms = part.transforms.iter().map(|named| {
            let found = transform(&named.name).ok_or_else(|| LoadError(format!("no transform {}", named.name)))?;
            demand(named.to.len() <= MAX_OUTPUTS, "too many targets")?;
            Ok((found, named.to.iter().map(|to| self.target(to)).collect::<Loaded<_>>()?))
        });
        let transforms = transforms.collect::<Loaded<_>>()?;
        let table = part.table.iter().map(|(text, constant)| (text.as_bytes().into(), self.value(constant)));
        let mut table: Vec<(Box<[u8]>, Value)> = table.collect();
        table.sort_by(|(left, _), (right, _)| left.cmp(right));
        let value = part.value.as_ref().map(|constant| self.value(constant));
        Ok(Row {
            transforms,
            inputs: part.inputs.iter().map(input).collect::<Loaded<_>>()?,
            takes: takes(&part.inputs)?,
            unless: leaves(&part.unless)?,
            options: Options { table, value, default: part.default, dollar: part.dollar },
        })
    }

    fn target(&mut self, part: &TargetPart) -> Loaded<Target> {
        match (part.leaf, &part.unmapped) {
            (Some(leaf), None) => {
                Ok(Target::Leaf { leaf: checked_leaf(leaf)?, other: checked_leaf(part.other.unwrap_or_default())? })
            }
            (None, Some(name)) => Ok(Target::Unmapped(self.text(name))),
            _ => Err(LoadError("a target is a leaf or unmapped".into())),
        }
    }

    fn branch(&mut self, part: &BranchPart) -> Loaded<Branch> {
        let found = match (&part.test, &part.of) {
            (Some(name), Some(of)) => {
                Some((test(name).ok_or_else(|| LoadError(format!("no test {name}")))?, input(of)?))
            }
            _ => None,
        };
        let values = part.values.iter().map(|value| value.as_bytes().into()).collect();
        Ok(Branch { test: found, values, activity: part.activity, ops: self.ops(&part.ops)? })
    }

    fn fill(&mut self, part: &FillPart) -> Loaded<Fill> {
        Ok(Fill {
            unless: leaves(&part.unless)?,
            when: part.when.as_deref().map(leaves).transpose()?,
            debug: part.debug.map(checked_number).transpose()?,
            constants: self.values(&part.constants)?,
        })
    }

    fn uid(&mut self, part: &UidPart) -> Loaded<Uid> {
        let pieces = part.parts.iter().map(|piece| match &piece.literal {
            Some(text) => Ok(Piece::Literal(self.text(text))),
            None if piece.payload => Ok(Piece::Payload),
            None => piece.first_of.iter().map(spelled).collect::<Loaded<_>>().map(Piece::FirstOf),
        });
        let pieces = pieces.collect::<Loaded<_>>()?;
        Ok(Uid { pieces, need: part.need.as_ref().map(input).transpose()?, weak: part.weak })
    }

    fn layout(&mut self, parts: &[LayoutPart], steps: &mut Vec<Step>) -> Loaded<()> {
        for part in parts {
            match (&part.text, &part.key, part.leaf, &part.inside) {
                (Some(text), None, None, None) => steps.push(Step::Fixed(self.text(text))),
                (None, Some(key), Some(leaf), None) => steps.push(Step::Leaf(self.text(key), checked_leaf(leaf)?)),
                (None, Some(key), None, Some(inside)) => {
                    let (at, key) = (steps.len(), self.text(key));
                    steps.push(Step::Close);
                    self.layout(inside, steps)?;
                    steps[at] = Step::Open(key, leaves(&part.leaves)?, steps.len());
                }
                (None, None, None, None) => steps.push(Step::Close),
                _ => return Err(LoadError("a step is a text, a leaf, an object or an end".into())),
            }
        }
        Ok(())
    }
}

/// The row as a [`Copy`] or a [`Fill`], if it is no more.
fn shortened(part: &RowPart, row: &Row) -> Option<Op> {
    let [(_, targets)] = row.transforms.as_slice() else { return None };
    let &[Target::Leaf { leaf, .. }] = targets.as_slice() else { return None };
    let &Row { takes, unless, .. } = row;
    match (part.transforms.first()?.name.as_str(), row.inputs.as_slice()) {
        ("copy", &[input]) => Some(Op::Copy(Copy { input, leaf, printed: false, takes, unless })),
        ("text", &[input]) => Some(Op::Copy(Copy { input, leaf, printed: true, takes, unless })),
        ("const", []) => {
            let constants = vec![(leaf, row.options.value?)];
            Some(Op::Fill(Fill { unless: unless | ONLY[usize::from(leaf)], when: None, debug: None, constants }))
        }
        _ => None,
    }
}

fn spelled(part: &SpelledPart) -> Loaded<(Input, Spelling)> {
    let how = match part.how.as_str() {
        "lower" => Spelling::Lower,
        "seconds" => Spelling::Seconds,
        "tens" => Spelling::Tens,
        _ => Spelling::AsItIs,
    };
    Ok((input(&part.input)?, how))
}

fn input(part: &InputPart) -> Loaded<Input> {
    Ok(match (part.payload, &part.envelope, part.written) {
        (Some(name), None, None) => Input::Payload(checked_number(name)?),
        (None, Some(name), None) => Slot::of(name).map_or(Input::Absent, Input::Envelope),
        (None, None, Some(leaf)) => Input::Written(checked_leaf(leaf)?),
        _ => Input::Absent,
    })
}

/// The payload names that a row takes.
fn takes(parts: &[InputPart]) -> Loaded<u64> {
    let mut names = parts.iter().filter(|part| part.takes).filter_map(|part| part.payload);
    names.try_fold(0, |set, name| Ok(set | 1 << checked_number(name)?))
}

fn leaves(numbers: &[u8]) -> Loaded<Leaves> {
    numbers.iter().try_fold(0, |set, &leaf| Ok(set | 1 << checked_leaf(leaf)?))
}

fn checked_leaf(leaf: u8) -> Loaded<u8> {
    demand(usize::from(leaf) < MAX_LEAVES, "too many leaves").map(|()| leaf)
}

fn checked_number(number: u8) -> Loaded<u8> {
    demand(usize::from(number) < MAX_NUMBER, "too many names").map(|()| number)
}
