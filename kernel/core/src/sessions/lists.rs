//! Lists that a slot enters at the end and leaves anywhere in constant time, at eight octets a slot.

use crate::hashed::ByHash;

const NONE: u32 = u32::MAX;

/// A slot's neighbours in its list, NONE where there is none; of a list its last and first slot.
#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    behind: u32,
}

const LOOSE: Link = Link { before: NONE, behind: NONE };

/// The ends of a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct List(Link);

impl List {
    pub(super) const EMPTY: Self = Self(LOOSE);

    fn is_empty(self) -> bool {
        self.0.behind == NONE
    }
}

/// What holds lists together: a slot is in one of them at most.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(Vec<Link>);

impl Links {
    /// Put a slot, which is in no list, at a list's end.
    pub(super) fn push(&mut self, list: &mut List, slot: u32) {
        if self.0.len() <= slot as usize {
            self.0.resize(slot as usize + 1, LOOSE);
        }
        self.join(list, list.0.before, slot);
        self.join(list, slot, NONE);
    }

    /// Take a slot out of its list.
    pub(super) fn remove(&mut self, list: &mut List, slot: u32) {
        let Some(&link) = self.0.get(slot as usize) else { return };
        self.join(list, link.before, link.behind);
    }

    /// A list's slots, in order.
    pub(super) fn slots(&self, list: List) -> impl Iterator<Item = u32> {
        let next = |&slot: &u32| self.0.get(slot as usize).map(|link| link.behind).filter(|&slot| slot != NONE);
        std::iter::successors(Some(list.0.behind).filter(|&slot| slot != NONE), next)
    }

    /// Make two slots neighbours; NONE is a list's end.
    fn join(&mut self, list: &mut List, before: u32, behind: u32) {
        self.0.get_mut(before as usize).unwrap_or(&mut list.0).behind = behind;
        self.0.get_mut(behind as usize).unwrap_or(&mut list.0).before = before;
    }
}

/// Slots by a hash: each list holds those that have it alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    lists: ByHash<u64, List>,
    links: Links,
}

impl Index {
    /// Add a slot that isn't there.
    pub(super) fn insert(&mut self, hash: u64, slot: u32) {
        self.links.push(self.lists.entry(hash).or_insert(List::EMPTY), slot);
    }

    /// Remove a slot that is there.
    pub(super) fn remove(&mut self, hash: u64, slot: u32) {
        let Some(list) = self.lists.get_mut(&hash) else { return };
        self.links.remove(list, slot);
        if list.is_empty() {
            self.lists.remove(&hash);
        }
    }

    /// The slots of a hash.
    pub(super) fn slots(&self, hash: u64) -> impl Iterator<Item = u32> {
        self.links.slots(self.lists.get(&hash).copied().unwrap_or(List::EMPTY))
    }
}
