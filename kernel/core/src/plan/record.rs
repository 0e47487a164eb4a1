//! Writing one record as a line of JSON with sorted keys, by its plan's layout: twin of `normalizers/encoder.py`.

use super::{Plan, Plans, Run, Value};
use crate::json_out::{write_int, write_text};
use crate::source::{Source, Text, octets_of};
use crate::uid::uuid_text;

/// What a source that was cut or isn't English gets as a label, and one whose uid is weak.
const PARTIAL: &[u8] = b"parse:partial";
const WEAK: &[u8] = b"uid:weak";

struct Writer<'a> {
    plan: &'a Plan,
    run: &'a Run,
    message: &'a [u8],
    source: &'a Source,
    constants: &'a [u8],
    /// Labels as JSON strings, each followed by a comma: the configured ones, then those of this call.
    labels: [&'a [u8]; 2],
    out: &'a mut Vec<u8>,
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
    let form = forms.of(plan, run.present(), &plans.constants);
    let labels = [plans.labels.as_slice(), labels];
    let mut writer = Writer { plan, run, message, source, constants: &plans.constants, labels, out };
    for (before, leaf) in form.values() {
        writer.out.extend_from_slice(before);
        writer.value(writer.run.at(leaf));
    }
    out.extend_from_slice(form.end());
    run.forms = forms;
}

impl Writer<'_> {
    fn text(&self, text: Text) -> &[u8] {
        octets_of(text, self.message, &self.source.arena, self.constants)
    }

    fn raw(&mut self, constant: Text) {
        self.out.extend_from_slice(octets_of(constant, self.message, &self.source.arena, self.constants));
    }

    fn string(&mut self, text: Text) {
        write_text(self.out, octets_of(text, self.message, &self.source.arena, self.constants));
    }

    /// Put a list's end in the place of its last comma, or an object's.
    fn end(&mut self, end: u8) {
        match self.out.last_mut() {
            Some(last) if *last == b',' => *last = end,
            _ => self.out.push(end),
        }
    }

    fn value(&mut self, value: Value) {
        match value {
            Value::Text(text) => self.string(text),
            Value::Int(number) => write_int(self.out, number),
            Value::Json(text) => self.raw(text),
            Value::Words(text) => {
                self.out.push(b'[');
                self.words(text);
                self.end(b']');
            }
            Value::Uid => {
                self.out.push(b'"');
                self.out.extend_from_slice(&uuid_text(self.run.uid));
                self.out.push(b'"');
            }
            Value::Debug => {
                self.out.push(b'[');
                for &debug in &self.run.filled {
                    self.string(self.plan.debugs[usize::from(debug)]);
                    self.out.push(b',');
                }
                self.end(b']');
            }
            Value::Labels => self.labels(),
            Value::Observables => self.observables(),
            Value::Unmapped => self.unmapped(),
        }
    }

    fn words(&mut self, text: Text) {
        for word in octets_of(text, self.message, &self.source.arena, self.constants)
            .split(|octet| matches!(octet, b' ' | b'\t' | b'\r' | b'\n'))
            .filter(|word| !word.is_empty())
        {
            write_text(self.out, word);
            self.out.push(b',');
        }
    }

    fn labels(&mut self) {
        self.out.push(b'[');
        for labels in self.labels {
            self.out.extend_from_slice(labels);
        }
        for (label, holds) in [(PARTIAL, self.source.partial), (WEAK, self.run.weak)] {
            if holds {
                write_text(self.out, label);
                self.out.push(b',');
            }
        }
        self.end(b']');
    }

    fn observables(&mut self) {
        self.out.push(b'[');
        for &(place, text) in &self.run.observed {
            self.raw(self.plan.observables[place as usize].head);
            self.string(text);
            self.out.extend_from_slice(b"},");
        }
        self.end(b']');
    }

    /// Names in order; the values of one that came more than once as a list, a list of words among them in its place.
    fn unmapped(&mut self) {
        let pairs = &self.run.unmapped;
        self.out.push(b'{');
        let mut at = 0;
        while let Some(&(name, value)) = pairs.get(at) {
            let same = pairs[at..].iter().take_while(|&&(other, _)| self.text(other) == self.text(name)).count();
            self.string(name);
            self.out.push(b':');
            if same == 1 {
                self.value(value);
            } else {
                self.out.push(b'[');
                for &(_, value) in &pairs[at..at + same] {
                    match value {
                        Value::Words(text) => self.words(text),
                        value => {
                            self.value(value);
                            self.out.push(b',');
                        }
                    }
                }
                self.end(b']');
            }
            self.out.push(b',');
            at += same;
        }
        self.end(b'}');
    }
}
