//! How long the text of EVTX records can get, without expanding them: the twin of `wire/evtx_expansion.py`, which says why and what is counted.
//!
//! Lengths saturate where Python's grow without bound: whatever is that long is beyond any limit in both.

use std::collections::HashMap;
use std::rc::Rc;

/// Octets of a record's header, and of the size behind its content ([MS-EVEN6] has neither; libevtx, section 4).
const HEADER: usize = 24;
const SIZE: usize = 4;

const MAX_NESTING: u32 = 64;
const NODE: u64 = 64;
const PER_OCTET: u64 = 4;
const PER_CHARACTER: u64 = 3;
const BEYOND: u64 = 1 << 40;

const MORE: u8 = 0x40;
const TEMPLATE_HEADER: usize = 24;

const STRING: u8 = 0x01;
const SID: u8 = 0x13;
const NESTED: u8 = 0x21;
const ARRAY: u8 = 0x80;
const STRING_ARRAY: u8 = 0x81;
const FIRST_OCTET_ARRAY: u8 = 0x82;
const LAST_OCTET_ARRAY: u8 = 0x84;
const INSTANCE_IN_FRAGMENT: &[u8] = b"\x0f\x01\x01\x00\x0c";
const INSTANCE_ALONE: u8 = 0x0c;

/// Why counting ends.
enum Stop {
    /// The grammar is broken: nothing behind this is read.
    Broken,
    /// More than may be looked at, or than any text may have.
    Endless,
}

type Counted<T> = Result<T, Stop>;

/// Octets of the value types that have a width of their own.
fn width_of(kind: u8) -> Option<usize> {
    match kind {
        0x03 | 0x04 => Some(1),
        0x05 | 0x06 => Some(2),
        0x07 | 0x08 | 0x0b | 0x0d | 0x14 => Some(4),
        0x09 | 0x0a | 0x0c | 0x11 | 0x15 => Some(8),
        0x0f | 0x12 => Some(16),
        _ => None,
    }
}

/// An element: the one around it, what its own names and texts take, and the values it takes, by index.
struct Element {
    around: usize,
    length: u64,
    values: Vec<usize>,
}

/// Elements, each behind the one around it; what they take without values, and how often each value is taken, by index.
struct Shape {
    elements: Vec<Element>,
    length: u64,
    uses: HashMap<usize, u64>,
    most_uses: u64,
}

/// Places of those records (start, end, start, end ...) that may not fit into `max_text` octets of text, counted from the first on; no more than `steps` are looked at.
#[must_use]
pub fn find_expanding(octets: &[u8], records: &[u32], max_text: u64, steps: i64) -> Vec<usize> {
    let mut walk = Walk { octets, steps, templates: HashMap::new() };
    let (mut left, mut refused) = (max_text, Vec::new());
    for (place, record) in records.chunks_exact(2).enumerate() {
        let (start, end) = (record[0] as usize + HEADER, (record[1] as usize).saturating_sub(SIZE));
        match walk.text(start, end, 0) {
            Ok(length) if length <= left => left -= length,
            _ => refused.push(place),
        }
    }
    refused
}

/// A chunk being walked: its templates as far as they are known (None while one is read), and the steps that are left.
struct Walk<'a> {
    octets: &'a [u8],
    steps: i64,
    templates: HashMap<usize, Option<Rc<Shape>>>,
}

impl Walk<'_> {
    fn spend(&mut self, steps: u64) -> Counted<()> {
        self.steps = self.steps.saturating_sub_unsigned(steps);
        if self.steps < 0 { Err(Stop::Endless) } else { Ok(()) }
    }

    fn octet(&self, at: usize) -> Counted<u8> {
        self.octets.get(at).copied().ok_or(Stop::Broken)
    }

    fn word(&self, at: usize) -> Counted<usize> {
        let two = at.checked_add(2).and_then(|end| self.octets.get(at..end)).ok_or(Stop::Broken)?;
        Ok(usize::from(u16::from_le_bytes([two[0], two[1]])))
    }

    fn long(&self, at: usize) -> Counted<usize> {
        let four = at.checked_add(4).and_then(|end| self.octets.get(at..end)).ok_or(Stop::Broken)?;
        Ok(u32::from_le_bytes([four[0], four[1], four[2], four[3]]) as usize)
    }

    /// The text of the record, or of the binary XML in a value, from `at` to `end`.
    fn text(&mut self, at: usize, end: usize, depth: u32) -> Counted<u64> {
        let rest = self.octets.get(at..).unwrap_or_default();
        let begin = if rest.first() == Some(&INSTANCE_ALONE) {
            at + 1
        } else if rest.starts_with(INSTANCE_IN_FRAGMENT) {
            at + INSTANCE_IN_FRAGMENT.len()
        } else {
            return Ok(self.shape(at, end, depth, false)?.length);
        };
        if depth > MAX_NESTING {
            return Ok(self.shape(at, end, depth, false)?.length);
        }
        let (length, behind) = match self.instance(begin, end, depth) {
            Ok(found) => found,
            Err(Stop::Broken) => return Ok(0),
            Err(Stop::Endless) => return Err(Stop::Endless),
        };
        if behind >= end || self.octet(behind)? == 0 {
            return Ok(length);
        }
        Ok(length.saturating_add(self.shape(at, end, depth, false)?.length))
    }

    /// What the tokens from `at` to `end` describe, as far as they are sound.
    fn shape(&mut self, at: usize, end: usize, depth: u32, template: bool) -> Counted<Shape> {
        if depth > MAX_NESTING {
            return Err(Stop::Endless);
        }
        let mut elements = vec![Element { around: 0, length: NODE, values: Vec::new() }];
        if let Err(Stop::Endless) = self.walk(at, end, depth, &mut elements, template) {
            return Err(Stop::Endless);
        }
        let mut uses = HashMap::new();
        for value in elements.iter().flat_map(|element| &element.values) {
            *uses.entry(*value).or_insert(0) += 1;
        }
        let length = elements.iter().fold(0, |sum: u64, element| sum.saturating_add(element.length));
        let most_uses = uses.values().copied().max().unwrap_or(0);
        Ok(Shape { elements, length, uses, most_uses })
    }

    fn walk(
        &mut self,
        mut at: usize,
        end: usize,
        depth: u32,
        elements: &mut Vec<Element>,
        template: bool,
    ) -> Counted<()> {
        let mut inside = vec![0];
        while at < end {
            self.spend(1)?;
            let token = self.octet(at)?;
            at += 1;
            let here = inside[inside.len() - 1];
            let length = match token & !MORE {
                0x01 => {
                    // behind a dependency, which templates have, and a size
                    let (characters, behind) = self.name(if template { at + 6 } else { at + 4 })?;
                    inside.push(elements.len());
                    elements.push(Element {
                        around: here,
                        length: NODE + 2 * PER_CHARACTER * characters,
                        values: Vec::new(),
                    });
                    at = behind + if token & MORE == 0 { 0 } else { 4 };
                    0
                }
                0x02 => 0,
                0x03 | 0x04 => {
                    if inside.len() == 1 {
                        return Ok(());
                    }
                    inside.pop();
                    0
                }
                0x0d | 0x0e => {
                    elements[here].values.push(self.word(at)?);
                    at += 3;
                    0
                }
                0x06 | 0x09 | 0x0a => {
                    let (characters, behind) = self.name(at)?;
                    at = behind;
                    NODE + PER_CHARACTER * characters
                }
                0x05 => {
                    let (length, behind) = self.literal(at, depth)?;
                    at = behind;
                    length
                }
                0x0c if !template => {
                    let (length, behind) = self.instance(at, end, depth)?;
                    at = behind;
                    length
                }
                0x0b => {
                    let characters = self.word(at)?;
                    at += 2 + 2 * characters;
                    NODE + PER_CHARACTER * characters as u64
                }
                0x0f => {
                    at += 3;
                    0
                }
                _ => return Ok(()), // the end, or what nobody reads
            };
            elements[here].length = elements[here].length.saturating_add(length);
        }
        Ok(())
    }

    /// (its characters, where it ends) of a name that is referred to at `at`, and may stand right there.
    fn name(&self, at: usize) -> Counted<(u64, usize)> {
        let named = self.long(at)?;
        let behind = at + 4;
        let characters = self.word(named + 6)?;
        Ok((characters as u64, if named == behind { behind + 10 + 2 * characters } else { behind }))
    }

    /// (text it takes, where it ends) of a value that stands in the document itself.
    fn literal(&mut self, at: usize, depth: u32) -> Counted<(u64, usize)> {
        let (kind, at) = (self.octet(at)?, at + 1);
        if kind == STRING || kind == NESTED {
            let size = self.word(at)? * if kind == STRING { 2 } else { 1 };
            let at = at + 2;
            let length = if kind == NESTED {
                self.text(at, at + size, depth + 1)?
            } else {
                NODE + PER_CHARACTER * size as u64 / 2
            };
            return Ok((length, at + size));
        }
        if kind != 0 && kind != SID && width_of(kind).is_none() {
            return Err(Stop::Broken);
        }
        let width = self.width(kind, at, 0)?;
        Ok((NODE + PER_OCTET * width as u64, at + width))
    }

    /// Octets that are read for a value of this type at `at`, if `size` is said to be its size.
    fn width(&mut self, kind: u8, at: usize, size: usize) -> Counted<usize> {
        if kind == SID {
            return Ok(size.max(8 + 4 * usize::from(self.octet(at + 1)?)));
        }
        if kind == STRING_ARRAY && size > 0 {
            let mut end = at + size + size % 2;
            loop {
                // the last string ends where it ends
                let last = self.octets.get(end - 2..end.min(self.octets.len())).unwrap_or_default();
                if last.is_empty() || last == b"\x00\x00" {
                    return Ok(end - at);
                }
                self.spend(1)?;
                end += 2;
            }
        }
        Ok(size.max(width_of(kind).unwrap_or(0)))
    }

    /// (text it takes, where it ends) of a template with its values, in a stream that ends at `stop`.
    fn instance(&mut self, at: usize, stop: usize, depth: u32) -> Counted<(u64, usize)> {
        let definition = self.long(at + 5)?;
        let mut at = at + 9;
        if definition == at {
            at += TEMPLATE_HEADER + self.long(at + 20)?;
        }
        let count = self.long(at)?;
        at += 4;
        let end = at + 4 * count;
        let template = self.template(definition, depth)?;
        if end > self.octets.len() {
            return Ok((template.length, self.octets.len())); // more than can follow: the template may still be written, without them
        }
        self.spend(count as u64)?;
        let octets = self.octets;
        let values: Vec<(u8, usize)> = octets[at..end]
            .chunks_exact(4)
            .map(|four| (four[2], usize::from(u16::from_le_bytes([four[0], four[1]]))))
            .collect();
        let total: usize = values.iter().map(|value| value.1).sum();
        let most = values.iter().map(|value| value.0).max().unwrap_or(0);
        let mut length = template
            .length
            .saturating_add(template.most_uses.saturating_mul(PER_OCTET * total as u64 + NODE * count as u64));
        let behind = octets.get(end + total..stop.min(octets.len())).unwrap_or_default();
        if most < NESTED && behind.iter().all(|&octet| octet == 0) {
            return Ok((length, end + total)); // nothing follows, wherever in there it ends
        }
        let mut starts = Vec::with_capacity(values.len() + 1);
        let mut start = end;
        for &(kind, size) in &values {
            starts.push(start);
            start += self.width(kind, start, size)?;
        }
        if most >= ARRAY {
            return Ok((self.product(&template, &values, &starts, depth)?, start));
        }
        for (index, &(kind, size)) in values.iter().enumerate() {
            if kind == NESTED {
                let text = self.text(starts[index], starts[index] + size, depth + 1)?;
                length = length.saturating_add(template.uses.get(&index).copied().unwrap_or(0).saturating_mul(text));
            }
        }
        Ok((length.min(BEYOND), start))
    }

    fn template(&mut self, at: usize, depth: u32) -> Counted<Rc<Shape>> {
        if let Some(known) = self.templates.get(&at) {
            return known.clone().ok_or(Stop::Endless); // it stands in itself
        }
        let end = at + TEMPLATE_HEADER + self.long(at + 20)?;
        if end > self.octets.len() {
            return Err(Stop::Broken);
        }
        self.templates.insert(at, None);
        let shape = Rc::new(self.shape(at + TEMPLATE_HEADER, end, depth, true)?);
        self.templates.insert(at, Some(Rc::clone(&shape)));
        Ok(shape)
    }

    /// The text of a template with these values, each element as often as arrays repeat it.
    fn product(&mut self, template: &Shape, values: &[(u8, usize)], starts: &[usize], depth: u32) -> Counted<u64> {
        let (mut lengths, mut items) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (&(kind, size), &at) in values.iter().zip(starts) {
            lengths.push(if kind == NESTED {
                self.text(at, at + size, depth + 1)?
            } else {
                NODE + PER_OCTET * size as u64
            });
            let octets = (FIRST_OCTET_ARRAY..=LAST_OCTET_ARRAY).contains(&kind);
            items.push(if kind & ARRAY == 0 { 1 } else { (if octets { size } else { size / 2 }).max(1) as u64 });
        }
        let uses: u64 = template.uses.values().sum();
        self.spend(template.elements.len() as u64 + uses)?;
        let mut totals: Vec<u64> = template.elements.iter().map(|element| element.length).collect();
        for index in (0..totals.len()).rev() {
            let element = &template.elements[index];
            let taken = || element.values.iter().copied().filter(|&value| value < values.len());
            let times = taken().fold(1, |times: u64, value| times.saturating_mul(items[value]));
            let (mut once, mut repeated) = (totals[index], 0_u64);
            for value in taken() {
                if items[value] == 1 {
                    once = once.saturating_add(lengths[value]);
                } else {
                    repeated = repeated.saturating_add(lengths[value].saturating_mul(times / items[value]));
                }
            }
            totals[index] = once.saturating_mul(times).saturating_add(repeated).min(BEYOND);
            if index > 0 {
                totals[element.around] = totals[element.around].saturating_add(totals[index]);
            }
        }
        Ok(totals[0])
    }
}
