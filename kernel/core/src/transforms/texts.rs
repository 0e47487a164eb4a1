//! Values that stay text, or are looked up in a table: twin of `normalizers/transforms/texts.py`.

use super::{Output, Outputs, Texts, unless_empty};
use crate::plan::{Options, Value};
use crate::source::Text;

pub(super) fn text(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    out[0] = Output::Value(Value::Text(first(texts, values)));
    true
}

pub(super) fn copy(_: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    match values.first() {
        Some(&Some(value)) => out[0] = Output::Value(value),
        _ => return false,
    }
    true
}

pub(super) fn constant(_: &mut Texts<'_>, _: &[Option<Value>], options: &Options, out: &mut Outputs) -> bool {
    match options.value {
        Some(value) => out[0] = Output::Value(value),
        None => return false,
    }
    true
}

pub(super) fn name(texts: &mut Texts<'_>, values: &[Option<Value>], options: &Options, out: &mut Outputs) -> bool {
    let text = first(texts, values);
    out[0] = Output::Value(options.look_up(texts.get(text)).unwrap_or(Value::Text(text)));
    true
}

pub(super) fn enumerated(
    texts: &mut Texts<'_>,
    values: &[Option<Value>],
    options: &Options,
    out: &mut Outputs,
) -> bool {
    let text = first(texts, values);
    out[0] = options.look_up(texts.get(text)).map_or(Output::Other(text), Output::Value);
    true
}

pub(super) fn words(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    out[0] = Output::Value(Value::Words(first(texts, values)));
    true
}

pub(super) fn guid(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let text = first(texts, values);
    let octets = texts.get(text);
    let brace = |octet: &u8| matches!(octet, b'{' | b'}');
    let start = octets.iter().position(|octet| !brace(octet)).unwrap_or(octets.len());
    let end = octets.iter().rposition(|octet| !brace(octet)).map_or(start, |last| last + 1);
    let bare = text.part(start, end);
    out[0] = unless_empty(if octets.is_ascii() { texts.lower(bare) } else { bare });
    !bare.is_empty()
}

pub(super) fn is_in(texts: &Texts<'_>, value: Text, among: &[Box<[u8]>]) -> bool {
    let value = texts.get(value);
    among.iter().any(|other| other.as_ref() == value)
}

pub(super) fn is_not_in(texts: &Texts<'_>, value: Text, among: &[Box<[u8]>]) -> bool {
    !is_in(texts, value, among)
}

fn first(texts: &mut Texts<'_>, values: &[Option<Value>]) -> Text {
    texts.printed(values.first().copied().flatten())
}
