//! Taking what a socket holds.

use std::collections::HashMap;
use std::io::IoSliceMut;
use std::os::fd::RawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::in6_pktinfo;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

use crate::{From, Room, Way};

/// One sender's datagrams of a burst.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address as text, without port.
    pub address: String,
    /// Start, end, start, end ... in the room.
    pub spans: Vec<u32>,
    /// For each datagram the way of its answer, a place in the burst's ways.
    pub ways: Vec<u32>,
}

/// What one drain took.
#[derive(Clone, Debug, Default)]
pub struct Burst {
    /// How many datagrams.
    pub datagrams: usize,
    /// Senders by address, in the order of their first datagram.
    pub peers: Vec<Peer>,
    /// The ways of answers, each once.
    pub ways: Vec<Way>,
}

/// The memory of a socket's drains.
#[derive(Debug)]
pub struct Receiver {
    longest: usize,
    slots: Vec<u8>,
    tells_destination: bool,
}

impl Receiver {
    /// For datagrams of which `longest` octets are wanted, `at_once` with one system call; `tells_destination` where the socket
    /// does.
    #[must_use]
    pub fn new(longest: usize, at_once: usize, tells_destination: bool) -> Self {
        let slots = vec![0; longest.max(1) * at_once.max(1)];
        Self { longest: longest.max(1), slots, tells_destination }
    }

    /// Take what is there into a room, one datagram behind the other, until that are so many datagrams, or more than so many
    /// octets: at most one system call's further. What was in the room is forgotten.
    ///
    /// # Errors
    ///
    /// The system call failed, other than for want of a datagram, before anything was taken.
    pub fn receive(&mut self, room: &mut Room, fd: RawFd, datagrams: usize, octets: usize) -> Result<Burst, Errno> {
        room.clear();
        let (mut burst, mut known) = (Burst::default(), Known::default());
        while burst.datagrams < datagrams && room.octets().len() <= octets {
            let most = (datagrams - burst.datagrams).min(self.slots.len() / self.longest);
            match self.once(room, fd, most, &mut burst, &mut known) {
                Ok(taken) if taken == most => {}
                Ok(_) | Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(error) if burst.datagrams == 0 => return Err(error),
                Err(_) => break, // it will be told once more
            }
        }
        Ok(burst)
    }

    fn once(
        &mut self,
        room: &mut Room,
        fd: RawFd,
        most: usize,
        burst: &mut Burst,
        known: &mut Known,
    ) -> Result<usize, Errno> {
        let space = self.tells_destination.then(|| cmsg_space!(in6_pktinfo));
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(most, space);
        let mut slices: Vec<_> =
            self.slots.chunks_exact_mut(self.longest).take(most).map(|slot| [IoSliceMut::new(slot)]).collect();
        let found = recvmmsg(fd, &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let told: Vec<_> = found
            .map(|message| {
                let from = message.cmsgs().ok().and_then(|mut told| told.next());
                (message.bytes, message.address, from.as_ref().map_or(From::Socket, From::of))
            })
            .collect();
        let taken = told.len();
        for ((octets, to, from), slot) in told.into_iter().zip(self.slots.chunks_exact(self.longest)) {
            let Some(to) = to else { continue };
            let start = room.octets().len();
            room.extend(slot.get(..octets).unwrap_or(slot));
            known.add(burst, Way { to, from }, [start, room.octets().len()]);
        }
        burst.datagrams += taken;
        Ok(taken)
    }
}

/// Ways and peers of a burst that were met before.
#[derive(Debug, Default)]
struct Known {
    ways: HashMap<SockaddrStorage, Vec<(u32, u32)>>,
    peers: HashMap<String, u32>,
    last: Option<(u32, u32)>,
}

impl Known {
    fn add(&mut self, burst: &mut Burst, way: Way, span: [usize; 2]) {
        let (way, peer) = self.place(burst, way);
        self.last = Some((way, peer));
        let ends = span.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
        if let Some(peer) = burst.peers.get_mut(peer as usize) {
            peer.spans.extend_from_slice(&ends);
            peer.ways.push(way);
        }
    }

    fn place(&mut self, burst: &mut Burst, way: Way) -> (u32, u32) {
        let is = |&(place, _): &(u32, u32)| burst.ways.get(place as usize) == Some(&way);
        if let Some(last) = self.last.filter(is) {
            return last;
        }
        let same = self.ways.entry(way.to).or_default();
        if let Some(&found) = same.iter().find(|found| is(found)) {
            return found;
        }
        let address = address_text(&way.to);
        let peer = *self.peers.entry(address).or_insert_with_key(|address| {
            burst.peers.push(Peer { address: address.clone(), spans: Vec::new(), ways: Vec::new() });
            place_of_last(burst.peers.len())
        });
        burst.ways.push(way);
        let found = (place_of_last(burst.ways.len()), peer);
        same.push(found);
        found
    }
}

fn place_of_last(count: usize) -> u32 {
    u32::try_from(count - 1).unwrap_or(u32::MAX)
}

fn address_text(address: &SockaddrStorage) -> String {
    match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
        (Some(v4), _) => v4.ip().to_string(),
        (_, Some(v6)) => v6.ip().to_string(),
        _ => String::new(),
    }
}

impl Way {
    /// The port that an answer goes to.
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.to.as_sockaddr_in(), self.to.as_sockaddr_in6()) {
            (Some(v4), _) => v4.port(),
            (_, Some(v6)) => v6.port(),
            _ => 0,
        }
    }
}
