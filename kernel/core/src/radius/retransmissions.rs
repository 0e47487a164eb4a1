//! What tells a retransmission from another request: twin of `listeners/radius/retransmissions.py`.
//!
//! A key is made of its request and of the step in which that was first seen, so only that step is remembered: a set of
//! requests of each, in 64 bits of a hash that nobody can foretell. Two requests that share those still have keys of their own.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use blake2::digest::consts::U16;
use blake2::{Blake2b, Digest};

use super::packet::{AUTHENTICATOR, span_of};
use crate::hashed::Hashes;

const STEP_NS: i64 = 300 * 1_000_000_000;
const MAX_REQUESTS: usize = 1 << 15;

type Key = [u8; 16];

/// The keys of requests seen lately.
#[derive(Clone, Debug, Default)]
pub struct Retransmissions {
    hasher: RandomState,
    current: Seen,
    previous: Seen,
}

/// Requests that were first seen in a step; none where that isn't known yet.
#[derive(Clone, Debug, Default)]
struct Seen {
    step: Option<i64>,
    requests: Hashes,
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
        let mut request = Vec::new();
        for (span, &way) in spans.chunks_exact(2).zip(ways) {
            let packet = span_of(buffer, span);
            request.clear();
            request.extend_from_slice(sources.get(way as usize).map(Vec::as_slice).unwrap_or_default());
            request.push(packet.get(1).copied().unwrap_or_default());
            request.extend_from_slice(packet.get(AUTHENTICATOR).unwrap_or(&[0; 16]));
            let step = self.first_seen(self.hasher.hash_one(request.as_slice()));
            request.extend_from_slice(&step.to_be_bytes());
            keys.extend_from_slice(&Key::from(Blake2b::<U16>::digest(&request)));
        }
        keys
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.current.requests.len() + self.previous.requests.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The step in which a request was first seen; no request is in both sets.
    fn first_seen(&mut self, request: u64) -> i64 {
        if self.previous.requests.contains(&request) {
            return self.previous.step.unwrap_or_default();
        }
        if self.current.requests.len() >= MAX_REQUESTS && !self.current.requests.contains(&request) {
            self.begin(self.current.step);
        }
        self.current.requests.insert(request);
        self.current.step.unwrap_or_default()
    }

    fn turn(&mut self, step: i64) {
        if self.current.step == Some(step) {
            return;
        }
        let follows = self.current.step.is_some_and(|before| before.checked_add(1) == Some(step));
        self.begin(Some(step));
        if !follows {
            self.previous.requests.clear();
        }
    }

    /// Begin a set of this step in the memory of the older one.
    fn begin(&mut self, step: Option<i64>) {
        std::mem::swap(&mut self.current, &mut self.previous);
        self.current.requests.clear();
        self.current.step = step;
    }
}
