//! The table and its plans: twin of `SessionTable` in `pipeline/state/table.py`.
//!
//! What is looked for by text (the newest session of an ID, those of a server, an account, an address) is found by a hash whose
//! key peers don't know, and compared with the text: so an index holds no text.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::draft::Draft;
use super::lists::{Index, Links, List};
use super::session::{ADDRESS, ID, NAS, Session, UNNUMBERED, USER};
use crate::hashed::ByHash;
use crate::radius::Changes;

/// Sessions that may leave, or end by silence, with one commit.
const AGED_AT_ONCE: usize = 1000;

/// How many sessions are known, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many.
    pub max: usize,
    /// Silence after which one has ended, milliseconds.
    pub idle_ms: i64,
    /// How long one that has ended is known, milliseconds.
    pub keep_ms: i64,
}

/// What a commit changes in the table.
#[derive(Clone, Debug, Default)]
pub struct SessionPlan {
    /// Sessions that are new or changed.
    pub saved: Vec<Session>,
    /// Numbers of those that count as ended now.
    pub silent: Vec<i64>,
    /// Numbers of those that leave.
    pub gone: Vec<i64>,
    /// How many of them leave because there are too many.
    pub evicted: usize,
}

/// The table: sessions in slots, which lists and indexes speak of.
#[derive(Clone, Debug)]
pub struct SessionTable {
    limits: Limits,
    hasher: RandomState,
    slots: Vec<Option<Held>>,
    vacant: Vec<u32>,
    by_number: ByHash<i64, u32>,
    orders: Links,
    /// In the order in which they were last heard of.
    open: List,
    opened: usize,
    /// Those that have ended or are silent, in the order in which they came to be so.
    closed: List,
    newest: ByHash<u64, i64>,
    /// Those without an end.
    of_nas: Index,
    of_account: Index,
    of_address: Index,
    next_number: i64,
}

/// A session, and whether it is among those that are open.
#[derive(Clone, Debug)]
struct Held {
    session: Session,
    open: bool,
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hasher: RandomState::new(),
            slots: Vec::new(),
            vacant: Vec::new(),
            by_number: ByHash::default(),
            orders: Links::default(),
            open: List::EMPTY,
            opened: 0,
            closed: List::EMPTY,
            newest: ByHash::default(),
            of_nas: Index::default(),
            of_account: Index::default(),
            of_address: Index::default(),
            next_number: UNNUMBERED + 1,
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// How many haven't ended, nor fallen silent.
    #[must_use]
    pub fn open(&self) -> usize {
        self.opened
    }

    /// All of them, the closed ones first, each kind in its order.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.listed(self.closed).chain(self.listed(self.open))
    }

    fn listed(&self, list: List) -> impl Iterator<Item = &Session> {
        self.orders.slots(list).filter_map(|slot| self.in_slot(slot))
    }

    /// Those of an account, by its name without case, that were open at a time, in the order in which they began.
    #[must_use]
    pub fn of_account(&self, folded: &[u8], at_ms: i64) -> Vec<&Session> {
        let found = self.found(&self.of_account, folded);
        self.were_open(found.filter(|session| session.texts.get(USER).eq_ignore_ascii_case(folded)), at_ms)
    }

    /// Those that had a tunnel address at a time, in the order in which they began.
    #[must_use]
    pub fn of_address(&self, address: &[u8], at_ms: i64) -> Vec<&Session> {
        let found = self.found(&self.of_address, address);
        self.were_open(found.filter(|session| session.texts.get(ADDRESS) == address), at_ms)
    }

    fn found<'a>(&'a self, index: &'a Index, text: &[u8]) -> impl Iterator<Item = &'a Session> {
        index.slots(self.hasher.hash_one(text)).filter_map(|slot| self.in_slot(slot))
    }

    fn were_open<'a>(&self, found: impl Iterator<Item = &'a Session>, at_ms: i64) -> Vec<&'a Session> {
        let mut open: Vec<_> = found.filter(|session| session.was_open(at_ms, self.limits.idle_ms)).collect();
        open.sort_by_key(|session| (session.begun_at_ms, session.number));
        open
    }

    fn in_slot(&self, slot: u32) -> Option<&Session> {
        self.slots.get(slot as usize)?.as_ref().map(|held| &held.session)
    }

    fn session(&self, number: i64) -> Option<&Session> {
        self.in_slot(*self.by_number.get(&number)?)
    }

    /// The newest session of a server with this ID.
    #[must_use]
    pub fn newest(&self, nas: &[u8], id: &[u8]) -> Option<&Session> {
        self.newest_by(self.id_hash(nas, id), nas, id)
    }

    /// The same, by the hash of the two.
    pub(super) fn newest_by(&self, hash: u64, nas: &[u8], id: &[u8]) -> Option<&Session> {
        self.session(*self.newest.get(&hash)?).filter(|found| found.is_of(nas, id))
    }

    pub(super) fn id_hash(&self, nas: &[u8], id: &[u8]) -> u64 {
        self.hasher.hash_one((nas, id))
    }

    /// What packed words, and the time, change in the table; nothing is changed yet.
    #[must_use]
    pub fn plan(&self, changes: &[u8], now_ms: i64) -> SessionPlan {
        let mut draft = Draft::new(self, self.next_number, now_ms);
        Changes::new(changes).flatten().for_each(|change| draft.hear(change));
        if !draft.restarts.is_empty() {
            self.end_restarted(&mut draft);
        }
        let age = |session: &Session| now_ms.saturating_sub(session.heard_at_ms);
        let silent = self.aged(self.open, &draft, |session| age(session) > self.limits.idle_ms);
        let gone = self.aged(self.closed, &draft, |session| {
            age(session) > self.limits.keep_ms.saturating_add(if session.is_open() { self.limits.idle_ms } else { 0 })
        });
        let fresh = draft.saved.iter().filter(|session| !self.by_number.contains_key(&session.number)).count();
        let excess = (self.len() + fresh).saturating_sub(gone.len().saturating_add(self.limits.max));
        let mut plan = SessionPlan { saved: Vec::new(), silent, gone, evicted: 0 };
        if excess > 0 {
            let evicted = self.leaving(&draft, &plan.gone, excess);
            let leaves: HashSet<i64> = evicted.iter().copied().collect();
            draft.saved.retain(|session| !leaves.contains(&session.number));
            plan.evicted = evicted.len();
            plan.gone.extend(evicted);
        }
        plan.saved = draft.saved;
        plan
    }

    /// End what servers that began anew had open.
    fn end_restarted(&self, draft: &mut Draft<'_>) {
        let mut ending = Vec::new();
        for (nas, times) in &draft.restarts {
            let last = times.last().copied().unwrap_or(i64::MIN);
            let began_before = |session: &&Session| session.texts.get(NAS) == &**nas && session.begun_at_ms < last;
            let untold = self.found(&self.of_nas, nas).filter(|session| !draft.saves(session.number));
            let mut untold: Vec<_> = untold.filter(began_before).cloned().collect();
            untold.sort_by_key(|session| session.number);
            ending.extend(untold);
        }
        ending.extend(draft.saved.iter().cloned());
        for session in ending {
            let restarts = draft.restarted(session.texts.get(NAS));
            let ended = session.clone().ended_by(restarts);
            draft.keep(ended, Some(&session));
        }
    }

    /// Numbers of the first sessions that are old, and were not heard of just now.
    fn aged(&self, list: List, draft: &Draft<'_>, is_old: impl Fn(&Session) -> bool) -> Vec<i64> {
        let old = self.listed(list).take(AGED_AT_ONCE).take_while(|session| is_old(session));
        old.map(|session| session.number).filter(|&number| !draft.saves(number)).collect()
    }

    /// Numbers of those that leave where there are too many, first to last.
    fn leaving(&self, draft: &Draft<'_>, gone: &[i64], excess: usize) -> Vec<i64> {
        let gone: HashSet<i64> = gone.iter().copied().collect();
        let stays = |number: &i64| !gone.contains(number) && !draft.saves(*number);
        let untold = self.sessions().map(|session| session.number).filter(stays);
        let told =
            [false, true].into_iter().flat_map(|open| draft.saved.iter().filter(move |each| each.is_open() == open));
        untold.chain(told.map(|session| session.number)).take(excess).collect()
    }

    /// Change what a plan says, which is durable now.
    pub fn take(&mut self, plan: &SessionPlan) {
        plan.gone.iter().for_each(|&number| self.remove(number));
        for number in &plan.silent {
            let Some(&slot) = self.by_number.get(number) else { continue };
            if let Some(Some(held)) =
                self.slots.get_mut(slot as usize).filter(|held| held.as_ref().is_some_and(|held| held.open))
            {
                held.open = false;
                self.opened -= 1;
                self.orders.remove(&mut self.open, slot);
                self.orders.push(&mut self.closed, slot);
            }
        }
        plan.saved.iter().for_each(|session| self.put(session.clone()));
    }

    /// Take in a session, in place of what is known of it.
    pub fn put(&mut self, session: Session) {
        if session.is_open() && self.refresh(&session) {
            return;
        }
        let (number, open) = (session.number, session.is_open());
        self.remove(number);
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.slots.push(None);
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        self.next_number = self.next_number.max(number.saturating_add(1));
        let [nas, id, user, _, address, _] = session.texts.all();
        if open {
            self.opened += 1;
            self.orders.push(&mut self.open, slot);
            self.of_nas.insert(self.hasher.hash_one(nas), slot);
        } else {
            self.orders.push(&mut self.closed, slot);
        }
        let hash = self.id_hash(nas, id);
        if self.newest_by(hash, nas, id).is_none_or(|newest| session.is_newer(newest)) {
            self.newest.insert(hash, number);
        }
        if !user.is_empty() {
            self.of_account.insert(self.account_hash(user), slot);
        }
        if !address.is_empty() {
            self.of_address.insert(self.hasher.hash_one(address), slot);
        }
        self.by_number.insert(number, slot);
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(Held { session, open });
        }
    }

    fn account_hash(&self, user: &[u8]) -> u64 {
        self.hasher.hash_one(user.to_ascii_lowercase().as_slice())
    }

    /// Take in another time of a session that is open, the newest with its ID, and found by the same texts; whether it was.
    fn refresh(&mut self, session: &Session) -> bool {
        let newest = self.newest(session.texts.get(NAS), session.texts.get(ID)).map(|newest| newest.number);
        let Some(&slot) = self.by_number.get(&session.number) else { return false };
        let Some(Some(held)) = self.slots.get_mut(slot as usize) else { return false };
        if !held.open || held.session.texts != session.texts || newest != Some(session.number) {
            return false;
        }
        held.session.clone_from(session);
        self.orders.remove(&mut self.open, slot);
        self.orders.push(&mut self.open, slot);
        true
    }

    fn remove(&mut self, number: i64) {
        let Some(slot) = self.by_number.remove(&number) else { return };
        let Some(Held { session, open }) = self.slots.get_mut(slot as usize).and_then(Option::take) else { return };
        self.vacant.push(slot);
        self.opened -= usize::from(open);
        self.orders.remove(if open { &mut self.open } else { &mut self.closed }, slot);
        let [nas, id, user, _, address, _] = session.texts.all();
        let newest = self.id_hash(nas, id);
        if self.newest.get(&newest) == Some(&number) {
            self.newest.remove(&newest);
        }
        if session.is_open() {
            self.of_nas.remove(self.hasher.hash_one(nas), slot);
        }
        if !user.is_empty() {
            self.of_account.remove(self.account_hash(user), slot);
        }
        if !address.is_empty() {
            self.of_address.remove(self.hasher.hash_one(address), slot);
        }
    }
}
