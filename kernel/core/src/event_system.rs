//! The System element of event XML, as the readable twin reads it, `wire/event_xml.py`.

use crate::event_time::parse_iso;
use crate::event_xml_scan::low_16_bits;
use crate::source::{Envelope, Source, Text};
use crate::xml::{Next, Spelling, Tag, Xml};
use crate::xml_text::trim;

/// Read System, whose tag was read, into the envelope. None where an element stands twice, or holds more than text.
pub fn read_system(message: &[u8], xml: &mut Xml<'_>, system: &Tag, source: &mut Source) -> Option<()> {
    let (mut found, mut next) = ([None; FIELDS], 0);
    xml.check_attributes(source)?;
    if system.empty {
        return None;
    }
    loop {
        if let Some((usual, range)) = USUAL.get(next).and_then(|usual| Some((usual, xml.usual(&usual.1)?))) {
            let text = if usual.1.is_value { xml.value(&range, source)? } else { xml.text(&range, source)? };
            if let Some(place) = usual.0 {
                note(&mut found[place], trim(text, message, source))?;
            }
            next += 1;
            continue;
        }
        let Next::Open(tag) = xml.child(system, source)? else { break };
        let content = xml.leaf(&tag, source)?;
        xml.check_attributes(source)?;
        let name = xml.octets(&tag.name);
        let Some((place, attribute)) = place(name) else { continue };
        next = USUAL.iter().position(|usual| usual.0 == Some(place)).map_or(next, |usual| usual + 1);
        let text = match attribute.map(|name| xml.attribute(name)) {
            None => content,
            Some(None) => Text::EMPTY,
            Some(Some(value)) => xml.value(&value, source)?,
        };
        note(&mut found[place], trim(text, message, source))?;
    }
    fill(message, found.map(Option::unwrap_or_default), source)
}

/// The fields of an envelope that System fills, by place.
#[must_use]
pub fn fields(envelope: &Envelope) -> [Text; FIELDS] {
    let Envelope { provider, event_id, version, level, keywords, time_text, .. } = *envelope;
    let Envelope { record_id, activity_id, channel, computer, user_sid, .. } = *envelope;
    [provider, event_id, version, level, keywords, time_text, record_id, activity_id, channel, computer, user_sid]
}

/// Fill the envelope with the texts of System's elements, by place. None for an event ID that is none.
pub fn fill(message: &[u8], found: [Text; FIELDS], source: &mut Source) -> Option<()> {
    let event_id = event_id(message, found[1], source)?;
    let time_text = found[5];
    let time = parse_iso(source.text(message, time_text), 0);
    if time.is_none() {
        source.warnings.push(if time_text.is_empty() { "no-time" } else { "bad-time" });
    }
    source.envelope = Envelope {
        time,
        time_text,
        event_id,
        provider: found[0],
        version: found[2],
        level: found[3],
        keywords: found[4],
        record_id: found[6],
        activity_id: found[7],
        channel: found[8],
        computer: found[9],
        user_sid: found[10],
        ..Envelope::default()
    };
    Some(())
}

/// Decimal text of the low 16 bits.
fn event_id(message: &[u8], text: Text, source: &mut Source) -> Option<Text> {
    let digits = source.text(message, text);
    if !(1..=10).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(print_event_id(text, low_16_bits(digits), source))
}

/// A text of digits as the decimal text of their low 16 bits.
pub fn print_event_id(text: Text, number: u16, source: &mut Source) -> Text {
    if text.len() == 4 && number > 999 {
        return text;
    }
    let mut digits = [0; 5];
    let (mut at, mut rest) = (digits.len(), number);
    while rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b"0123456789"[usize::from(rest % 10)];
        rest /= 10;
    }
    let is_printed = text.len() == digits.len() - at;
    if is_printed { text } else { source.copy(&digits[at..]) }
}

/// Note a text where there is none yet; None where there is.
fn note(place: &mut Option<Text>, text: Text) -> Option<()> {
    place.replace(text).is_none().then_some(())
}

/// How many elements of System are read.
pub const FIELDS: usize = 11;

/// Where an element of System goes, and the attribute that is read of it; its text if there is none.
fn place(name: &[u8]) -> Option<(usize, Option<&'static [u8]>)> {
    Some(match name {
        b"Provider" => (0, Some(b"Name")),
        b"EventID" => (1, None),
        b"Version" => (2, None),
        b"Level" => (3, None),
        b"Keywords" => (4, None),
        b"TimeCreated" => (5, Some(b"SystemTime")),
        b"EventRecordID" => (6, None),
        b"Correlation" => (7, Some(b"ActivityID")),
        b"Channel" => (8, None),
        b"Computer" => (9, None),
        b"Security" => (10, Some(b"UserID")),
        _ => return None,
    })
}

/// The elements of System in the order in which Windows writes them, from `EventID` on: their place, and how they are spelled.
const USUAL: [Usual; 12] = [
    text_element(Some(1), b"<EventID>", b"</EventID>", b"<EventID/>"),
    text_element(Some(2), b"<Version>", b"</Version>", b"<Version/>"),
    text_element(Some(3), b"<Level>", b"</Level>", b"<Level/>"),
    text_element(None, b"<Task>", b"</Task>", b"<Task/>"),
    text_element(None, b"<Opcode>", b"</Opcode>", b"<Opcode/>"),
    text_element(Some(4), b"<Keywords>", b"</Keywords>", b"<Keywords/>"),
    value_element(Some(5), b"<TimeCreated SystemTime=", b"<TimeCreated/>"),
    text_element(Some(6), b"<EventRecordID>", b"</EventRecordID>", b"<EventRecordID/>"),
    value_element(Some(7), b"<Correlation ActivityID=", b"<Correlation/>"),
    text_element(Some(8), b"<Channel>", b"</Channel>", b"<Channel/>"),
    text_element(Some(9), b"<Computer>", b"</Computer>", b"<Computer/>"),
    value_element(Some(10), b"<Security UserID=", b"<Security/>"),
];

type Usual = (Option<usize>, Spelling);

const fn text_element(
    place: Option<usize>,
    opening: &'static [u8],
    closing: &'static [u8],
    empty: &'static [u8],
) -> Usual {
    (place, Spelling { opening, closing, empty, is_value: false })
}

const fn value_element(place: Option<usize>, opening: &'static [u8], empty: &'static [u8]) -> Usual {
    (place, Spelling { opening, closing: b"/>", empty, is_value: true })
}
