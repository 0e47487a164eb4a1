//! Entry: `Retransmissions`. The same request has the same key while it may be repeated, another one never has it.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use tidegate_core::radius::Retransmissions;

const STEP_NS: i64 = 300 * 1_000_000_000;
const HEADER: usize = 20;

fuzz_target!(|bursts: Vec<(Vec<(u8, u8)>, i64)>| {
    let sources: Vec<Vec<u8>> = (0..3).map(|number| vec![number; usize::from(number)]).collect();
    let mut found = Retransmissions::default();
    for (requests, now_ns) in &bursts {
        let mut packets = vec![];
        for &(identifier, _) in requests {
            packets.extend([4, identifier, 0, 20]);
            packets.extend([identifier; 16]);
        }
        let starts = (0..packets.len()).step_by(HEADER);
        let spans: Vec<u32> = starts.flat_map(|at| [at, at + HEADER]).map(|at| u32::try_from(at).unwrap()).collect();
        let ways: Vec<u32> = requests.iter().map(|&(_, way)| u32::from(way % 3)).collect();
        let keys = found.keys(&packets, &spans, &sources, &ways, *now_ns);
        assert_eq!(keys.len(), 16 * requests.len());
        assert_eq!(found.keys(&packets, &spans, &sources, &ways, *now_ns), keys, "at once again");
        let asked: HashSet<(u8, u32)> = requests.iter().map(|request| request.0).zip(ways.iter().copied()).collect();
        assert_eq!(keys.chunks_exact(16).collect::<HashSet<_>>().len(), asked.len(), "one key a request");
        if let Some(later) = now_ns.checked_add(STEP_NS) {
            let mut anew = Retransmissions::default();
            let first = anew.keys(&packets, &spans, &sources, &ways, *now_ns);
            assert_eq!(anew.keys(&packets, &spans, &sources, &ways, later), first, "a step after it was first seen");
        }
        let _ = found.keys(&packets, &[1, 0, 9], &sources, &[7, 0], *now_ns);
    }
});
