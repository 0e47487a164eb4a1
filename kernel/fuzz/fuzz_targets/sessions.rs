//! Entries: `SessionTable`, `SessionPlan`. Whatever is told of sessions, the table keeps its bounds, and each session is found by
//! what it is found by.

#![no_main]

use std::collections::HashSet;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::sessions::{Limits, SessionTable, checksum};

const NOW_MS: i64 = 1_795_000_000_000;
const STEP_MS: i64 = 700;

/// A word, its texts few so that sessions meet.
#[derive(Arbitrary, Debug)]
struct Word {
    event: u8,
    at: i16,
    began: Option<i16>,
    texts: [u8; 6],
}

impl Word {
    /// As `pipeline.state.changes` packs it.
    fn encode(&self) -> Vec<u8> {
        let time = |steps: i16| (NOW_MS + STEP_MS * i64::from(steps)).to_le_bytes();
        let mut octets = vec![self.event % 5];
        if octets == [0] {
            return octets;
        }
        octets.extend(time(self.at));
        octets.extend(self.began.map_or(i64::MIN.to_le_bytes(), time));
        for text in self.texts {
            let text = ["", "a", "A", "10.8.0.1", "b\u{e4}"][usize::from(text) % 5];
            octets.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
            octets.extend(text.as_bytes());
        }
        octets
    }
}

#[derive(Arbitrary, Debug)]
enum Told {
    Words(Vec<Word>),
    Octets(Vec<u8>),
}

fuzz_target!(|history: (u8, Vec<(Told, i16)>)| {
    let max = usize::from(history.0 % 5) + 1;
    let mut table = SessionTable::new(Limits { max, idle_ms: 10_000, keep_ms: 5_000 });
    for (told, passed) in &history.1 {
        let now_ms = NOW_MS + STEP_MS * i64::from(*passed);
        let octets = match told {
            Told::Words(words) => words.iter().flat_map(Word::encode).collect(),
            Told::Octets(octets) => octets.clone(),
        };
        let plan = table.plan(&octets, now_ms);
        let again = table.plan(&octets, now_ms);
        assert_eq!(
            (&plan.saved, &plan.silent, &plan.gone),
            (&again.saved, &again.silent, &again.gone),
            "to plan changes nothing"
        );
        table.take(&plan);
        check(&table, max, now_ms);
        assert!(plan.gone.iter().all(|&gone| table.sessions().all(|session| session.number != gone)));
    }
    let mut stored = SessionTable::new(Limits { max, idle_ms: 10_000, keep_ms: 5_000 });
    table.sessions().for_each(|session| stored.put(session.clone()));
    assert_eq!(stored.len(), table.len());
    check(&stored, max, NOW_MS);
});

fn check(table: &SessionTable, max: usize, now_ms: i64) {
    let numbers: HashSet<i64> = table.sessions().map(|session| session.number).collect();
    assert_eq!((numbers.len(), table.sessions().count()), (table.len(), table.len()), "each is listed once");
    assert!(table.len() <= max && table.open() <= table.len());
    for session in table.sessions() {
        let [nas, id, user, _, address, _] = session.texts.all();
        let newest = table.newest(nas, id).map(|newest| newest.texts.all());
        assert!(newest.is_none_or(|texts| texts[..2] == [nas, id]));
        for at_ms in [session.begun_at_ms, session.last_at_ms, now_ms] {
            let by_user = table.of_account(&user.to_ascii_lowercase(), at_ms);
            let by_address = table.of_address(address, at_ms);
            let is_in = |found: &[&_]| {
                found.iter().any(|found: &&tidegate_core::sessions::Session| found.number == session.number)
            };
            assert!(
                user.is_empty() || address.is_empty() || is_in(&by_user) == is_in(&by_address),
                "found by one alone"
            );
            assert!(by_user.iter().all(|found| found.texts.all()[2].eq_ignore_ascii_case(user)));
            assert!(by_address.iter().all(|found| found.texts.all()[4] == address));
        }
        let _ = checksum(session);
    }
}
