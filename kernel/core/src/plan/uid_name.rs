//! What `metadata.uid` is made of: twin of `make_uid` in `normalizers/uid.py`.

use super::payload_digest::payload_digest;
use super::run::Engine;
use super::{Piece, Spelling, Uid, Value};
use crate::json_out::write_int;
use crate::uid::uuid5;

const UNIT_SEPARATOR: u8 = 0x1f;

impl Engine<'_> {
    /// `metadata.uid` by the first way whose need is present.
    pub(super) fn make_uid(&mut self) -> Option<()> {
        let plan = self.plan;
        let way = plan.uids.iter().find(|way| way.need.is_none_or(|need| self.read(need).is_some()))?;
        let mut name = std::mem::take(&mut self.run.scratch);
        name.clear();
        name.extend_from_slice(&self.plans.namespace);
        self.uid_name(way, &mut name);
        self.run.uid = uuid5(&name);
        self.run.weak = way.weak;
        self.run.scratch = name;
        Some(())
    }

    fn uid_name(&mut self, way: &Uid, name: &mut Vec<u8>) {
        let timed = self.run.filled_set >> self.plan.time_debug & 1 == 0;
        for (place, piece) in way.pieces.iter().enumerate() {
            if place > 0 {
                name.push(UNIT_SEPARATOR);
            }
            match piece {
                Piece::Literal(text) => name.extend_from_slice(self.texts().get(*text)),
                Piece::Payload => payload_digest(self.message, self.source, name),
                Piece::FirstOf(alternatives) => {
                    let found = alternatives.iter().find_map(|&(input, how)| Some((self.read(input)?, how)));
                    if let Some((value, how)) = found {
                        self.spell(value, how, timed, name);
                    }
                }
            }
        }
    }

    fn spell(&mut self, value: Value, how: Spelling, timed: bool, name: &mut Vec<u8>) {
        match (how, value) {
            (Spelling::Seconds, Value::Int(_)) if !timed => {}
            (Spelling::Seconds, Value::Int(ms)) => write_int(name, ms.div_euclid(1000)),
            (Spelling::Tens, Value::Int(ms)) => write_int(name, ms.div_euclid(10_000) * 10),
            (_, Value::Int(number)) => write_int(name, number),
            (_, value) => {
                let start = name.len();
                let mut texts = self.texts();
                let text = texts.printed(Some(value));
                name.extend_from_slice(texts.get(text));
                if how == Spelling::Lower {
                    name[start..].make_ascii_lowercase();
                }
            }
        }
    }
}
