//! What sockets that Python owns hold, and datagrams in bursts: recv(2), recvmmsg(2) and sendmmsg(2) through nix, whose functions
//! for them are safe.
//!
//! A [`Room`] is what streams and datagrams are read into, memory that stays.
//!
//! A [`Receiver`] takes what a socket holds into a room, and tells for each datagram where it lies and which way an answer
//! goes; [`send`] sends answers their ways. Where a socket tells a datagram's destination (`IP_PKTINFO` of ip(7),
//! `IPV6_RECVPKTINFO` of RFC 3542), the answer leaves from there: a client takes it from the address it asked and from no other.

#![forbid(unsafe_code)]

mod burst;
mod room;
mod send;

pub use burst::{Burst, Peer, Receiver};
pub use nix::errno::Errno;
pub use room::Room;
pub use send::{Answers, send};

use nix::libc::{in_addr, in_pktinfo, in6_pktinfo};
use nix::sys::socket::{ControlMessageOwned, SockaddrStorage};

/// Which way an answer goes: where to, and from which address of ours.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    to: SockaddrStorage,
    from: From,
}

/// The address that was asked, where the socket tells it.
#[derive(Clone, Copy, Debug, Default)]
enum From {
    /// The socket's own.
    #[default]
    Socket,
    /// IPv4.
    V4(in_pktinfo),
    /// IPv6.
    V6(in6_pktinfo),
}

impl PartialEq for Way {
    fn eq(&self, other: &Self) -> bool {
        self.to == other.to && self.from == other.from
    }
}

impl PartialEq for From {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Socket, Self::Socket) => true,
            (Self::V4(one), Self::V4(two)) => one.ipi_spec_dst.s_addr == two.ipi_spec_dst.s_addr,
            (Self::V6(one), Self::V6(two)) => one.ipi6_addr.s6_addr == two.ipi6_addr.s6_addr,
            _ => false,
        }
    }
}

impl From {
    /// What a datagram came with, as its answer has to go; the route is the kernel's to choose.
    fn of(told: &ControlMessageOwned) -> Self {
        match *told {
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let local = if info.ipi_spec_dst.s_addr == 0 { info.ipi_addr } else { info.ipi_spec_dst };
                Self::V4(in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: local, ipi_addr: in_addr { s_addr: 0 } })
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                Self::V6(in6_pktinfo { ipi6_addr: info.ipi6_addr, ipi6_ifindex: 0 })
            }
            _ => Self::Socket,
        }
    }
}
