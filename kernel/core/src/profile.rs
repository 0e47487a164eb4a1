//! Which events are kept, and by which plan: twin of `Profile` in `normalizers/profiles.py`.

const ANY: &str = "*";
const IDS: usize = 1 << 16;

/// What decides how an event is mapped: twin of `wire.event.EventKey`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct EventKey {
    pub channel: String,
    pub provider: String,
    pub event_id: String,
}

/// Event keys that are kept, `*` standing for any provider or ID, and the plan of each key.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    keep_all: bool,
    any_id: bool,
    numbers: Vec<u64>,
    others: Vec<String>,
    keys: ByNumber<()>,
    /// The plan of a key, and whether the key is kept by the profile.
    plans: ByNumber<(usize, bool)>,
}

/// Event keys with something of each, in the order of the numbers that their IDs are; IDs that are none come first.
#[derive(Clone, Debug, Default)]
struct ByNumber<T>(Vec<(Option<usize>, EventKey, T)>);

impl<T> ByNumber<T> {
    fn new(pairs: impl IntoIterator<Item = (EventKey, T)>) -> Self {
        let mut keys: Vec<_> =
            pairs.into_iter().map(|(key, value)| (number(key.event_id.as_bytes()), key, value)).collect();
        keys.sort_by_key(|&(number, _, _)| number);
        Self(keys)
    }

    /// The keys whose ID is this number, or no number.
    fn of(&self, number: Option<usize>) -> impl Iterator<Item = &(Option<usize>, EventKey, T)> {
        let first = self.0.partition_point(|&(known, _, _)| known < number);
        self.0[first..].iter().take_while(move |&&(known, _, _)| known == number)
    }
}

impl Profile {
    /// A profile of keys that are kept and keys that have a plan, by its number.
    #[must_use]
    pub fn new(keys: Vec<EventKey>, plans: Vec<(EventKey, usize)>, keep_all: bool) -> Self {
        let mut profile = Self { keep_all, numbers: vec![0; IDS / 64], ..Self::default() };
        for key in &keys {
            match number(key.event_id.as_bytes()) {
                Some(at) => profile.numbers[at / 64] |= 1 << (at % 64),
                None if key.event_id == ANY => profile.any_id = true,
                None => profile.others.push(key.event_id.clone()),
            }
        }
        profile.keys = ByNumber::new(keys.into_iter().map(|key| (key, ())));
        let is_kept =
            |key: &EventKey| profile.wants(key.channel.as_bytes(), key.provider.as_bytes(), key.event_id.as_bytes());
        let plans: Vec<_> = plans.into_iter().map(|(key, plan)| (plan, is_kept(&key), key)).collect();
        profile.plans = ByNumber::new(plans.into_iter().map(|(plan, kept, key)| (key, (plan, kept))));
        profile
    }

    /// Whether everything is kept.
    #[must_use]
    pub fn keep_all(&self) -> bool {
        self.keep_all
    }

    /// Whether some event of this ID is kept, whoever wrote it. What `keep_all` keeps isn't asked.
    #[must_use]
    pub fn may_want(&self, event_id: &[u8]) -> bool {
        self.any_id
            || match number(event_id) {
                Some(at) => self.has_number(at),
                None => self.others.iter().any(|other| other.as_bytes() == event_id),
            }
    }

    /// [`Profile::may_want`] of an ID that is the text of this number.
    #[must_use]
    pub fn may_want_number(&self, event_id: u16) -> bool {
        self.any_id || self.has_number(usize::from(event_id))
    }

    fn has_number(&self, at: usize) -> bool {
        self.numbers.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Whether an event of this key is kept by the profile. What `keep_all` keeps isn't asked.
    #[must_use]
    pub fn wants(&self, channel: &[u8], provider: &[u8], event_id: &[u8]) -> bool {
        let number = number(event_id);
        let like = |(_, key, ()): &(Option<usize>, EventKey, ())| {
            key.channel.as_bytes() == channel && (key.provider == ANY || key.provider.as_bytes() == provider)
        };
        let of_any =
            |(_, key, ()): &&(Option<usize>, EventKey, ())| key.event_id == ANY || key.event_id.as_bytes() == event_id;
        (number.is_some() && self.keys.of(number).any(like)) || self.keys.of(None).filter(of_any).any(like)
    }

    /// The number of the plan of an event: by its own tables if the profile wants it, else its channel's or anybody's.
    #[must_use]
    pub fn plan(&self, channel: &[u8], provider: &[u8], event_id: &[u8]) -> Option<usize> {
        let any = ANY.as_bytes();
        let own = self.find(channel, provider, event_id).filter(|&(_, kept)| kept);
        let found = own.or_else(|| self.find(channel, any, any)).or_else(|| self.find(any, any, any));
        found.map(|(plan, _)| plan)
    }

    fn find(&self, channel: &[u8], provider: &[u8], event_id: &[u8]) -> Option<(usize, bool)> {
        let number = number(event_id);
        let like = |(_, key, _): &&(Option<usize>, EventKey, (usize, bool))| {
            key.channel.as_bytes() == channel
                && key.provider.as_bytes() == provider
                && (number.is_some() || key.event_id.as_bytes() == event_id)
        };
        self.plans.of(number).find(like).map(|&(_, _, plan)| plan)
    }
}

/// An event ID as it is printed, as a number.
fn number(text: &[u8]) -> Option<usize> {
    if text.is_empty() || text.len() > 5 || !text.iter().all(u8::is_ascii_digit) || (text[0] == b'0' && text.len() > 1)
    {
        return None;
    }
    let number = text.iter().fold(0, |sum, &digit| sum * 10 + usize::from(digit - b'0'));
    (number < IDS).then_some(number)
}
