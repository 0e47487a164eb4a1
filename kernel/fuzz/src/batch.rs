//! What holds of every batch: each message is accounted for, records are canonical JSON, and the index is that of the records.

use serde_json::Value;
use tidegate_core::index::Index;
use tidegate_core::normalize::Normalized;
use tidegate_core::tally::Tally;

/// Octets of an entry in the index's columns, beside its texts.
const ENTRY: usize = 4 + 8 + 4 + 4 + 4 + 4 + 1 + 16;

/// Check what became of so many messages; the records.
#[must_use]
pub fn check(done: Normalized, messages: usize) -> Vec<u8> {
    let records = done.index.len();
    check_unsure(&done.unsure, messages, records);
    let [filtered, rejected] = [&done.filtered, &done.rejected].map(total);
    let control = usize::try_from(done.control).unwrap();
    assert_eq!(
        records + filtered + rejected + control + done.unsure.len() / 2,
        messages,
        "each message is counted once"
    );
    assert_eq!(done.rejects.len(), rejected, "each refusal is told");
    assert!(done.rejects.iter().all(|told| (told.message as usize) < messages && !told.rule.is_empty()));
    check_records(&done.records, done.index);
    done.records
}

/// Messages that are left to the reference engine: their places rise, and so do the numbers of records before them.
pub fn check_unsure(unsure: &[u32], messages: usize, records: usize) {
    let (places, before): (Vec<u32>, Vec<u32>) = unsure.chunks_exact(2).map(|pair| (pair[0], pair[1])).unzip();
    assert!(
        places.is_sorted_by(|one, next| one < next) && places.last().is_none_or(|&last| (last as usize) < messages)
    );
    assert!(before.is_sorted() && before.last().is_none_or(|&last| last as usize <= records));
}

/// Records are lines of JSON with sorted keys and no escape that isn't needed, and the index tells their lengths.
pub fn check_records(records: &[u8], index: Index) {
    let count = index.len();
    let columns = index.encode();
    let number = |at: usize| u32::from_le_bytes(columns[4 * at..4 * at + 4].try_into().unwrap()) as usize;
    assert_eq!((number(0), columns.len()), (count, 8 + ENTRY * count + number(1)));
    let texts: Vec<String> = serde_json::from_slice(&columns[8 + ENTRY * count..]).expect("texts are JSON");
    assert!(texts.len() <= 2 * count);
    let mut rest = records;
    for place in 0..count {
        let (line, behind) = rest.split_at(number(2 + place));
        let value: Value = serde_json::from_slice(line).expect("a record is JSON");
        assert!(value.is_object() && value["metadata"]["uid"].is_string() && value["time"].is_i64());
        assert_eq!(line, serde_json::to_vec(&value).unwrap(), "keys are sorted, and each stands once");
        rest = behind.strip_prefix(b"\n").expect("a record is a line");
    }
    assert!(rest.is_empty());
}

fn total(tally: &Tally) -> usize {
    tally.counts().iter().map(|&(_, count)| usize::try_from(count).unwrap()).sum()
}
