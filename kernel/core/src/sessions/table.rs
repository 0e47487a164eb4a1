//! The table and its plans: twin of `SessionTable` in `pipeline/state/table.py`.
//!
//! What is looked for by text (the newest session of an ID, those of a server, an account, an address) is found by a hash whose
//! key peers don't know, and compared with the text: so an index takes 16 octets a session and no text of its own.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;

use super::draft::Draft;
use super::session::{ADDRESS, ID, NAS, Session, UNNUMBERED, USER};
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

/// A session, its place in the order of its kind, and whether that is those which are open.
#[derive(Clone, Debug)]
struct Held {
    session: Session,
    order: u64,
    open: bool,
}

/// The table.
#[derive(Clone, Debug)]
pub struct SessionTable {
    limits: Limits,
    hasher: RandomState,
    held: HashMap<i64, Held>,
    /// Numbers in the order in which they were last heard of.
    open: BTreeMap<u64, i64>,
    /// Those that have ended or are silent, in the order in which they came to be so.
    closed: BTreeMap<u64, i64>,
    newest: HashMap<u64, i64>,
    /// Those without an end.
    of_nas: BTreeSet<(u64, i64)>,
    of_account: BTreeSet<(u64, i64)>,
    of_address: BTreeSet<(u64, i64)>,
    next_number: i64,
    next_order: u64,
}

impl SessionTable {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            hasher: RandomState::new(),
            held: HashMap::new(),
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
            newest: HashMap::new(),
            of_nas: BTreeSet::new(),
            of_account: BTreeSet::new(),
            of_address: BTreeSet::new(),
            next_number: UNNUMBERED + 1,
            next_order: 0,
        }
    }

    /// How many sessions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many haven't ended, nor fallen silent.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// All of them, the closed ones first, each kind in its order.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.closed.values().chain(self.open.values()).filter_map(|number| self.session(*number))
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

    fn found<'a>(&'a self, index: &'a BTreeSet<(u64, i64)>, text: &[u8]) -> impl Iterator<Item = &'a Session> {
        let hash = self.hasher.hash_one(text);
        index.range((hash, i64::MIN)..=(hash, i64::MAX)).filter_map(|&(_, number)| self.session(number))
    }

    fn were_open<'a>(&self, found: impl Iterator<Item = &'a Session>, at_ms: i64) -> Vec<&'a Session> {
        let mut open: Vec<_> = found.filter(|session| session.was_open(at_ms, self.limits.idle_ms)).collect();
        open.sort_by_key(|session| (session.begun_at_ms, session.number));
        open
    }

    fn session(&self, number: i64) -> Option<&Session> {
        self.held.get(&number).map(|held| &held.session)
    }

    /// The newest session of a server with this ID.
    #[must_use]
    pub fn newest(&self, nas: &[u8], id: &[u8]) -> Option<&Session> {
        let found = self.session(*self.newest.get(&self.hasher.hash_one((nas, id)))?)?;
        (found.texts.get(NAS) == nas && found.texts.get(ID) == id).then_some(found)
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
        let silent = self.aged(&self.open, &draft, |session| age(session) > self.limits.idle_ms);
        let gone = self.aged(&self.closed, &draft, |session| {
            age(session) > self.limits.keep_ms.saturating_add(if session.is_open() { self.limits.idle_ms } else { 0 })
        });
        let fresh = draft.saved.iter().filter(|session| !self.held.contains_key(&session.number)).count();
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
            let untold = self.found(&self.of_nas, nas).filter(|session| !draft.saves(session.number));
            let last = times.last().copied().unwrap_or(i64::MIN);
            ending.extend(
                untold.filter(|session| session.texts.get(NAS) == &**nas && session.begun_at_ms < last).cloned(),
            );
        }
        ending.extend(draft.saved.iter().cloned());
        for session in ending {
            let restarts = draft.restarted(session.texts.get(NAS));
            let ended = session.clone().ended_by(restarts);
            draft.keep(ended, Some(&session));
        }
    }

    /// Numbers of the first sessions that are old, and were not heard of just now.
    fn aged(&self, known: &BTreeMap<u64, i64>, draft: &Draft<'_>, is_old: impl Fn(&Session) -> bool) -> Vec<i64> {
        let first = known.values().take(AGED_AT_ONCE).copied();
        let old = first.take_while(|&number| self.session(number).is_some_and(&is_old));
        old.filter(|&number| !draft.saves(number)).collect()
    }

    /// Numbers of those that leave where there are too many, first to last.
    fn leaving(&self, draft: &Draft<'_>, gone: &[i64], excess: usize) -> Vec<i64> {
        let gone: HashSet<i64> = gone.iter().copied().collect();
        let stays = |number: &i64| !gone.contains(number) && !draft.saves(*number);
        let untold = self.closed.values().chain(self.open.values()).copied().filter(stays);
        let told =
            [false, true].into_iter().flat_map(|open| draft.saved.iter().filter(move |each| each.is_open() == open));
        untold.chain(told.map(|session| session.number)).take(excess).collect()
    }

    /// Change what a plan says, which is durable now.
    pub fn take(&mut self, plan: &SessionPlan) {
        plan.gone.iter().for_each(|&number| self.remove(number));
        for number in &plan.silent {
            if let Some(held) = self.held.get_mut(number).filter(|held| held.open) {
                self.open.remove(&held.order);
                (held.order, held.open) = (self.next_order, false);
                self.closed.insert(held.order, *number);
                self.next_order += 1;
            }
        }
        plan.saved.iter().for_each(|session| self.put(session.clone()));
    }

    /// Take in a session, in place of what is known of it.
    pub fn put(&mut self, session: Session) {
        let (number, order, open) = (session.number, self.next_order, session.is_open());
        if open && self.refresh(&session) {
            return;
        }
        self.remove(number);
        self.next_order += 1;
        self.next_number = self.next_number.max(number.saturating_add(1));
        let [nas, id, user, _, address, _] = session.texts.all();
        if open {
            self.open.insert(order, number);
            self.of_nas.insert((self.hasher.hash_one(nas), number));
        } else {
            self.closed.insert(order, number);
        }
        if self.newest(nas, id).is_none_or(|newest| session.is_newer(newest)) {
            self.newest.insert(self.hasher.hash_one((nas, id)), number);
        }
        if !user.is_empty() {
            self.of_account.insert((self.hasher.hash_one(user.to_ascii_lowercase().as_slice()), number));
        }
        if !address.is_empty() {
            self.of_address.insert((self.hasher.hash_one(address), number));
        }
        self.held.insert(number, Held { session, order, open });
    }

    /// Take in another time of a session that is open, the newest with its ID, and found by the same texts; whether it was.
    fn refresh(&mut self, session: &Session) -> bool {
        let newest = self.newest(session.texts.get(NAS), session.texts.get(ID)).map(|newest| newest.number);
        let same =
            |held: &&mut Held| held.open && held.session.texts == session.texts && newest == Some(session.number);
        let Some(held) = self.held.get_mut(&session.number).filter(same) else { return false };
        self.open.remove(&held.order);
        self.open.insert(self.next_order, session.number);
        *held = Held { session: session.clone(), order: self.next_order, open: true };
        self.next_order += 1;
        true
    }

    fn remove(&mut self, number: i64) {
        let Some(Held { session, order, open }) = self.held.remove(&number) else { return };
        if open { &mut self.open } else { &mut self.closed }.remove(&order);
        let [nas, id, user, _, address, _] = session.texts.all();
        let newest = self.hasher.hash_one((nas, id));
        if self.newest.get(&newest) == Some(&number) {
            self.newest.remove(&newest);
        }
        self.of_nas.remove(&(self.hasher.hash_one(nas), number));
        self.of_account.remove(&(self.hasher.hash_one(user.to_ascii_lowercase().as_slice()), number));
        self.of_address.remove(&(self.hasher.hash_one(address), number));
    }
}
