//! Taking what a socket holds.

use std::collections::HashMap;
use std::io::IoSliceMut;
use std::os::fd::RawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::in6_pktinfo;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg};

use crate::{From, Way};

/// One sender's datagrams of a burst.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address as text, without port.
    pub address: String,
    /// Start, end, start, end ... in the burst's buffer.
    pub spans: Vec<u32>,
    /// For each datagram the way of its answer, a place in the burst's ways.
    pub ways: Vec<u32>,
}

/// What one drain took.
#[derive(Clone, Debug, Default)]
pub struct Burst {
    /// All datagrams, one behind the other.
    pub buffer: Vec<u8>,
    /// How many they are.
    pub datagrams: usize,
    /// Senders by address, in the order of their first datagram.
    pub peers: Vec<Peer>,
    /// The ways of answers, each once.
    pub ways: Vec<Way>,
}

/// Octets of a burst whose memory is kept for the next one.
const MAX_KEPT: usize = 2 << 20;

/// The memory of a socket's drains.
#[derive(Debug)]
pub struct Receiver {
    longest: usize,
    room: Vec<u8>,
    spare: Vec<u8>,
    tells_destination: bool,
}

impl Receiver {
    /// For datagrams of which `longest` octets are wanted, `at_once` with one system call; `tells_destination` where the socket
    /// does.
    #[must_use]
    pub fn new(longest: usize, at_once: usize, tells_destination: bool) -> Self {
        let room = vec![0; longest.max(1) * at_once.max(1)];
        Self { longest: longest.max(1), room, spare: Vec::new(), tells_destination }
    }

    /// Use the buffer of a burst, whose octets nobody needs any more, for the next one.
    pub fn reuse(&mut self, mut buffer: Vec<u8>) {
        if buffer.capacity() <= MAX_KEPT {
            buffer.clear();
            self.spare = buffer;
        }
    }

    /// Take what is there, until that are so many datagrams, or more than so many octets: at most one system call's further.
    ///
    /// # Errors
    ///
    /// The system call failed, other than for want of a datagram, before anything was taken.
    pub fn receive(&mut self, fd: RawFd, datagrams: usize, octets: usize) -> Result<Burst, Errno> {
        let mut burst = Burst { buffer: std::mem::take(&mut self.spare), ..Burst::default() };
        let mut known = Known::default();
        while burst.datagrams < datagrams && burst.buffer.len() <= octets {
            let most = (datagrams - burst.datagrams).min(self.room.len() / self.longest);
            match self.once(fd, most, &mut burst, &mut known) {
                Ok(taken) if taken == most => {}
                Ok(_) | Err(Errno::EAGAIN) => break,
                Err(Errno::EINTR) => {}
                Err(error) if burst.datagrams == 0 => return Err(error),
                Err(_) => break, // it will be told once more
            }
        }
        Ok(burst)
    }

    fn once(&mut self, fd: RawFd, most: usize, burst: &mut Burst, known: &mut Known) -> Result<usize, Errno> {
        let space = self.tells_destination.then(|| cmsg_space!(in6_pktinfo));
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(most, space);
        let mut slices: Vec<_> =
            self.room.chunks_exact_mut(self.longest).take(most).map(|room| [IoSliceMut::new(room)]).collect();
        let found = recvmmsg(fd, &mut headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
        let told: Vec<_> = found
            .map(|message| {
                let from = message.cmsgs().ok().and_then(|mut told| told.next());
                (message.bytes, message.address, from.as_ref().map_or(From::Socket, From::of))
            })
            .collect();
        let taken = told.len();
        for ((octets, to, from), room) in told.into_iter().zip(self.room.chunks_exact(self.longest)) {
            let Some(to) = to else { continue };
            let start = burst.buffer.len();
            burst.buffer.extend_from_slice(room.get(..octets).unwrap_or(room));
            known.add(burst, Way { to, from }, start);
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
    fn add(&mut self, burst: &mut Burst, way: Way, start: usize) {
        let (way, peer) = self.place(burst, way);
        self.last = Some((way, peer));
        let ends = [start, burst.buffer.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX));
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
