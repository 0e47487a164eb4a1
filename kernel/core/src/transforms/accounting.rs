//! Values of RADIUS accounting: twin of `normalizers/transforms/accounting.py`. Numbers are 32 bits wide.

use super::hosts::is_plain_address;
use super::{Output, Outputs, Texts, number};
use crate::plan::{Options, Value};

const SECOND_MS: i64 = 1000;
const MAX_DIGITS: usize = 10;
const ASSIGNED_ELSEWHERE: [&[u8]; 2] = [b"255.255.255.255", b"255.255.255.254"];

fn value_of(values: &[Option<Value>], place: usize) -> Option<Value> {
    values.get(place).copied().flatten()
}

/// A value that prints as a number of 32 bits.
fn word(texts: &Texts<'_>, value: Option<Value>) -> Option<i64> {
    match value? {
        Value::Int(number) => u32::try_from(number).ok().map(i64::from),
        Value::Text(text) => word_of(texts.get(text)),
        _ => None,
    }
}

fn word_of(text: &[u8]) -> Option<i64> {
    let is_number = (1..=MAX_DIGITS).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    let value = text.iter().fold(0, |sum: i64, &digit| sum.saturating_mul(10).saturating_add(i64::from(digit) - 48));
    (is_number && value <= i64::from(u32::MAX)).then_some(value)
}

pub(super) fn sent_time(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    if let Some(stamp) = value_of(values, 0) {
        let Some(seconds) = word(texts, Some(stamp)) else { return false };
        out[0] = number(seconds * SECOND_MS);
        out[1] = Output::Value(Value::Text(texts.printed(Some(stamp))));
        return true;
    }
    let delay = value_of(values, 1);
    let waited = if delay.is_none() { Some(0) } else { word(texts, delay) };
    match (waited, value_of(values, 2)) {
        (Some(waited), Some(Value::Int(arrival))) if arrival >= waited * SECOND_MS => {
            out[0] = number(arrival - waited * SECOND_MS);
            true
        }
        _ => false,
    }
}

pub(super) fn seconds_ms(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let seconds = word(texts, value_of(values, 0));
    if let Some(seconds) = seconds {
        out[0] = number(seconds * SECOND_MS);
    }
    seconds.is_some()
}

pub(super) fn before(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    match (value_of(values, 0), word(texts, value_of(values, 1))) {
        (Some(Value::Int(time)), Some(seconds)) if time >= seconds * SECOND_MS => {
            out[0] = number(time - seconds * SECOND_MS);
            true
        }
        _ => false,
    }
}

pub(super) fn counter(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let high = value_of(values, 1);
    let high = if high.is_none() { Some(0) } else { word(texts, high) };
    let (Some(low), Some(high)) = (word(texts, value_of(values, 0)), high) else { return false };
    if high > i64::from(u32::MAX >> 1) {
        return false;
    }
    out[0] = number((high << 32) + low);
    true
}

pub(super) fn total(_: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let sum = values.iter().try_fold(0, |sum: i64, value| match value {
        Some(Value::Int(number)) => sum.checked_add(*number),
        _ => None,
    });
    if let Some(sum) = sum {
        out[0] = number(sum);
    }
    sum.is_some()
}

pub(super) fn terminate_cause(
    texts: &mut Texts<'_>,
    values: &[Option<Value>],
    options: &Options,
    out: &mut Outputs,
) -> bool {
    let name = texts.printed(value_of(values, 0));
    let text = |text| Output::Value(Value::Text(text));
    if let Some(code) = options.look_up(texts.get(name)) {
        let code = texts.printed(Some(code));
        (out[0], out[1], out[2]) = (text(code), text(name), text(name));
        return true;
    }
    let known = word_of(texts.get(name)).is_some();
    if known {
        out[0] = text(name);
    }
    known
}

pub(super) fn framed_address(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(value_of(values, 0));
    if ASSIGNED_ELSEWHERE.contains(&texts.get(text)) {
        return true;
    }
    let plain = is_plain_address(texts.get(text));
    if plain {
        out[0] = Output::Value(Value::Text(text));
    }
    plain
}
