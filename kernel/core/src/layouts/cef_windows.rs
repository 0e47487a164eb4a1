//! Windows events in CEF. Twin of `wire/layouts/cef_windows.py`, whose table says what the keys mean.

use memchr::{memchr, memchr2, memrchr};

use super::assemble::{
    complete, is_unwanted, says_audit, set_event_id, set_keywords, set_provider, time_warning, verdict, warn,
};
use super::cef::{Header, parse_header, scan_extension, unescape};
use super::cef_names::{Names, Slot, repeats};
use super::cef_scan;
use super::few::Few;
use super::payload::{decimal, is_white, without_bom};
use crate::event_time::{parse_epoch_ms, parse_iso, parse_rsa};
use crate::judge::Context;
use crate::judged::Judged;
use crate::octets::{run, trim};
use crate::source::{EventTime, Source, Text};

const NOT_OURS: &str = "not-a-windows-event";
/// A syslog header stood before the message.
pub const HEADED: &str = "syslog-header";
const TRANSLATED: &str = "localised-label";
const RESULT_CODE: &[u8] = b"Reason or Error Code";
const MAX_PROVIDER: usize = 256;
const MAX_DETAIL: usize = 64;
const MAX_COLUMNS: usize = 48;

/// Slots whose names no event's data bear.
const ENVELOPE: [Slot; 5] = [Slot::ExternalId, Slot::Rt, Slot::Cat, Slot::Dhost, Slot::EventSource];

/// What `NXLog` puts beside the event, and takes from its data.
const OF_NXLOG: [Slot; 9] = [
    Slot::RecordNumber,
    Slot::Version,
    Slot::TaskValue,
    Slot::OpcodeValue,
    Slot::ProviderGuid,
    Slot::ProcessId,
    Slot::ThreadId,
    Slot::ActivityId,
    Slot::UserId,
];

/// Judge the payload that begins at `start`, behind a syslog header or none. None where only the twin can tell.
#[must_use]
pub fn judge(message: &[u8], start: usize, headed: bool, context: &Context, source: &mut Source) -> Option<Judged> {
    let payload = message.get(start..)?;
    let text = without_bom(payload);
    std::str::from_utf8(text).ok()?;
    let begin = run(message, message.len() - text.len(), usize::MAX, is_white);
    let end = begin + trim(message.get(begin..)?).len();
    let front = parse_header(message.get(begin..end)?)?;
    let signature = parse_signature(front.signature)?;
    if !signature.is_empty() {
        let filtered = cef_scan::filter(message, begin + front.end, end, headed, context, source);
        if filtered.is_some() {
            return filtered;
        }
    }
    scan_extension(message, begin + front.end, end, source)?;
    let names = Names::of(message, source)?;
    let mut event = Event { message, context, source, names, moved: 0, again: None };
    if signature.is_empty() && !event.has_identity() {
        return event.refuse(&front, start);
    }
    event.read(signature, headed)
}

/// Who wrote the event: all before the last colon of a signature, behind which the event's ID stands. Empty where the field
/// isn't of that form, None where only the twin can tell.
fn parse_signature(field: &[u8]) -> Option<&[u8]> {
    if memchr(b'\\', field).is_some() {
        return None;
    }
    let Some(colon) = memrchr(b':', field) else { return Some(b"") };
    let (provider, id) = (field.get(..colon)?, field.get(colon + 1..)?);
    if decimal(id).is_none() || memchr2(b'\r', b'\n', provider).is_some() {
        return Some(b"");
    }
    (provider.len() <= MAX_PROVIDER).then_some(provider)
}

/// The pairs of one message on their way to an event. `moved` are those whose value stands under another name now, `again`
/// those whose name stood before.
struct Event<'a> {
    message: &'a [u8],
    context: &'a Context,
    source: &'a mut Source,
    names: Names,
    moved: u128,
    again: Option<u128>,
}

impl<'a> Event<'a> {
    /// The value of a slot, empty where it is missing.
    fn value(&mut self, slot: Slot) -> Text {
        match self.names.get(slot).and_then(|number| self.source.payload.get(number)) {
            Some(&(_, raw)) => unescape(self.message, raw, self.source),
            None => Text::EMPTY,
        }
    }

    /// The first of some slots' values that isn't empty. If it isn't the first slot's, it stands there from now on.
    fn take(&mut self, slots: &[Slot]) -> Text {
        for (number, &slot) in slots.iter().enumerate() {
            let value = self.value(slot);
            if !value.is_empty() {
                if number > 0 {
                    self.moved |= self.names.get(slot).map_or(0, |pair| 1 << pair);
                }
                return value;
            }
        }
        Text::EMPTY
    }

    fn again(&mut self) -> u128 {
        *self.again.get_or_insert_with(|| repeats(self.message, &self.names, self.source))
    }

    /// The pairs that no event's data bear.
    fn envelope(&self) -> u128 {
        ENVELOPE.iter().filter_map(|&slot| self.names.get(slot)).fold(0, |pairs, pair| pairs | 1 << pair)
    }

    fn has_identity(&mut self) -> bool {
        let keys: [&[Slot]; 3] = [&[Slot::ExternalId, Slot::EventId], &[Slot::Cat, Slot::Channel], &[Slot::SourceName]];
        keys.iter().all(|slots| slots.iter().any(|&slot| !self.value(slot).is_empty()))
    }

    /// A message that nobody claims to be a Windows event.
    fn refuse(&mut self, front: &Header<'_>, start: usize) -> Option<Judged> {
        let facts = [front.vendor, front.product, front.signature];
        if facts.iter().any(|field| memchr(b'\\', field).is_some()) {
            return None;
        }
        let begin = self.source.arena.len();
        let detail = facts.map(|field| std::str::from_utf8(field).unwrap_or_default());
        let octets =
            detail.iter().enumerate().flat_map(|(at, field)| (at > 0).then_some('|').into_iter().chain(field.chars()));
        for character in octets.take(MAX_DETAIL) {
            self.source.arena.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let detail = self.source.since(begin);
        Some(Judged::Rejected { rule: NOT_OURS, offset: u32::try_from(start).ok()?, detail })
    }

    fn read(mut self, signature: &[u8], headed: bool) -> Option<Judged> {
        let event_id = self.take(&[Slot::ExternalId, Slot::EventId]);
        let channel = self.take(&[Slot::Cat, Slot::Channel]);
        let computer = self.take(&[Slot::Dhost, Slot::Dvchost, Slot::Hostname]);
        let time_text = self.take(&[Slot::Rt, Slot::End, Slot::EventTime, Slot::Start]);
        let provider = self.take(&[Slot::EventSource, Slot::SourceName]);
        if [event_id, channel, computer, time_text].iter().any(|text| text.is_empty()) {
            return None;
        }
        set_event_id(self.message, event_id, self.source)?;
        let mut warnings = Few::<&'static str, 8>::default();
        if self.translate()? {
            warnings.push(TRANSLATED)?;
        }
        if headed {
            warnings.push(HEADED)?;
        }
        let time = read_time(self.source.text(self.message, time_text), self.context.zone_offset_minutes);
        time_warning(time).map_or(Some(()), |warning| warnings.push(warning))?;
        let named = if provider.is_empty() { self.source.copy(signature) } else { provider };
        set_provider(self.message, named, self.context, self.source);
        let envelope = &mut self.source.envelope;
        (envelope.channel, envelope.computer, envelope.time, envelope.time_text) = (channel, computer, time, time_text);
        if !is_unwanted(self.message, self.context, self.source) || self.may_be_marked() {
            self.fill(!signature.is_empty());
            let text = self.value(Slot::Msg);
            self.fill_data()?;
            for &warning in complete(self.message, text, self.context, self.source)?.iter() {
                warnings.push(warning)?;
            }
        }
        warn(&warnings, self.source);
        Some(verdict(self.message, self.context, self.source))
    }

    /// Whether what a text says may be worth a warning: that of an event whose text is known.
    fn may_be_marked(&mut self) -> bool {
        let envelope = self.source.envelope;
        let [event_id, provider] =
            [envelope.event_id, envelope.provider].map(|text| self.source.text(self.message, text));
        let known = self.context.layouts.text_of(event_id);
        known.is_some_and(|known| provider.is_empty() || known.is_of(provider)) && !self.value(Slot::Msg).is_empty()
    }

    /// Find the result code of a validation under a label that was translated, and whether that was so.
    fn translate(&mut self) -> Option<bool> {
        let event_id = self.source.text(self.message, self.source.envelope.event_id);
        let delivered = self.names.get(Slot::ResultCode).or(self.names.get(Slot::Status)).is_some();
        if event_id != self.context.layouts.cef.result_of.as_bytes() || delivered {
            return Some(false);
        }
        let hidden = self.again() | self.names.labels() | self.moved | self.envelope();
        for number in (0..self.source.payload.len()).filter(|number| hidden >> number & 1 == 0) {
            let &(_, raw) = self.source.payload.get(number)?;
            let value = unescape(self.message, raw, self.source);
            if is_result_code(self.source.text(self.message, value)) {
                self.names.clear(number);
                let name = self.source.copy(RESULT_CODE);
                self.source.payload.get_mut(number)?.0 = name;
                return Some(true);
            }
        }
        Some(false)
    }

    /// What is beside the data.
    fn fill(&mut self, signed: bool) {
        for slot in [Slot::Keywords, Slot::EventType, Slot::DeviceSeverity] {
            let named = self.value(slot);
            if says_audit(self.source.text(self.message, named)) {
                set_keywords(self.message, named, self.source);
                break;
            }
        }
        let event_id = self.source.text(self.message, self.source.envelope.event_id);
        if self.context.layouts.cef.installers.iter().any(|installer| installer.as_bytes() == event_id) {
            self.source.envelope.user_name = self.value(Slot::Suser);
            self.source.envelope.user_domain = self.value(Slot::Sntdom);
        }
        if !signed {
            self.source.envelope.record_id = self.value(Slot::RecordNumber);
            self.source.envelope.version = self.value(Slot::Version);
            self.source.envelope.activity_id = self.value(Slot::ActivityId);
            self.source.envelope.user_sid = self.value(Slot::UserId);
            for slot in OF_NXLOG {
                self.moved |= self.names.get(slot).map_or(0, |pair| 1 << pair);
            }
        }
    }

    /// Make the payload of the pairs: what the event's column names, the rest under its own name, then values that came again.
    fn fill_data(&mut self) -> Option<()> {
        let again = self.again();
        let hidden = again | self.names.labels() | self.moved | self.envelope();
        let count = self.source.payload.len();
        let mut taken = 0_u128;
        for (number, name) in self.columns(again)?.iter() {
            let &(_, raw) = self.source.payload.get(*number)?;
            let pair = (self.source.copy(name), unescape(self.message, raw, self.source));
            self.source.payload.push(pair);
            taken |= 1 << number;
        }
        for numbers in [!(hidden | taken), again] {
            for number in (0..count).filter(|number| numbers >> number & 1 == 1) {
                let &(name, raw) = self.source.payload.get(number)?;
                let value = unescape(self.message, raw, self.source);
                self.source.payload.push((name, value));
            }
        }
        self.source.payload.drain(..count);
        Some(())
    }

    /// The pairs that the event's column names, and these names; of two pairs of one name the column's first.
    fn columns(&self, again: u128) -> Option<Few<(usize, &'a [u8]), MAX_COLUMNS>> {
        let mut columns = Few::<(usize, &'a [u8]), MAX_COLUMNS>::default();
        let event_id = self.source.text(self.message, self.source.envelope.event_id);
        let Some(column) = self.context.layouts.cef.columns.get(event_id) else { return Some(columns) };
        let hidden = again | self.names.labels() | self.moved;
        let mut pairs = [None; MAX_COLUMNS];
        for (number, &(name, _)) in
            self.source.payload.iter().enumerate().filter(|(number, _)| hidden >> number & 1 == 0)
        {
            if let Some(&row) = column.rows.get(self.source.text(self.message, name)) {
                *pairs.get_mut(row)? = Some(number);
            }
        }
        for (number, name) in pairs.iter().zip(&column.names).filter_map(|(pair, name)| pair.map(|pair| (pair, name))) {
            match columns.iter_mut().find(|(_, taken)| *taken == name.as_bytes()) {
                Some(known) => known.0 = number,
                None => columns.push((number, name.as_bytes()))?,
            }
        }
        Some(columns)
    }
}

fn is_result_code(text: &[u8]) -> bool {
    let [b'0', b'x' | b'X', hex @ ..] = text else { return false };
    (1..=8).contains(&hex.len()) && hex.iter().all(u8::is_ascii_hexdigit)
}

/// When the event happened, in any of the spellings that lenient mode takes.
#[must_use]
pub fn read_time(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    parse_epoch_ms(text)
        .or_else(|| parse_calendar(text, zone_offset_minutes))
        .or_else(|| parse_iso(text, zone_offset_minutes))
}

/// `Sep 07 2018 14:50:39.123`, with a name of UTC or without.
fn parse_calendar(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    let (month, rest) = text.split_at_checked(3)?;
    let capital = month.first()?.is_ascii_uppercase() && month.iter().skip(1).all(u8::is_ascii_lowercase);
    let [b' ', d1, d2, b' ', y1, y2, y3, y4, b' ', clock @ ..] = rest else { return None };
    let length = run(clock, 0, usize::MAX, |octet| matches!(octet, b'0'..=b'9' | b':' | b'.'));
    let (clock, zone) = clock.split_at_checked(length)?;
    if !capital || !(8..=18).contains(&length) || !matches!(zone, b"" | b" UTC" | b" GMT" | b" Z") {
        return None;
    }
    let mut time = [0; 30];
    let written = 12 + length;
    time.get_mut(..12)?
        .copy_from_slice(&[*y1, *y2, *y3, *y4, b'-', month[0], month[1], month[2], b'-', *d1, *d2, b' ']);
    time.get_mut(12..written)?.copy_from_slice(clock);
    parse_rsa(time.get(..written)?, if zone.is_empty() { zone_offset_minutes } else { 0 })
}
