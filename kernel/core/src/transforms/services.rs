//! Services, the file a service's command line starts: twin of `normalizers/transforms/services.py`.

use memchr::memchr_iter;

use super::{Output, Outputs, Texts, is_blank, number, span, unless_empty};
use crate::plan::{Options, Value};

const REGULAR_FILE: i64 = 1;
const SUFFIXES: [&[u8]; 5] = [b"exe", b"sys", b"dll", b"com", b"bat"];

pub(super) fn image_path(texts: &mut Texts<'_>, values: &[Option<Value>], _: &Options, out: &mut Outputs) -> bool {
    let line = texts.printed(values.first().copied().flatten());
    let octets = texts.get(line);
    let start = span(octets, is_blank);
    let (first, last) = program(&octets[start..]);
    let path = line.part(start + first, start + last);
    let name = memchr::memrchr2(b'\\', b'/', texts.get(path)).map_or(0, |at| at + 1);
    let name = path.part(name, path.len());
    out[0] = Output::Value(Value::Text(line));
    if !name.is_empty() {
        out[1] = unless_empty(path);
        out[2] = unless_empty(name);
        out[3] = number(REGULAR_FILE);
    }
    true
}

/// Where the program is: what is quoted, else up to the first program suffix, else the first word.
fn program(bare: &[u8]) -> (usize, usize) {
    if bare.first() == Some(&b'"') {
        let quoted = span(&bare[1..], |octet| octet != b'"');
        if quoted > 0 {
            return (1, 1 + quoted);
        }
    }
    let end = memchr_iter(b'.', bare).find_map(|dot| {
        let suffix = bare.get(dot + 1..dot + 4)?;
        let ends = bare.get(dot + 4).is_none_or(|&octet| is_blank(octet));
        (ends && SUFFIXES.into_iter().any(|known| known.eq_ignore_ascii_case(suffix))).then_some(dot + 4)
    });
    (0, end.unwrap_or_else(|| span(bare, |octet| !is_blank(octet))))
}
