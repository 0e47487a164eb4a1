//! Tidegate's kernel: pure functions over buffers. No state, no clock, no callback, no Python.
//!
//! Every function has a readable twin in Python, which is its specification; a property test holds the two equal.

#![forbid(unsafe_code)]

pub mod compression;
pub mod judge;
pub mod judged;
pub mod profile;
pub mod sldc;
pub mod source;
pub mod syslog_framing;
