//! Writing one record as a line of JSON with sorted keys, by its plan's layout: twin of `normalizers/encoder.py`.

use super::{Plan, Plans, Run, Value};
use crate::json_out::{write_int, write_text};
use crate::source::{Source, Text, octets_of};
use crate::uid::uuid_text;

/// What a source that was cut or isn't English gets as a label, and one whose uid is weak.
const PARTIAL: &[u8] = b"parse:partial";
const WEAK: &[u8] = b"uid:weak";

/// Writes values of one event.
pub(super) struct Writer<'a> {
    pub(super) plan: &'a Plan,
    pub(super) run: &'a Run,
    message: &'a [u8],
    source: &'a Source,
    pub(super) constants: &'a [u8],
    /// Labels as JSON strings, each followed by a comma: the configured ones, then those of this call.
    labels: [&'a [u8]; 2],
}

/// Append the record of the event that `run` has mapped, without line end. `labels` are JSON strings, each followed by a comma.
pub fn write_record(
    plans: &Plans,
    plan: &Plan,
    message: &[u8],
    source: &Source,
    run: &mut Run,
    labels: &[u8],
    out: &mut Vec<u8>,
) {
    let mut forms = core::mem::take(&mut run.forms);
    let labels = [plans.labels.as_slice(), labels];
    let writer = Writer { plan, run, message, source, constants: &plans.constants, labels };
    let form = forms.of(&writer);
    for (before, leaf) in form.values() {
        out.extend_from_slice(before);
        writer.value(writer.run.at(leaf), out);
    }
    out.extend_from_slice(form.end());
    run.forms = forms;
}

impl Writer<'_> {
    /// The octets of a text.
    pub(super) fn text(&self, text: Text) -> &[u8] {
        octets_of(text, self.message, &self.source.arena, self.constants)
    }

    fn raw(&self, constant: Text, out: &mut Vec<u8>) {
        out.extend_from_slice(self.text(constant));
    }

    fn string(&self, text: Text, out: &mut Vec<u8>) {
        write_text(out, self.text(text));
    }

    /// Append a value as JSON.
    pub(super) fn value(&self, value: Value, out: &mut Vec<u8>) {
        match value {
            Value::Text(text) => self.string(text, out),
            Value::Int(number) => write_int(out, number),
            Value::Json(text) => self.raw(text, out),
            Value::Words(text) => {
                out.push(b'[');
                self.words(text, out);
                end(b']', out);
            }
            Value::Uid => {
                out.push(b'"');
                out.extend_from_slice(&uuid_text(self.run.uid));
                out.push(b'"');
            }
            Value::Debug => {
                out.push(b'[');
                for &debug in &self.run.filled {
                    self.string(self.plan.debugs[usize::from(debug)], out);
                    out.push(b',');
                }
                end(b']', out);
            }
            Value::Labels => self.labels(out),
            Value::Observables => self.observables(out),
            Value::Unmapped => self.unmapped(out),
        }
    }

    fn words(&self, text: Text, out: &mut Vec<u8>) {
        for word in
            self.text(text).split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty())
        {
            write_text(out, word);
            out.push(b',');
        }
    }

    fn labels(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for labels in self.labels {
            out.extend_from_slice(labels);
        }
        for (label, holds) in [(PARTIAL, self.source.partial), (WEAK, self.run.weak)] {
            if holds {
                write_text(out, label);
                out.push(b',');
            }
        }
        end(b']', out);
    }

    fn observables(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for &(place, text) in &self.run.observed {
            self.raw(self.plan.observables[place as usize].head, out);
            self.string(text, out);
            out.extend_from_slice(b"},");
        }
        end(b']', out);
    }

    /// Names in order; the values of one that came more than once as a list, a list of words among them in its place.
    fn unmapped(&self, out: &mut Vec<u8>) {
        let pairs = &self.run.unmapped;
        out.push(b'{');
        let mut at = 0;
        while let Some(&(name, value)) = pairs.get(at) {
            let same = pairs[at..].iter().take_while(|&&(other, _)| self.text(other) == self.text(name)).count();
            self.string(name, out);
            out.push(b':');
            if same == 1 {
                self.value(value, out);
            } else {
                out.push(b'[');
                for &(_, value) in &pairs[at..at + same] {
                    match value {
                        Value::Words(text) => self.words(text, out),
                        value => {
                            self.value(value, out);
                            out.push(b',');
                        }
                    }
                }
                end(b']', out);
            }
            out.push(b',');
            at += same;
        }
        end(b'}', out);
    }
}

/// Put a list's end in the place of its last comma, or an object's.
fn end(end: u8, out: &mut Vec<u8>) {
    match out.last_mut() {
        Some(last) if *last == b',' => *last = end,
        _ => out.push(end),
    }
}
