//! Memory that stays while what is read into it comes and goes: new memory for each read costs more than the copy.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

/// Octets in a row; others are read behind them, or put before them in place.
#[derive(Debug)]
pub struct Room {
    memory: Vec<u8>,
    before: usize,
    start: usize,
    end: usize,
}

impl Room {
    /// Empty, for so many octets, with place for `before` more to be put before them; grows where that isn't enough.
    #[must_use]
    pub fn new(octets: usize, before: usize) -> Self {
        Self { memory: vec![0; before + octets], before, start: before, end: before }
    }

    /// Of these octets, which stay where they are.
    #[must_use]
    pub fn of(octets: Vec<u8>) -> Self {
        let end = octets.len();
        Self { memory: octets, before: 0, start: 0, end }
    }

    /// What is in it.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.memory[self.start..self.end]
    }

    /// Forget what is in it.
    pub fn clear(&mut self) {
        (self.start, self.end) = (self.before, self.before);
    }

    /// Add up to `most` octets that a socket holds, without waiting; how many, 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// The system call failed, with `EAGAIN` where there is nothing just now.
    pub fn receive(&mut self, fd: RawFd, most: usize) -> Result<usize, Errno> {
        loop {
            match recv(fd, self.behind(most), MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => {}
                found => return found.inspect(|octets| self.end += octets),
            }
        }
    }

    /// Add octets behind what is there.
    pub fn extend(&mut self, octets: &[u8]) {
        self.behind(octets.len()).copy_from_slice(octets);
        self.end += octets.len();
    }

    /// Put octets before what is there, which is moved only where there is no place for them.
    pub fn prepend(&mut self, octets: &[u8]) {
        let lacking = octets.len().saturating_sub(self.start);
        if lacking > 0 {
            self.behind(lacking);
            self.memory.copy_within(self.start..self.end, self.start + lacking);
            (self.start, self.end) = (self.start + lacking, self.end + lacking);
        }
        let end = self.start;
        self.start -= octets.len();
        self.memory[self.start..end].copy_from_slice(octets);
    }

    fn behind(&mut self, octets: usize) -> &mut [u8] {
        let end = self.end + octets;
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        &mut self.memory[self.end..end]
    }
}

#[cfg(test)]
mod tests {
    use super::Room;

    #[test]
    fn what_is_put_before_stands_before_whether_or_not_there_is_place() {
        let mut room = Room::new(4, 2);
        for _ in 0..2 {
            room.extend(b"cd");
            room.prepend(b"ab");
            room.prepend(b"1234567");
            room.extend(b"efghijk");
            assert_eq!(room.octets(), b"1234567abcdefghijk");
            room.clear();
            assert_eq!(room.octets(), b"");
        }
    }
}
