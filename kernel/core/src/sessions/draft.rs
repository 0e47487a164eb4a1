//! A plan in the making: the table as it will be, laid over the table as it is. Twin of `_Draft` in `pipeline/state/table.py`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::session::{ID, NAS, RESTART, Session, Texts, UNNUMBERED, follow, timed};
use super::table::SessionTable;
use crate::hashed::ByHash;
use crate::radius::Change;

pub(super) struct Draft<'a> {
    table: &'a SessionTable,
    now_ms: i64,
    next_number: i64,
    /// Sessions that are new or changed.
    pub saved: Vec<Session>,
    places: ByHash<i64, usize>,
    /// Of those the newest by the hash of server and session ID.
    newest: ByHash<u64, i64>,
    /// When servers that began anew in this commit did so, and the last time before that; ascending.
    pub restarts: Vec<(Box<[u8]>, Vec<i64>)>,
    servers: HashMap<Box<[u8]>, usize>,
}

impl<'a> Draft<'a> {
    pub fn new(table: &'a SessionTable, next_number: i64, now_ms: i64) -> Self {
        let (saved, restarts) = (Vec::new(), Vec::new());
        let (places, newest, servers) = (ByHash::default(), ByHash::default(), HashMap::new());
        Self { table, now_ms, next_number, saved, places, newest, restarts, servers }
    }

    /// Take in one word; one without an ID says nothing.
    pub fn hear(&mut self, change: Change<'_>) {
        let change = timed(change, self.now_ms);
        let [nas, id, ..] = change.texts;
        if change.event == RESTART {
            self.restart(&change);
        } else if !id.is_empty() {
            let known = self.known(nas, id).cloned();
            let restarts = self.restarts_of(nas);
            let last = restarts.last().copied();
            let ended = known.clone().map(|known| known.ended_by(&restarts));
            let (other, newest) = follow(ended, &change, self.now_ms);
            for session in other.into_iter().chain([newest]) {
                self.keep(session.ended_by(last.as_slice()), known.as_ref());
            }
        }
    }

    fn restart(&mut self, change: &Change<'_>) {
        let (nas, at) = (change.texts[NAS], change.at_ms);
        let restarts = self.restarts_of(nas);
        if restarts.last().is_some_and(|&last| at <= last) {
            return;
        }
        let former = restarts.into_owned();
        let place = *self.servers.entry(nas.into()).or_insert_with(|| {
            self.restarts.push((nas.into(), former));
            self.restarts.len() - 1
        });
        if let Some((_, times)) = self.restarts.get_mut(place) {
            times.push(at);
        }
        let known = self.known(nas, b"").cloned();
        let server = Session {
            number: known.as_ref().map_or(UNNUMBERED, |known| known.number),
            texts: Texts::new([nas, b"", b"", b"", b"", b""]),
            begun_at_ms: at,
            last_at_ms: at,
            ended_at_ms: Some(at),
            heard_at_ms: self.now_ms,
        };
        self.keep(server, known.as_ref());
    }

    /// When a server began anew, as far as is known.
    fn restarts_of(&self, nas: &[u8]) -> Cow<'_, [i64]> {
        match self.restarted(nas) {
            [] => self.table.newest(nas, b"").map_or(Cow::Borrowed(&[]), |server| Cow::Owned(vec![server.last_at_ms])),
            times => Cow::Borrowed(times),
        }
    }

    /// When a server began anew, where it did so in this commit.
    pub fn restarted(&self, nas: &[u8]) -> &[i64] {
        self.servers.get(nas).and_then(|&place| self.restarts.get(place)).map_or(&[], |(_, times)| times)
    }

    pub fn saves(&self, number: i64) -> bool {
        self.places.contains_key(&number)
    }

    fn known(&self, nas: &[u8], id: &[u8]) -> Option<&Session> {
        self.known_by(self.table.id_hash(nas, id), nas, id)
    }

    fn known_by(&self, hash: u64, nas: &[u8], id: &[u8]) -> Option<&Session> {
        let drafted = self.newest.get(&hash).and_then(|number| self.saved.get(*self.places.get(number)?));
        drafted.filter(|session| session.is_of(nas, id)).or_else(|| self.table.newest_by(hash, nas, id))
    }

    /// Save a session if it isn't what is known of it.
    pub fn keep(&mut self, mut session: Session, known: Option<&Session>) {
        if known == Some(&session) {
            return;
        }
        if session.number == UNNUMBERED {
            session.number = self.next_number;
            self.next_number = self.next_number.saturating_add(1);
        }
        let (nas, id) = (session.texts.get(NAS), session.texts.get(ID));
        let (number, hash) = (session.number, self.table.id_hash(nas, id));
        if self.known_by(hash, nas, id).is_none_or(|newest| newest.number == number || session.is_newer(newest)) {
            self.newest.insert(hash, number);
        }
        if let Some(saved) = self.places.get(&number).and_then(|&place| self.saved.get_mut(place)) {
            *saved = session;
        } else {
            self.places.insert(number, self.saved.len());
            self.saved.push(session);
        }
    }
}
