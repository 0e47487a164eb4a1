//! Numbers that say how it went: twin of `normalizers/transforms/codes.py`.

use super::{Output, Outputs, Texts, number, parse_hex};
use crate::plan::{Options, Value};

const UNKNOWN: i64 = 0;
const SUCCESS: i64 = 1;
const FAILURE: i64 = 2;
const AUDIT_SUCCESS: u64 = 0x0020_0000_0000_0000;
const AUDIT_FAILURE: u64 = 0x0010_0000_0000_0000;

const MAX_DIGITS: usize = 10;

pub(super) fn keywords(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(values.first().copied().flatten());
    let Some(bits) = parse_hex(texts.get(text), 16) else { return false };
    out[0] = number(if bits & AUDIT_SUCCESS != 0 {
        SUCCESS
    } else if bits & AUDIT_FAILURE != 0 {
        FAILURE
    } else {
        UNKNOWN
    });
    true
}

pub(super) fn ntstatus(texts: &mut Texts<'_>, values: &[Option<Value>], options: &Options, out: &mut Outputs) -> bool {
    let text = texts.printed(values.first().copied().flatten());
    let Some(status) = parse_ntstatus(texts.get(text)) else { return false };
    let spelled = spell_ntstatus(status);
    let code = if status == 0 { b"0x0".as_slice() } else { &spelled };
    out[0] = number(if status == 0 { SUCCESS } else { FAILURE });
    out[1] = Output::Value(Value::Text(texts.copy(code)));
    match options.look_up(code) {
        None | Some(Value::Int(0)) => {}
        Some(Value::Text(detail)) if detail.is_empty() => {}
        Some(detail) => out[2] = Output::Value(detail),
    }
    true
}

/// `0xc000006a`: eight digits.
fn spell_ntstatus(status: u32) -> [u8; 10] {
    let mut spelled = *b"0x00000000";
    for (digit, shift) in spelled[2..].iter_mut().zip((0..8).rev()) {
        *digit = b"0123456789abcdef"[(status >> (4 * shift) & 15) as usize];
    }
    spelled
}

fn parse_ntstatus(text: &[u8]) -> Option<u32> {
    if let Some(status) = parse_hex(text, 8) {
        return u32::try_from(status).ok();
    }
    let (negative, digits) = text.strip_prefix(b"-").map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let magnitude = digits.iter().fold(0, |sum: i64, &digit| sum * 10 + i64::from(digit - b'0'));
    if negative {
        (magnitude <= 1 << 31).then(|| u32::try_from((1_i64 << 32) - magnitude).unwrap_or_default())
    } else {
        u32::try_from(magnitude).ok()
    }
}
