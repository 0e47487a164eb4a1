//! Sending answers their ways.

use std::io::IoSlice;
use std::os::fd::RawFd;

use nix::cmsg_space;
use nix::errno::Errno;
use nix::libc::{in_pktinfo, in6_pktinfo};
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrStorage, sendmmsg};

use crate::{From, Way};

/// Most datagrams that one system call sends.
const AT_ONCE: usize = 512;

/// Answers in one buffer.
#[derive(Clone, Copy, Debug)]
pub struct Answers<'a> {
    /// All of them, one behind the other.
    pub buffer: &'a [u8],
    /// Start, end, start, end ... in the buffer.
    pub spans: &'a [u32],
    /// For each the place of its way.
    pub ways: &'a [u32],
}

impl<'a> Answers<'a> {
    fn len(&self) -> usize {
        self.ways.len().min(self.spans.len() / 2)
    }

    fn octets(&self, place: usize) -> &'a [u8] {
        let ends = self.spans.get(2 * place..2 * place + 2).unwrap_or(&[0, 0]);
        self.buffer.get(ends[0] as usize..ends[1] as usize).unwrap_or_default()
    }
}

/// Send answers from number `first` on; how many were sent, and why it ended before the last.
#[must_use]
pub fn send(fd: RawFd, answers: Answers<'_>, ways: &[Way], first: usize) -> (usize, Option<Errno>) {
    let mut next = first;
    while next < answers.len() {
        match once(fd, answers, ways, next) {
            Ok(0) => return (next - first, Some(Errno::EINVAL)),
            Ok(sent) => next += sent,
            Err(Errno::EINTR) => {}
            Err(error) => return (next - first, Some(error)),
        }
    }
    (next - first, None)
}

/// Send some that leave from one address.
fn once(fd: RawFd, answers: Answers<'_>, ways: &[Way], first: usize) -> Result<usize, Errno> {
    let way = |place: usize| answers.ways.get(place).and_then(|&way| ways.get(way as usize));
    let Some(&Way { from, .. }) = way(first) else { return Ok(0) };
    let last = answers.len().min(first + AT_ONCE);
    let together = (first..last).map_while(|place| way(place).filter(|way| way.from == from).map(|way| (place, way)));
    let (slices, to): (Vec<[IoSlice<'_>; 1]>, Vec<Option<SockaddrStorage>>) =
        together.map(|(place, way)| ([IoSlice::new(answers.octets(place))], Some(way.to))).unzip();
    let (space, told) = match &from {
        From::Socket => (None, None),
        From::V4(info) => (Some(cmsg_space!(in_pktinfo)), Some(ControlMessage::Ipv4PacketInfo(info))),
        From::V6(info) => (Some(cmsg_space!(in6_pktinfo)), Some(ControlMessage::Ipv6PacketInfo(info))),
    };
    let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(slices.len(), space);
    sendmmsg(fd, &mut headers, &slices, &to, told.as_slice(), MsgFlags::MSG_DONTWAIT).map(Iterator::count)
}
