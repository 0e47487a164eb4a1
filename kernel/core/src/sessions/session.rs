//! A VPN session, and what one more word makes of it: twin of `pipeline/state/session.py`, which says why.

use crate::radius::Change;

/// What a word says, as `pipeline/state/changes.py` numbers it.
const START: u8 = 1;
const STOP: u8 = 3;
pub(super) const RESTART: u8 = 4;

pub(super) const UNNUMBERED: i64 = 0;
const SLACK_MS: i64 = 10_000;
const DAY_MS: i64 = 86_400_000;
const BEHIND_MS: i64 = 30 * DAY_MS;
const AHEAD_MS: i64 = DAY_MS;

pub(super) const NAS: usize = 0;
pub(super) const ID: usize = 1;
pub(super) const USER: usize = 2;
const DOMAIN: usize = 3;
pub(super) const ADDRESS: usize = 4;
const CLIENT: usize = 5;
const TEXTS: usize = 6;

/// Server, session ID, user, domain, tunnel address and client, in one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    octets: Box<[u8]>,
    ends: [u32; TEXTS],
}

impl Texts {
    /// These texts.
    #[must_use]
    pub fn new(texts: [&[u8]; TEXTS]) -> Self {
        let mut ends = [0; TEXTS];
        let mut at = 0;
        for (end, text) in ends.iter_mut().zip(texts) {
            at += u32::try_from(text.len()).unwrap_or_default();
            *end = at;
        }
        Self { octets: texts.concat().into(), ends }
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> [&[u8]; TEXTS] {
        std::array::from_fn(|place| self.get(place))
    }

    pub(super) fn get(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.octets.get(start as usize..self.ends[place] as usize).unwrap_or_default()
    }
}

/// One session; times in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the fields of the twin
pub struct Session {
    pub number: i64,
    pub texts: Texts,
    pub begun_at_ms: i64,
    pub last_at_ms: i64,
    pub ended_at_ms: Option<i64>,
    pub heard_at_ms: i64,
}

impl Session {
    pub(super) fn is_open(&self) -> bool {
        self.ended_at_ms.is_none()
    }

    pub(super) fn is_of(&self, nas: &[u8], id: &[u8]) -> bool {
        self.texts.get(NAS) == nas && self.texts.get(ID) == id
    }

    pub(super) fn is_newer(&self, other: &Self) -> bool {
        (self.last_at_ms, self.number) >= (other.last_at_ms, other.number)
    }

    pub(super) fn was_open(&self, at_ms: i64, idle_ms: i64) -> bool {
        let end = self.ended_at_ms.unwrap_or_else(|| self.last_at_ms.saturating_add(idle_ms));
        self.begun_at_ms <= at_ms && at_ms <= end
    }

    /// Itself, closed if it is open and its server began anew behind its beginning; times of that are ascending.
    pub(super) fn ended_by(mut self, restarts: &[i64]) -> Self {
        if self.is_open() {
            self.ended_at_ms = restarts.get(restarts.partition_point(|&at| at <= self.begun_at_ms)).copied();
        }
        self
    }
}

/// A word by our clock, if its server's can't be right.
pub(super) fn timed(mut change: Change<'_>, now_ms: i64) -> Change<'_> {
    let (at, behind, ahead) = (change.at_ms, now_ms.saturating_sub(BEHIND_MS), now_ms.saturating_add(AHEAD_MS));
    if !(behind..=ahead).contains(&at) {
        change.at_ms = now_ms;
        change.started_at_ms = change.started_at_ms.map(|started| started.saturating_sub(at).saturating_add(now_ms));
    }
    change
}

/// What a word makes of the newest session with its ID: the sessions that are new or changed, the newest last.
pub(super) fn follow(known: Option<Session>, change: &Change<'_>, now_ms: i64) -> (Option<Session>, Session) {
    let (at, stopped) = (change.at_ms, change.event == STOP);
    let begun = change.started_at_ms.map_or(at, |started| started.min(at));
    let Some(known) = known else { return (None, made_by(change, begun, now_ms)) };
    let says_begun = change.event == START || change.started_at_ms.is_some();
    if says_begun && begun > known.last_at_ms {
        let before =
            known.is_open().then(|| Session { ended_at_ms: Some(begun), heard_at_ms: now_ms, ..known.clone() });
        return (before, made_by(change, begun, now_ms));
    }
    if stopped && at < known.begun_at_ms.saturating_sub(SLACK_MS) {
        return (Some(made_by(change, begun, now_ms)), known);
    }
    (None, changed_by(change, begun, now_ms, &known))
}

fn made_by(change: &Change<'_>, begun: i64, now_ms: i64) -> Session {
    Session {
        number: UNNUMBERED,
        texts: Texts::new(change.texts),
        begun_at_ms: begun,
        last_at_ms: change.at_ms,
        ended_at_ms: (change.event == STOP).then_some(change.at_ms),
        heard_at_ms: now_ms,
    }
}

/// A session after one word more on it: what the later word tells counts, the earlier one fills what it leaves out.
fn changed_by(change: &Change<'_>, begun: i64, now_ms: i64, known: &Session) -> Session {
    let was_open = known.is_open();
    let is_later = was_open && change.at_ms >= known.last_at_ms;
    let (told, held) = (change.texts, known.texts.all());
    let (first, second) = if is_later { (told, held) } else { (held, told) };
    let account = if first[USER].is_empty() { second } else { first };
    let either = |place: usize| if first[place].is_empty() { second[place] } else { first[place] };
    let last = if is_later { change.at_ms } else { known.last_at_ms };
    let texts = [held[NAS], held[ID], account[USER], account[DOMAIN], either(ADDRESS), either(CLIENT)];
    Session {
        number: known.number,
        texts: if texts == held { known.texts.clone() } else { Texts::new(texts) },
        begun_at_ms: known.begun_at_ms.min(begun),
        last_at_ms: last,
        ended_at_ms: if was_open && change.event == STOP { Some(last) } else { known.ended_at_ms },
        heard_at_ms: if was_open { now_ms } else { known.heard_at_ms },
    }
}
