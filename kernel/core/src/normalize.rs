//! A buffer of messages to records, index and tallies: twin of `Normalizer.normalize` and `normalize_events`.
//!
//! What the kernel isn't sure of is left as it is, named by its place among the messages and among the records, for the
//! reference engine to judge.

use std::sync::Mutex;

use crate::index::{Entry, Index};
use crate::json_out::write_text;
use crate::judge::{Context, judge, judge_event};
use crate::judged::Judged;
use crate::plan::{Mapped, Plans, Run, load, map_event, write_record};
use crate::radius::{self, Accounting};
use crate::source::{Source, Text, octets_of};
use crate::tally::Tally;

pub use crate::plan::LoadError;

/// Longest message that is judged here, so that whatever is made of it stays within a [`Text`].
const MAX_MESSAGE: usize = 64 << 20;

/// Largest arena that is kept for the next call.
const MAX_KEPT: usize = 1 << 20;

/// Largest memory of records that is kept: what becomes of a read of a MiB, with room to spare.
const MAX_KEPT_RECORDS: usize = 4 << 20;

/// Most different computers that are told apart.
pub const MAX_COMPUTERS: usize = 16;

/// A profile, loaded.
#[derive(Debug)]
pub struct Normalizer {
    context: Context,
    plans: Plans,
    accounting: Option<Accounting>,
    /// As many as calls ran at once: what they learned of events serves the next ones.
    scratches: Mutex<Vec<Scratch>>,
    /// Memory that held the records of a call: new memory costs a page fault each 4 KiB, more than writing them.
    spare: Mutex<Vec<u8>>,
}

/// What all messages of one call have alike.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// When they arrived, milliseconds since the Unix epoch.
    pub arrival_ms: i64,
    /// Labels of every record, behind the configured ones.
    pub labels: &'a [String],
    /// Whether each message is an event's XML, with no header before it.
    pub events: bool,
    /// How many rejected messages are told one by one.
    pub max_rejects: usize,
}

/// One rejected message, by its place among the messages.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // the fields of `pipeline.model.Reject`
pub struct Reject {
    pub message: u32,
    pub rule: &'static str,
    pub offset: u32,
    pub detail: String,
}

/// What became of a buffer.
#[derive(Clone, Debug, Default)]
pub struct Normalized {
    /// Records, each ended by LF.
    pub records: Vec<u8>,
    /// One entry a record.
    pub index: Index,
    /// Messages understood and unwanted, by event ID.
    pub filtered: Tally,
    /// Messages not understood, by rule.
    pub rejected: Tally,
    /// Rules bent, by name.
    pub warnings: Tally,
    /// Messages that carry no event.
    pub control: u64,
    /// The first rejected messages.
    pub rejects: Vec<Reject>,
    /// Messages left to the reference engine: place among the messages, number of records before it, in turn.
    pub unsure: Vec<u32>,
    /// The different computers that wanted events name; one more than [`MAX_COMPUTERS`] where there are more.
    pub computers: Vec<Box<[u8]>>,
}

/// What is reused from message to message.
#[derive(Debug, Default)]
struct Scratch {
    source: Source,
    run: Run,
}

impl Normalizer {
    /// Load what `normalizers/native_plan.py` wrote.
    ///
    /// # Errors
    ///
    /// It isn't that.
    pub fn load(document: &[u8]) -> Result<Self, LoadError> {
        load(document).map(|(context, plans, accounting)| Self {
            context,
            plans,
            accounting,
            scratches: Mutex::default(),
            spare: Mutex::default(),
        })
    }

    /// Judge the messages of a buffer, whose spans are start, end, start, end ...
    #[must_use]
    pub fn normalize(&self, buffer: &[u8], spans: &[u32], call: &Call<'_>) -> Normalized {
        let mut labels = Vec::new();
        for label in call.labels {
            write_text(&mut labels, label.as_bytes());
            labels.push(b',');
        }
        let (mut scratch, records) = self.lend();
        let mut done = Normalized { records, ..Normalized::default() };
        for (message, span) in (0..).zip(spans.chunks_exact(2)) {
            let octets = buffer.get(span[0] as usize..span[1] as usize).unwrap_or_default();
            if !self.message(message, octets, call, &labels, &mut scratch, &mut done) {
                let at = u32::try_from(done.index.len()).unwrap_or(u32::MAX);
                done.unsure.extend_from_slice(&[message, at]);
            }
        }
        self.keep(scratch);
        done
    }

    /// What is reused from call to call, and memory for records.
    fn lend(&self) -> (Scratch, Vec<u8>) {
        let scratch = self.scratches.lock().ok().and_then(|mut scratches| scratches.pop()).unwrap_or_default();
        let records = self.spare.lock().map(|mut spare| core::mem::take(&mut *spare)).unwrap_or_default();
        (scratch, records)
    }

    fn keep(&self, scratch: Scratch) {
        if scratch.source.arena.capacity() <= MAX_KEPT {
            if let Ok(mut scratches) = self.scratches.lock() {
                scratches.push(scratch);
            }
        }
    }

    /// Take back the memory of records that were copied, for the next call.
    pub fn take_back(&self, mut records: Vec<u8>) {
        if let Ok(mut spare) = self.spare.lock() {
            if (spare.capacity()..=MAX_KEPT_RECORDS).contains(&records.capacity()) {
                records.clear();
                *spare = records;
            }
        }
    }

    /// Judge the verified accounting packets of a buffer; None where the profile has no plan for them.
    #[must_use]
    pub fn normalize_radius(
        &self,
        buffer: &[u8],
        spans: &[u32],
        call: &radius::Call<'_>,
    ) -> Option<radius::Normalized> {
        let accounting = self.accounting.as_ref()?;
        let (mut scratch, records) = self.lend();
        let Scratch { source, run } = &mut scratch;
        let done = accounting.normalize(&self.plans, buffer, spans, call, source, run, records);
        self.keep(scratch);
        Some(done)
    }

    /// Judge one message; false where it is left to the reference engine, and nothing of it is in `done`.
    fn message(
        &self,
        place: u32,
        message: &[u8],
        call: &Call<'_>,
        labels: &[u8],
        scratch: &mut Scratch,
        done: &mut Normalized,
    ) -> bool {
        if message.len() > MAX_MESSAGE {
            return false;
        }
        let Scratch { source, run } = scratch;
        source.clear();
        let judged = if call.events {
            judge_event(message, &self.context, source)
        } else {
            judge(message, &self.context, source)
        };
        match judged {
            Judged::Unsure => return false,
            Judged::Control => done.control += 1,
            Judged::Filtered { event_id } => done.filtered.add(source.text(message, event_id)),
            Judged::Rejected { rule, offset, detail } => {
                done.rejected.add(rule.as_bytes());
                if done.rejects.len() < call.max_rejects {
                    let detail = String::from_utf8_lossy(source.text(message, detail)).into_owned();
                    done.rejects.push(Reject { message: place, rule, offset, detail });
                }
            }
            Judged::Event => {
                if self.event(message, call, labels, source, run, done).is_none() {
                    return false;
                }
            }
        }
        for warning in &source.warnings {
            done.warnings.add(warning.as_bytes());
        }
        true
    }

    fn event(
        &self,
        message: &[u8],
        call: &Call<'_>,
        labels: &[u8],
        source: &mut Source,
        run: &mut Run,
        done: &mut Normalized,
    ) -> Option<()> {
        let envelope = source.envelope;
        let [channel, provider, event_id] =
            [envelope.channel, envelope.provider, envelope.event_id].map(|text| source.text(message, text));
        let plan = self.plans.get(self.context.profile.plan(channel, provider, event_id)?)?;
        let mapped = map_event(&self.plans, plan, message, source, call.arrival_ms, !call.labels.is_empty(), run)?;
        let start = done.records.len();
        write_record(&self.plans, plan, message, source, run, labels, &mut done.records);
        let Ok(length) = u32::try_from(done.records.len() - start) else {
            done.records.truncate(start);
            return None;
        };
        done.records.push(b'\n');
        let text = |text: Text| octets_of(text, message, &source.arena, self.plans.constants());
        let Mapped { uid, weak, class_uid, event_code, status_id, time_ms, computer } = mapped;
        let (event_code, named) = (text(event_code), text(computer));
        done.index.push(&Entry { length, time_ms, class_uid, status_id, event_code, computer: named, weak, uid });
        let computer = text(envelope.computer);
        if done.computers.len() <= MAX_COMPUTERS && !done.computers.iter().any(|known| known.as_ref() == computer) {
            done.computers.push(computer.into());
        }
        Some(())
    }
}
