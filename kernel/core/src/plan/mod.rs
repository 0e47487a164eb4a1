//! Plans as they are run: `normalizers/plan.py` with every name a number. [`load`] reads them out of Python's document,
//! [`map_event`] is the twin of `normalizers.engine.map_event`, [`write_record`] that of `encode_record`.

mod document;
mod form;
mod load;
mod names;
mod payload_digest;
mod read;
mod record;
mod run;
mod session;
mod uid_name;

pub use load::{LoadError, load};
pub use record::write_record;
pub use run::{Mapped, Run, map_event};
pub use session::{SessionTexts, session_of};

use crate::source::Text;
use crate::transforms::{Test, Transform};
use names::Names;

/// Most leaves of a plan: as many as a [`Leaves`] has bits.
pub const MAX_LEAVES: usize = 128;

/// Most inputs of a row.
pub const MAX_INPUTS: usize = 4;

/// Most paths that one transform writes.
pub const MAX_OUTPUTS: usize = 4;

/// A set of leaves, one bit each.
pub type Leaves = u128;

/// The set of one leaf: a look-up, since shifting 128 bits takes several steps.
const ONLY: [Leaves; MAX_LEAVES] = {
    let mut sets = [1; MAX_LEAVES];
    let mut leaf = 1;
    while leaf < MAX_LEAVES {
        sets[leaf] = sets[leaf - 1] << 1;
        leaf += 1;
    }
    sets
};

/// What stands at a leaf, or comes out of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Text),
    /// A number.
    Int(i64),
    /// A constant that is JSON already.
    Json(Text),
    /// The words of a text, as a list.
    Words(Text),
    /// `metadata.uid`.
    Uid,
    /// `metadata.debug`: what was invented.
    Debug,
    /// `metadata.labels`.
    Labels,
    /// `observables`.
    Observables,
    /// `unmapped`.
    Unmapped,
}

/// What a transform may be told beside its inputs: twin of `normalizers.plan.Options`.
#[derive(Clone, Debug)]
pub struct Options {
    table: Vec<(Box<[u8]>, Value)>,
    /// A constant.
    pub value: Option<Value>,
    /// The number where no rule applies.
    pub default: i64,
    /// The number of a name that ends in `$`.
    pub dollar: i64,
}

impl Options {
    /// What the table has for a text.
    #[must_use]
    pub fn look_up(&self, text: &[u8]) -> Option<Value> {
        self.table.binary_search_by(|(key, _)| key.as_ref().cmp(text)).ok().map(|at| self.table[at].1)
    }
}

/// All plans, their constants, and what every record of a configuration says alike.
#[derive(Clone, Debug)]
pub struct Plans {
    constants: Vec<u8>,
    namespace: [u8; 16],
    labels: Vec<u8>,
    by_number: Vec<Option<Plan>>,
}

impl Plans {
    /// What texts in constants are texts of.
    #[must_use]
    pub fn constants(&self) -> &[u8] {
        &self.constants
    }

    /// The plan of a number; None where its events are the reference engine's.
    #[must_use]
    pub fn get(&self, number: usize) -> Option<&Plan> {
        self.by_number.get(number)?.as_ref()
    }
}

/// How one event is mapped.
#[derive(Clone, Debug)]
pub struct Plan {
    number: usize,
    missing: Vec<Box<[u8]>>,
    longest_missing: usize,
    names: Names,
    start: Vec<(u8, Value)>,
    ops: Vec<Op>,
    class_uid: u32,
    activity: i64,
    activities: Vec<Activity>,
    facts: Vec<(u8, Value)>,
    captions: Vec<Caption>,
    observables: Vec<Observable>,
    uids: Vec<Uid>,
    made: Made,
    time_debug: u8,
    index: IndexLeaves,
    session: session::Leaves,
    layout: Vec<Step>,
    debugs: Vec<Text>,
}

#[derive(Clone, Debug)]
enum Op {
    Copy(Copy),
    Row(Row),
    Choice(Vec<Branch>),
    Fill(Fill),
}

#[derive(Clone, Debug)]
struct Row {
    transforms: Vec<(Transform, Vec<Target>)>,
    inputs: Vec<Input>,
    /// The payload names that aren't left over once the row has written, one bit each.
    takes: u64,
    unless: Leaves,
    options: Options,
}

/// The commonest row by far: one input, as it is or as text, to one leaf.
#[derive(Clone, Copy, Debug)]
struct Copy {
    input: Input,
    leaf: u8,
    printed: bool,
    takes: u64,
    unless: Leaves,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    Leaf { leaf: u8, other: u8 },
    Unmapped(Text),
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Absent,
    Payload(u8),
    Envelope(read::Slot),
    Written(u8),
}

#[derive(Clone, Debug)]
struct Branch {
    test: Option<(Test, Input)>,
    values: Vec<Box<[u8]>>,
    activity: Option<i64>,
    ops: Vec<Op>,
}

#[derive(Clone, Debug)]
struct Fill {
    unless: Leaves,
    when: Option<Leaves>,
    debug: Option<u8>,
    constants: Vec<(u8, Value)>,
}

#[derive(Clone, Debug)]
struct Activity {
    number: i64,
    constants: Vec<(u8, Value)>,
    defaults: Vec<(u8, Value)>,
}

#[derive(Clone, Debug)]
struct Caption {
    of: u8,
    to: u8,
    names: Vec<(i64, Text)>,
}

#[derive(Clone, Debug)]
struct Observable {
    of: u8,
    type_id: i64,
    head: Text,
    debug: Option<u8>,
}

#[derive(Clone, Debug)]
struct Uid {
    pieces: Vec<Piece>,
    need: Option<Input>,
    weak: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Text),
    Payload,
    FirstOf(Vec<(Input, Spelling)>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    AsItIs,
    Lower,
    Seconds,
    Tens,
}

/// The leaves that the engine itself writes.
#[derive(Clone, Copy, Debug)]
struct Made {
    time: u8,
    logged_time: u8,
    uid: u8,
    debug: u8,
    labels: u8,
    observables: u8,
    unmapped: u8,
}

/// The leaves that an index entry is made of.
#[derive(Clone, Copy, Debug)]
struct IndexLeaves {
    status_id: Option<u8>,
    event_code: Option<u8>,
    computer: Option<u8>,
    address: Option<u8>,
}

/// A step of writing a record.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Members that are the same in every record.
    Fixed(Text),
    /// A member, if it is present: key and leaf.
    Leaf(Text, u8),
    /// The beginning of an object; steps until the given one are left out where none of its leaves is present.
    Open(Text, Leaves, usize),
    /// The end of an object, in the place of its last comma.
    Close,
}
