//! The times of Windows events as their senders write them; the readable twin is `wire/event_time.py`, whose table says
//! which form stands where. Every `parse_` is total: None for what isn't such a time.

use crate::octets::{digits, literal, one_of, run, some};
use crate::source::EventTime;

const MONTHS: [&[u8; 3]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
const WEEKDAYS: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
const EPOCH_DAY: i64 = 719_163;
const FIRST_SECOND: i64 = (1 - EPOCH_DAY) * 86_400;
const LAST_SECOND: i64 = (3_652_059 + 1 - EPOCH_DAY) * 86_400 - 1;

/// One spelling of a time: text and the zone of texts that state none, in minutes east of UTC.
pub type Form = fn(&[u8], i32) -> Option<EventTime>;

/// `2021-09-17T16:37:25.1234567Z`, with `+02:00`, or with no zone at all.
#[must_use]
pub fn parse_iso(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    if let Some(parts) = usual_iso(text) {
        return Reader { text, at: text.len() }.instant(&parts, zone_offset_minutes);
    }
    let mut reader = Reader { text, at: 0 };
    let mut parts = Parts { year: reader.number(4, 4)?, ..Parts::default() };
    reader.pass(b"-/")?;
    parts.month = reader.number(2, 2)?;
    reader.pass(b"-/")?;
    parts.day = reader.number(2, 2)?;
    reader.pass(b"Tt ")?;
    reader.clock(&mut parts)?;
    if reader.pass(b"Zz").is_some() {
        parts.offset = Some(0);
    } else if reader.at < text.len() {
        reader.at = run(text, reader.at, 1, |octet| octet == b' ');
        let sign = reader.sign()?;
        let hours = reader.number(2, 2)?;
        reader.at = run(text, reader.at, 1, |octet| octet == b':');
        let minutes = reader.number(2, 2)?;
        parts.offset = Some(sign * in_range(hours, 23)? * 60 + sign * in_range(minutes, 59)?);
    }
    reader.instant(&parts, zone_offset_minutes)
}

/// The parts of `2021-09-17T16:37:25.1234567Z`, with or without a fraction: what Windows writes, each digit at its place.
fn usual_iso(text: &[u8]) -> Option<Parts> {
    let (&[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', n0, n1, b':', s0, s1], rest) =
        text.split_first_chunk::<19>()?
    else {
        return None;
    };
    let fraction = match rest {
        [b'.', fraction @ .., b'Z'] if (1..=9).contains(&fraction.len()) => fraction,
        [b'Z'] => &[],
        _ => return None,
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let two = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| u64::from(tens - b'0') * 10 + u64::from(ones - b'0'))
    };
    Some(Parts {
        year: two(y0, y1)? * 100 + two(y2, y3)?,
        month: two(m0, m1)?,
        day: two(d0, d1)?,
        hour: two(h0, h1)?,
        minute: two(n0, n1)?,
        second: two(s0, s1)?,
        nanos: nanos(fraction),
        digits: u8::try_from(fraction.len()).ok()?,
        offset: Some(0),
    })
}

/// `20210917163725.123456-000`: the last three digits are minutes east (+) or west (-) of UTC.
#[must_use]
pub fn parse_cim(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    let mut reader = Reader { text, at: 0 };
    let mut parts = Parts { year: reader.number(4, 4)?, month: reader.number(2, 2)?, ..Parts::default() };
    parts.day = reader.number(2, 2)?;
    parts.hour = reader.number(2, 2)?;
    parts.minute = reader.number(2, 2)?;
    parts.second = reader.number(2, 2)?;
    reader.fraction(&mut parts)?;
    if reader.at < text.len() {
        let sign = reader.sign()?;
        parts.offset = Some(sign * i32::try_from(reader.number(3, 3)?).ok()?);
    }
    reader.instant(&parts, zone_offset_minutes)
}

/// `2021-Sep-17 16:37:25`, with or without a fraction.
#[must_use]
pub fn parse_rsa(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    let mut reader = Reader { text, at: 0 };
    let mut parts = Parts { year: reader.number(4, 4)?, ..Parts::default() };
    reader.pass(b"-")?;
    parts.month = reader.month()?;
    reader.pass(b"-")?;
    parts.day = reader.number(2, 2)?;
    reader.pass(b" ")?;
    reader.clock(&mut parts)?;
    reader.instant(&parts, zone_offset_minutes)
}

/// `Fri Sep 17 16:37:25 2021`; a day below ten may stand with a space, a zero or neither.
#[must_use]
pub fn parse_ctime(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    let mut reader = Reader { text, at: 0 };
    reader.at = WEEKDAYS.iter().find_map(|name| literal(text, 0, *name))?;
    reader.pass(b" ")?;
    let mut parts = Parts { month: reader.month()?, ..Parts::default() };
    reader.pass(b" ")?;
    let padded = literal(text, reader.at, b" ");
    reader.at = padded.unwrap_or(reader.at);
    parts.day = reader.number(1, if padded.is_some() { 1 } else { 2 })?;
    reader.pass(b" ")?;
    reader.clock(&mut parts)?;
    reader.pass(b" ")?;
    parts.year = reader.number(4, 4)?;
    reader.instant(&parts, zone_offset_minutes)
}

/// `09/17/2021 04:37:25 PM`: month first, clock of twelve hours.
#[must_use]
pub fn parse_us(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    let mut reader = Reader { text, at: 0 };
    let mut parts = Parts { month: reader.number(1, 2)?, ..Parts::default() };
    reader.pass(b"/")?;
    parts.day = reader.number(1, 2)?;
    reader.pass(b"/")?;
    parts.year = reader.number(4, 4)?;
    reader.pass(b" ")?;
    reader.clock(&mut parts)?;
    reader.pass(b" ")?;
    let half = *text.get(reader.at)?;
    reader.pass(b"AaPp")?;
    reader.pass(b"Mm")?;
    if !(1..=12).contains(&parts.hour) {
        return None;
    }
    parts.hour = parts.hour % 12 + if half.eq_ignore_ascii_case(&b'P') { 12 } else { 0 };
    reader.instant(&parts, zone_offset_minutes)
}

/// `2021-09-17 16:37:25`, with or without a fraction, never with a zone.
#[must_use]
pub fn parse_sql(text: &[u8], zone_offset_minutes: i32) -> Option<EventTime> {
    let mut reader = Reader { text, at: 0 };
    let mut parts = Parts { year: reader.number(4, 4)?, ..Parts::default() };
    reader.pass(b"-")?;
    parts.month = reader.number(2, 2)?;
    reader.pass(b"-")?;
    parts.day = reader.number(2, 2)?;
    reader.pass(b" ")?;
    reader.clock(&mut parts)?;
    reader.instant(&parts, zone_offset_minutes)
}

/// `1631896645123`: milliseconds since the Unix epoch.
#[must_use]
pub fn parse_epoch_ms(text: &[u8]) -> Option<EventTime> {
    milliseconds(i64::try_from(number(text, 15)?).ok()?)
}

/// `1631896645`: seconds since the Unix epoch.
#[must_use]
pub fn parse_epoch_s(text: &[u8]) -> Option<EventTime> {
    bounded(i64::try_from(number(text, 15)?).ok()?, 0, 0, None)
}

/// Seconds since the Unix epoch with or without a fraction, or milliseconds: what fits a date of this age.
#[must_use]
pub fn parse_epoch(text: &[u8]) -> Option<EventTime> {
    let whole = run(text, 0, 15, |octet| octet.is_ascii_digit());
    match whole {
        9..=11 => {
            let seconds = i64::try_from(number(&text[..whole], 11)?).ok()?;
            if whole == text.len() {
                return bounded(seconds, 0, 0, None);
            }
            let start = literal(text, whole, b".")?;
            let end = digits(text, start, 1, 9)?;
            (run(text, end, 8, |octet| octet.is_ascii_digit()) == text.len()).then_some(())?;
            bounded(seconds, nanos(&text[start..end]), u8::try_from(end - start).ok()?, None)
        }
        12..=14 if whole == text.len() => milliseconds(i64::try_from(number(text, 14)?).ok()?),
        0 => {
            let start = literal(text, 0, b"/Date(")?;
            let digits_start = run(text, start, 1, |octet| octet == b'-');
            let end = digits(text, digits_start, 1, 15)?;
            let value = i64::try_from(number(&text[digits_start..end], 15)?).ok()?;
            let close = one_of(text, end, b"+-").and_then(|at| digits(text, at, 4, 4)).unwrap_or(end);
            (literal(text, close, b")/")? == text.len()).then_some(())?;
            milliseconds(if digits_start > start { -value } else { value })
        }
        _ => None,
    }
}

/// What a form read, before it is known to be an instant; the offset is None where the text states no zone.
#[derive(Default)]
struct Parts {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    nanos: u32,
    digits: u8,
    offset: Option<i32>,
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn number(&mut self, min: usize, max: usize) -> Option<u64> {
        let end = digits(self.text, self.at, min, max)?;
        let value = number(&self.text[self.at..end], max)?;
        self.at = end;
        Some(value)
    }

    fn pass(&mut self, octets: &[u8]) -> Option<()> {
        self.at = one_of(self.text, self.at, octets)?;
        Some(())
    }

    fn sign(&mut self) -> Option<i32> {
        let sign = if self.text.get(self.at) == Some(&b'-') { -1 } else { 1 };
        self.pass(b"+-")?;
        Some(sign)
    }

    fn month(&mut self) -> Option<u64> {
        let end = some(self.text, self.at, 3, 3, |octet| octet.is_ascii_alphabetic())?;
        let name = &self.text[self.at..end];
        self.at = end;
        (1..).zip(MONTHS).find(|(_, month)| month.eq_ignore_ascii_case(name)).map(|(number, _)| number)
    }

    fn clock(&mut self, parts: &mut Parts) -> Option<()> {
        parts.hour = self.number(2, 2)?;
        self.pass(b":")?;
        parts.minute = self.number(2, 2)?;
        self.pass(b":")?;
        parts.second = self.number(2, 2)?;
        self.fraction(parts)
    }

    fn fraction(&mut self, parts: &mut Parts) -> Option<()> {
        let Some(start) = literal(self.text, self.at, b".") else { return Some(()) };
        let end = digits(self.text, start, 1, 9)?;
        parts.nanos = nanos(&self.text[start..end]);
        parts.digits = u8::try_from(end - start).ok()?;
        self.at = end;
        Some(())
    }

    /// The instant, if the whole text was read and it is one.
    fn instant(&self, parts: &Parts, zone_offset_minutes: i32) -> Option<EventTime> {
        if self.at != self.text.len() || parts.hour > 23 || parts.minute > 59 || parts.second > 59 {
            return None;
        }
        let day = day_number(parts.year, parts.month, parts.day)?;
        let offset = i64::from(parts.offset.unwrap_or(zone_offset_minutes));
        let minutes = i64::try_from(parts.hour * 60 + parts.minute).ok()? - offset;
        let seconds = (day * 1440 + minutes) * 60 + i64::try_from(parts.second).ok()?;
        bounded(seconds, parts.nanos, parts.digits, parts.offset.filter(|&offset| offset != 0))
    }
}

fn number(text: &[u8], most: usize) -> Option<u64> {
    let valid = (1..=most).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    valid.then(|| text.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

fn nanos(fraction: &[u8]) -> u32 {
    (0..9).fold(0, |sum, at| sum * 10 + fraction.get(at).map_or(0, |digit| u32::from(digit - b'0')))
}

fn in_range(value: u64, most: u64) -> Option<i32> {
    if value > most { None } else { i32::try_from(value).ok() }
}

fn milliseconds(value: i64) -> Option<EventTime> {
    let nanos = u32::try_from(value.rem_euclid(1000)).ok()? * 1_000_000;
    bounded(value.div_euclid(1000), nanos, 3, None)
}

/// The time, if it is in the years 1 to 9999.
fn bounded(seconds: i64, nanos: u32, digits: u8, offset_minutes: Option<i32>) -> Option<EventTime> {
    let within = (FIRST_SECOND..=LAST_SECOND).contains(&seconds);
    within.then_some(EventTime { seconds, nanos, digits, offset_minutes })
}

/// Days since the Unix epoch of a date of the proleptic Gregorian calendar; None if there is none.
fn day_number(year: u64, month: u64, day: u64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if year == 0 || day == 0 || day > length {
        return None;
    }
    let before = if month > 2 { year } else { year - 1 };
    let leap_days = before / 4 - before / 100 + before / 400;
    let shifted = (month + 9) % 12;
    let days = before * 365 + leap_days + (153 * shifted + 2) / 5 + day;
    Some(i64::try_from(days).ok()? - 306 - EPOCH_DAY)
}
