//! Verified packets to records: twin of `normalizers/radius.py` and of `Normalizer.normalize_radius`.

use std::collections::HashMap;

use serde::Deserialize;

use super::changes::write_change;
use super::dictionary::{Dictionary, DictionaryPart};
use super::named::Reader;
use super::packet::{Attributes, HEADER, packet_of, span_of};
use crate::index::{Entry, Index};
use crate::json_out::write_text;
use crate::plan::{Mapped, Plan, Plans, Run, SessionTexts, map_event, session_of, write_record};
use crate::source::{Source, Text, octets_of};

/// Octets that most records stay below.
const USUAL_RECORD: usize = 1536;

/// What Python says of accounting, beside the plans.
#[derive(Debug, Deserialize)]
pub(crate) struct AccountingPart {
    dictionary: DictionaryPart,
    status_type: u8,
    session_id: u8,
    plans: Vec<(u32, usize)>,
    any: usize,
    events: Vec<(String, u8)>,
    restart: u8,
}

/// How accounting packets are mapped.
#[derive(Clone, Debug)]
pub struct Accounting {
    dictionary: Dictionary,
    status_type: u8,
    session_id: u8,
    plans: HashMap<u32, usize>,
    any: usize,
    events: Vec<(Box<[u8]>, u8)>,
    restart: u8,
}

/// What all packets of one call have alike.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The address they came from.
    pub peer: &'a str,
    /// When they arrived, milliseconds since the Unix epoch.
    pub arrival_ms: i64,
    /// Who made their sender, as configured.
    pub vendor: &'a str,
    /// Labels of every record, behind the configured ones.
    pub labels: &'a [String],
    /// A second duplicate key of each packet, or none.
    pub aliases: &'a [u8],
}

/// What became of a buffer.
#[derive(Clone, Debug, Default)]
pub struct Normalized {
    /// Records, each ended by LF.
    pub records: Vec<u8>,
    /// One entry a record.
    pub index: Index,
    /// The alias of each record's packet.
    pub aliases: Vec<u8>,
    /// What each record says of a session.
    pub changes: Vec<u8>,
    /// Packets left to the reference engine: place among the packets, number of records before it, in turn.
    pub unsure: Vec<u32>,
}

impl Accounting {
    /// Of its data; None where a type of the dictionary is unknown.
    pub(crate) fn new(part: AccountingPart) -> Option<Self> {
        Some(Self {
            dictionary: Dictionary::new(part.dictionary)?,
            status_type: part.status_type,
            session_id: part.session_id,
            plans: part.plans.into_iter().collect(),
            any: part.any,
            events: part.events.into_iter().map(|(name, event)| (name.into_bytes().into(), event)).collect(),
            restart: part.restart,
        })
    }

    /// Judge the packets of a buffer, whose spans are start, end, start, end ..., with what was learned of earlier ones, writing
    /// into memory of earlier records.
    #[must_use]
    #[allow(clippy::too_many_arguments)] // what is reused from call to call
    pub fn normalize(
        &self,
        plans: &Plans,
        buffer: &[u8],
        spans: &[u32],
        call: &Call<'_>,
        source: &mut Source,
        run: &mut Run,
        records: Vec<u8>,
    ) -> Normalized {
        let mut labels = Vec::new();
        for label in call.labels {
            write_text(&mut labels, label.as_bytes());
            labels.push(b',');
        }
        let mut done = Normalized { records, ..Normalized::default() };
        done.records.reserve(spans.len() / 2 * USUAL_RECORD);
        for (place, span) in (0..).zip(spans.chunks_exact(2)) {
            let packet = span_of(buffer, span);
            if self.packet(plans, packet, call, &labels, source, run, &mut done).is_some() {
                done.aliases.extend_from_slice(call.aliases.chunks_exact(16).nth(place).unwrap_or_default());
            } else {
                let numbers = [place, done.index.len()].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
                done.unsure.extend(numbers);
            }
        }
        done
    }

    /// Judge one packet; None where it is left to the reference engine, and nothing of it is in `done`.
    #[allow(clippy::too_many_arguments)] // what is reused from packet to packet
    fn packet(
        &self,
        plans: &Plans,
        message: &[u8],
        call: &Call<'_>,
        labels: &[u8],
        source: &mut Source,
        run: &mut Run,
        done: &mut Normalized,
    ) -> Option<()> {
        let packet = packet_of(message)?;
        let status_type = self.status_type(packet)?;
        source.clear();
        Reader { dictionary: &self.dictionary, source, tunnel: 0 }.packet(packet, HEADER)?;
        let (peer, vendor) = (source.copy(call.peer.as_bytes()), source.copy(call.vendor.as_bytes()));
        let envelope = &mut source.envelope;
        (envelope.peer, envelope.vendor) = (peer, vendor);
        (envelope.status_type, envelope.arrival_ms) = (Some(i64::from(status_type)), Some(call.arrival_ms));
        let plan = plans.get(self.plans.get(&status_type).copied().unwrap_or(self.any))?;
        let mapped = map_event(plans, plan, packet, source, call.arrival_ms, !call.labels.is_empty(), run)?;
        self.keep(plans, plan, packet, labels, source, run, &mapped, done)
    }

    #[allow(clippy::too_many_arguments)] // the same
    fn keep(
        &self,
        plans: &Plans,
        plan: &Plan,
        packet: &[u8],
        labels: &[u8],
        source: &mut Source,
        run: &mut Run,
        mapped: &Mapped,
        done: &mut Normalized,
    ) -> Option<()> {
        let &Mapped { uid, weak, class_uid, event_code, status_id, time_ms, computer } = mapped;
        let session = session_of(plan, run);
        let code = octets_of(event_code, packet, &source.arena, plans.constants());
        let event = self.events.iter().find(|(name, _)| name.as_ref() == code).map_or(0, |&(_, event)| event);
        if session.id.is_empty() && event != self.restart {
            return None;
        }
        let start = done.records.len();
        write_record(plans, plan, packet, source, run, labels, &mut done.records);
        let Ok(length) = u32::try_from(done.records.len() - start) else {
            done.records.truncate(start);
            return None;
        };
        done.records.push(b'\n');
        let text = |text: Text| octets_of(text, packet, &source.arena, plans.constants());
        let entry = Entry {
            length,
            time_ms,
            class_uid,
            status_id,
            event_code: text(event_code),
            computer: text(computer),
            weak,
            uid,
        };
        done.index.push(&entry);
        let SessionTexts { nas, id, user, domain, address, client, started_at_ms } = session;
        let id = if event == self.restart { Text::EMPTY } else { id };
        write_change(
            event,
            time_ms,
            started_at_ms,
            [nas, id, user, domain, address, client].map(text),
            &mut done.changes,
        );
        Some(())
    }

    /// The number of the first Acct-Status-Type, if that and the first Acct-Session-Id are of the ordinary form.
    fn status_type(&self, packet: &[u8]) -> Option<u32> {
        let value = |kind: u8| {
            let found = Attributes::new(packet, HEADER).find(|attribute| attribute.kind == kind);
            found.map(|attribute| &packet[attribute.start..attribute.end])
        };
        if !value(self.session_id).is_none_or(is_plain) {
            return None;
        }
        value(self.status_type)?.try_into().ok().map(u32::from_be_bytes)
    }
}

/// Whether octets are printable ASCII, so that there is no doubt that they are text.
fn is_plain(octets: &[u8]) -> bool {
    octets.iter().all(|octet| (b' '..=b'~').contains(octet))
}
