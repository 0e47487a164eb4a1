//! The container of an EVTX file, as far as it is whole: the twin of `wire/evtx.py`, which says what stands where.
//!
//! Whatever isn't surely as an event log service writes it (a checksum that doesn't match, a gap, a record that the reader of `evtx_render`
//! isn't sure of, one whose text may be endless) ends the reading: that chunk is `listeners.evtx`' as a whole.

use crate::evtx_expansion::find_expanding;
use crate::evtx_render::Templates;

const CHUNK: usize = 65_536;
const TABLES_AT: usize = 128;
const RECORDS_AT: usize = 512;
const CHUNK_MAGIC: &[u8] = b"ElfChnk\x00";
const RECORD_MAGIC: &[u8] = b"**\x00\x00";
const HEADER: usize = 24;
const SIZE: usize = 4;
const FILLER_ID: u64 = u64::MAX;

/// Octets of text behind which no further chunk is begun; those of a real one mean a quarter of a million.
const ENOUGH: usize = 2 << 20;

/// Event XML of records, one behind the other.
#[derive(Debug, Default)]
pub struct Rendered {
    /// The text of all of them.
    pub text: Vec<u8>,
    /// Where each starts and ends in it.
    pub spans: Vec<u32>,
    /// Octets of the chunks that they are of.
    pub consumed: usize,
}

/// The events of the chunks that `octets` begin with, up to the first one that isn't surely whole.
///
/// `checksums`: whether the file kept any. A chunk's text is no longer than `max_text`, nor does it take more than `max_steps` to know.
#[must_use]
pub fn render_chunks(octets: &[u8], checksums: bool, max_text: u64, max_steps: i64) -> Rendered {
    let mut rendered = Rendered { text: Vec::with_capacity(3 * octets.len()), ..Rendered::default() };
    for chunk in octets.chunks_exact(CHUNK) {
        let before = (rendered.text.len(), rendered.spans.len());
        if before.0 >= ENOUGH {
            break;
        }
        if render_chunk(chunk, checksums, (max_text, max_steps), &mut rendered).is_none() {
            rendered.text.truncate(before.0);
            rendered.spans.truncate(before.1);
            break;
        }
        rendered.consumed += CHUNK;
    }
    rendered
}

fn render_chunk(chunk: &[u8], checksums: bool, bounds: (u64, i64), rendered: &mut Rendered) -> Option<()> {
    let end = long(chunk, 48)? as usize;
    if !chunk.starts_with(CHUNK_MAGIC) || !(RECORDS_AT..=CHUNK).contains(&end) {
        return None;
    }
    if checksums && !is_intact(chunk, end) {
        return None;
    }
    let records = scan_records(chunk, end)?;
    if !find_expanding(chunk, &records, bounds.0, bounds.1).is_empty() {
        return None;
    }
    let mut templates = Templates::new(chunk.get(..end)?);
    for record in records.chunks_exact(2) {
        let start = rendered.text.len();
        templates.render(record[0] as usize + HEADER, record[1] as usize - SIZE, &mut rendered.text)?;
        rendered.spans.extend([u32::try_from(start).ok()?, u32::try_from(rendered.text.len()).ok()?]);
    }
    Some(())
}

fn is_intact(chunk: &[u8], end: usize) -> bool {
    let mut header = crc32fast::Hasher::new();
    header.update(&chunk[..120]);
    header.update(&chunk[TABLES_AT..RECORDS_AT]);
    Some(header.finalize()) == long(chunk, 124) && Some(crc32fast::hash(&chunk[RECORDS_AT..end])) == long(chunk, 52)
}

/// Where each record starts and ends, the next one where the last one ends; None unless all are whole.
fn scan_records(chunk: &[u8], end: usize) -> Option<Vec<u32>> {
    let (mut records, mut at) = (Vec::new(), RECORDS_AT);
    let last_id = longlong(chunk, 32)?;
    while at < end {
        let (size, id, filetime) = (long(chunk, at + 4)? as usize, longlong(chunk, at + 8)?, longlong(chunk, at + 16)?);
        let whole = chunk.get(at..)?.starts_with(RECORD_MAGIC) && (HEADER + SIZE..=end - at).contains(&size);
        if !whole || id == FILLER_ID || filetime > crate::evtx_values::LATEST {
            return None;
        }
        let behind = at + size;
        // the library reads nothing behind what the chunk calls its last record
        if long(chunk, behind - SIZE)? as usize != size || (id == last_id && behind < end) {
            return None;
        }
        records.extend([u32::try_from(at).ok()?, u32::try_from(behind).ok()?]);
        at = behind;
    }
    Some(records)
}

fn long(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn longlong(octets: &[u8], at: usize) -> Option<u64> {
    octets.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
