//! What tells a retransmission from another request: twin of `listeners/radius/retransmissions.py`.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use super::packet::{AUTHENTICATOR, span_of};

const STEP_NS: i64 = 300 * 1_000_000_000;
const MAX_REQUESTS: usize = 1 << 15;

type Key = [u8; 16];

/// What retransmissions have alike: their source, hashed with a key that nobody knows, Identifier and Request Authenticator.
type Request = (u64, u8, Key);

/// The keys of requests seen lately.
#[derive(Clone, Debug, Default)]
pub struct Retransmissions {
    step: Option<i64>,
    hasher: RandomState,
    current: HashMap<Request, Key>,
    previous: HashMap<Request, Key>,
}

impl Retransmissions {
    /// The keys of verified requests, one behind the other; `source` of each is the text of a way that retransmissions have
    /// alike, its place in `sources`.
    #[must_use]
    pub fn keys(&mut self, buffer: &[u8], spans: &[u32], sources: &[Vec<u8>], ways: &[u32], now_ns: i64) -> Vec<u8> {
        if !ways.is_empty() {
            self.turn(now_ns.div_euclid(STEP_NS));
        }
        let mut keys = Vec::with_capacity(16 * ways.len());
        for (span, &way) in spans.chunks_exact(2).zip(ways) {
            let source = sources.get(way as usize).map(Vec::as_slice).unwrap_or_default();
            keys.extend_from_slice(&self.key(source, span_of(buffer, span)));
        }
        keys
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.len() + self.previous.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn key(&mut self, source: &[u8], packet: &[u8]) -> Key {
        let identifier = packet.get(1).copied().unwrap_or_default();
        let authenticator: Key =
            packet.get(AUTHENTICATOR).and_then(|octets| octets.try_into().ok()).unwrap_or_default();
        let request = (self.hasher.hash_one(source), identifier, authenticator);
        if let Some(&found) = self.current.get(&request).or_else(|| self.previous.get(&request)) {
            return found;
        }
        let made: Key = Blake2b::<U16>::new()
            .chain_update(source)
            .chain_update([identifier])
            .chain_update(authenticator)
            .chain_update(self.step.unwrap_or_default().to_be_bytes())
            .finalize()
            .into();
        if self.current.len() >= MAX_REQUESTS {
            self.previous = std::mem::take(&mut self.current);
        }
        self.current.insert(request, made);
        made
    }

    fn turn(&mut self, step: i64) {
        if self.step == Some(step) {
            return;
        }
        let current = std::mem::take(&mut self.current);
        self.previous =
            if self.step.is_some_and(|before| before.checked_add(1) == Some(step)) { current } else { HashMap::new() };
        self.step = Some(step);
    }
}
