//! The document that `normalizers/native_plan.py` writes, as it is read: names of its fields are explained there.

use std::collections::HashMap;

use serde::Deserialize;

use crate::layouts::Tables;
use crate::radius::AccountingPart;

#[derive(Debug, Deserialize)]
pub(super) struct Document {
    pub keep_all: bool,
    pub strict: bool,
    pub zone_offset_minutes: i32,
    pub keys: Vec<[String; 3]>,
    pub uid_namespace: String,
    pub labels: Vec<String>,
    pub plans: Vec<KeyedPlan>,
    pub layouts: Tables,
    pub radius: Option<AccountingPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct KeyedPlan {
    pub key: [String; 3],
    pub plan: Option<PlanPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PlanPart {
    pub missing: Vec<String>,
    pub start: Vec<(u8, Constant)>,
    pub ops: Vec<OpPart>,
    pub class_uid: u32,
    pub activity: i64,
    pub activities: Vec<ActivityPart>,
    pub facts: Vec<(u8, Constant)>,
    pub captions: Vec<CaptionPart>,
    pub observables: Vec<ObservablePart>,
    pub uids: Vec<UidPart>,
    pub time_debug: u8,
    pub index: IndexPart,
    pub session: SessionPart,
    pub made: MadePart,
    pub layout: Vec<LayoutPart>,
    pub names: Vec<NamePart>,
    pub debugs: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Constant {
    Text(String),
    Int(i64),
    Json(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OpPart {
    Row(RowPart),
    Choice(Vec<BranchPart>),
    Fill(FillPart),
}

#[derive(Debug, Deserialize)]
pub(super) struct RowPart {
    pub transforms: Vec<TransformPart>,
    pub inputs: Vec<InputPart>,
    pub unless: Vec<u8>,
    pub table: HashMap<String, Constant>,
    pub value: Option<Constant>,
    pub default: i64,
    pub dollar: i64,
}

#[derive(Debug, Deserialize)]
pub(super) struct TransformPart {
    pub name: String,
    pub to: Vec<TargetPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct TargetPart {
    pub leaf: Option<u8>,
    pub other: Option<u8>,
    pub unmapped: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct InputPart {
    pub payload: Option<u8>,
    #[serde(default)]
    pub takes: bool,
    pub envelope: Option<String>,
    pub written: Option<u8>,
}

#[derive(Debug, Deserialize)]
pub(super) struct BranchPart {
    pub test: Option<String>,
    pub of: Option<InputPart>,
    pub values: Vec<String>,
    pub activity: Option<i64>,
    pub ops: Vec<OpPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FillPart {
    pub unless: Vec<u8>,
    pub when: Option<Vec<u8>>,
    pub debug: Option<u8>,
    pub constants: Vec<(u8, Constant)>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ActivityPart {
    pub activity: i64,
    pub constants: Vec<(u8, Constant)>,
    pub defaults: Vec<(u8, Constant)>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CaptionPart {
    pub of: u8,
    pub to: u8,
    pub names: Vec<(i64, String)>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ObservablePart {
    pub of: u8,
    pub type_id: i64,
    pub head: String,
    pub debug: Option<u8>,
}

#[derive(Debug, Deserialize)]
pub(super) struct UidPart {
    pub parts: Vec<UidPiece>,
    pub need: Option<InputPart>,
    pub weak: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct UidPiece {
    pub literal: Option<String>,
    #[serde(default)]
    pub payload: bool,
    #[serde(default)]
    pub first_of: Vec<SpelledPart>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SpelledPart {
    pub input: InputPart,
    pub how: String,
}

#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names)] // names of the index
pub(super) struct IndexPart {
    pub status_id: Option<u8>,
    pub event_code: Option<u8>,
    pub computer: Option<u8>,
    pub address: Option<u8>,
}

#[derive(Debug, Deserialize)]
pub(super) struct SessionPart {
    pub nas: Option<u8>,
    pub nas_name: Option<u8>,
    pub id: Option<u8>,
    pub user: Option<u8>,
    pub domain: Option<u8>,
    pub address: Option<u8>,
    pub client: Option<u8>,
    pub started: Option<u8>,
}

#[derive(Debug, Deserialize)]
pub(super) struct MadePart {
    pub time: u8,
    pub logged_time: u8,
    pub uid: u8,
    pub debug: u8,
    pub labels: u8,
    pub observables: u8,
    pub unmapped: u8,
}

#[derive(Debug, Deserialize)]
pub(super) struct LayoutPart {
    pub text: Option<String>,
    pub leaf: Option<u8>,
    pub key: Option<String>,
    #[serde(default)]
    pub leaves: Vec<u8>,
    pub inside: Option<Vec<LayoutPart>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct NamePart {
    pub name: String,
    pub mapped: bool,
}
