//! The transforms and tests that plans name, as one table each: twins of `normalizers/transforms`.
//!
//! A transform reads values and writes into the places of its outputs, whose order `SUFFIXES` in `normalizers/native_ops.py`
//! gives; false refuses the values, so that the next transform may try. All of them are ASCII by definition.

mod accounting;
mod accounts;
mod codes;
mod distinguished_names;
mod hosts;
mod services;
mod texts;

use crate::plan::{MAX_OUTPUTS, Options, Value};
use crate::source::{Source, Text, octets_of};

/// What a transform writes at one of its places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Nothing.
    Nothing,
    /// A value.
    Value(Value),
    /// 99, with a text as its caption.
    Other(Text),
}

/// What a transform writes, by place.
pub type Outputs = [Output; MAX_OUTPUTS];

/// One transform: values to outputs, or false.
pub type Transform = fn(&mut Texts<'_>, &[Option<Value>], &Options, &mut Outputs) -> bool;

/// One test of a value against a case's values.
pub type Test = fn(&Texts<'_>, Text, &[Box<[u8]>]) -> bool;

/// The transform of a name.
#[must_use]
pub fn transform(name: &str) -> Option<Transform> {
    Some(match name {
        "account" => accounts::account,
        "before" => accounting::before,
        "const" => texts::constant,
        "copy" => texts::copy,
        "counter" => accounting::counter,
        "dn" => distinguished_names::dn,
        "dn_group" => distinguished_names::dn_group,
        "enum" => texts::enumerated,
        "framed_address" => accounting::framed_address,
        "guid" => texts::guid,
        "host" => hosts::host,
        "image_path" => services::image_path,
        "ip" => hosts::ip,
        "keywords" => codes::keywords,
        "logon_id" => accounts::logon_id,
        "name" => texts::name,
        "ntstatus" => codes::ntstatus,
        "realm_account" => accounts::realm_account,
        "seconds_ms" => accounting::seconds_ms,
        "sent_time" => accounting::sent_time,
        "sid" => accounts::sid,
        "station" => hosts::station,
        "terminate_cause" => accounting::terminate_cause,
        "text" => texts::text,
        "total" => accounting::total,
        "unc" => hosts::unc,
        "user_type" => accounts::user_type,
        "words" => texts::words,
        _ => return None,
    })
}

/// The test of a name.
#[must_use]
pub fn test(name: &str) -> Option<Test> {
    Some(match name {
        "group_sid" => accounts::group_sid,
        "in" => texts::is_in,
        "not_in" => texts::is_not_in,
        _ => return None,
    })
}

/// The texts of one event, with room for new ones.
#[derive(Debug)]
pub struct Texts<'a> {
    message: &'a [u8],
    source: &'a mut Source,
    constants: &'a [u8],
}

impl<'a> Texts<'a> {
    /// Texts of `message`, of the source's arena and of the plans' constants.
    #[must_use]
    pub fn new(message: &'a [u8], source: &'a mut Source, constants: &'a [u8]) -> Self {
        Self { message, source, constants }
    }

    /// The source, whose arena holds new texts.
    #[must_use]
    pub fn source(&self) -> &Source {
        self.source
    }

    /// The octets of a text.
    #[must_use]
    pub fn get(&self, text: Text) -> &[u8] {
        octets_of(text, self.message, &self.source.arena, self.constants)
    }

    /// Octets, which are UTF-8, as a new text.
    pub fn copy(&mut self, octets: &[u8]) -> Text {
        self.source.copy(octets)
    }

    /// A new text of two.
    pub fn joined(&mut self, head: &[u8], tail: Text) -> Text {
        let start = self.source.arena.len();
        self.source.arena.extend_from_slice(head);
        self.push(tail);
        self.source.since(start)
    }

    /// A text in ASCII lower case: itself where it is that already.
    pub fn lower(&mut self, text: Text) -> Text {
        if !self.get(text).iter().any(u8::is_ascii_uppercase) {
            return text;
        }
        let start = self.source.arena.len();
        self.push(text);
        self.source.arena[start..].make_ascii_lowercase();
        self.source.since(start)
    }

    /// A value as `str()` prints it; None where it is a list.
    pub fn printed(&mut self, value: Option<Value>) -> Text {
        match value {
            Some(Value::Text(text)) => text,
            Some(Value::Int(number)) => self.copy(itoa::Buffer::new().format(number).as_bytes()),
            _ => self.copy(b"None"),
        }
    }

    /// A value as `str(value or "")` prints it.
    pub fn printed_or_empty(&mut self, value: Option<Value>) -> Text {
        match value {
            Some(Value::Text(text)) => text,
            Some(Value::Int(number)) if number != 0 => self.printed(value),
            _ => Text::EMPTY,
        }
    }

    fn push(&mut self, text: Text) {
        let octets = octets_of(text, self.message, &[], self.constants);
        if octets.len() == text.len() {
            self.source.arena.extend_from_slice(octets);
        } else {
            let copied = self.get(text).to_vec();
            self.source.arena.extend_from_slice(&copied);
        }
    }
}

/// A text where it has any octets.
fn unless_empty(text: Text) -> Output {
    if text.is_empty() { Output::Nothing } else { Output::Value(Value::Text(text)) }
}

fn number(number: i64) -> Output {
    Output::Value(Value::Int(number))
}

/// White space by definition.
fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many octets at the beginning of `text` are like this.
fn span(text: &[u8], like: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|&octet| !like(octet)).unwrap_or(text.len())
}

/// The value of `0x` and up to `digits` hexadecimal digits behind any zeros.
fn parse_hex(text: &[u8], digits: usize) -> Option<u64> {
    let digits_of = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X"))?;
    let zeros = span(digits_of, |octet| octet == b'0');
    let rest = &digits_of[zeros..];
    if digits_of.is_empty() || rest.len() > digits {
        return None;
    }
    rest.iter().try_fold(0, |value: u64, &octet| Some(value << 4 | u64::from(char::from(octet).to_digit(16)?)))
}
