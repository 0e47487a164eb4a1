//! zstd frames (RFC 8878) for rows of the spool: one frame, its size declared; what stores it has a checksum of its own.

use std::cell::RefCell;
use std::fmt;

use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{CParameter, find_frame_compressed_size, get_frame_content_size};

/// How a frame of content begins; skippable frames, which hold none, begin otherwise (RFC 8878 section 3.1.1).
const MAGIC: [u8; 4] = zstd::zstd_safe::MAGICNUMBER.to_le_bytes();

const FASTEST: i32 = 1;
/// Binary logarithm of how many places the fastest level remembers, four octets each: these fit into a processor's nearest cache.
const NEAR_HASH_LOG: u32 = 13;

/// Why octets can't be compressed or decompressed.
#[derive(Debug, PartialEq, Eq)]
pub enum Error {
    /// The level isn't one of zstd's.
    Level(i32),
    /// The content would be longer than the limit.
    TooLong {
        /// The limit, in octets.
        limit: usize,
    },
    /// The octets aren't one whole zstd frame that declares its content's size.
    Malformed,
    /// The library refused, in its own words.
    Refused(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Level(level) => write!(f, "no zstd level: {level}"),
            Self::TooLong { limit } => write!(f, "content is longer than {limit} octets"),
            Self::Malformed => write!(f, "not one whole zstd frame that declares its size"),
            Self::Refused(why) => write!(f, "zstd: {why}"),
        }
    }
}

impl std::error::Error for Error {}

/// Compress to one frame that declares its content's size; a fifth of the time would go to a checksum in it.
///
/// # Errors
/// `Level` where zstd has no such level.
pub fn compress(data: &[u8], level: i32) -> Result<Vec<u8>, Error> {
    if !zstd::compression_level_range().contains(&level) {
        return Err(Error::Level(level));
    }
    CONTEXT.with_borrow_mut(|kept| {
        let (_, compressor) = match kept {
            Some(kept) if kept.0 == level => kept,
            _ => kept.insert((level, context(level)?)),
        };
        compressor.compress(data).map_err(refused)
    })
}

thread_local! {
    /// A thread's last level and its context: making one takes as long as compressing tens of records.
    static CONTEXT: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
}

fn context(level: i32) -> Result<Compressor<'static>, Error> {
    let mut compressor = Compressor::new(level).map_err(refused)?;
    if level == FASTEST {
        compressor.set_parameter(CParameter::HashLog(NEAR_HASH_LOG)).map_err(refused)?;
    }
    Ok(compressor)
}

/// Decompress one frame of at most `max_size` octets of content, verifying its checksum where it has one.
///
/// Memory is bounded by `max_size`, whatever the frame declares: content is decompressed in one pass into its own place, so
/// that the window a frame asks for (nine octets can ask for gigabytes) is never allocated.
///
/// # Errors
/// `Malformed` for anything but exactly one whole frame, `TooLong` beyond the limit, `Refused` for damage inside.
pub fn decompress(data: &[u8], max_size: usize) -> Result<Vec<u8>, Error> {
    if !data.starts_with(&MAGIC) || find_frame_compressed_size(data) != Ok(data.len()) {
        return Err(Error::Malformed);
    }
    let declared = get_frame_content_size(data).ok().flatten().ok_or(Error::Malformed)?;
    let size = usize::try_from(declared).ok().filter(|&size| size <= max_size);
    let size = size.ok_or(Error::TooLong { limit: max_size })?;
    Decompressor::new().and_then(|mut decompressor| decompressor.decompress(data, size)).map_err(refused)
}

#[allow(clippy::needless_pass_by_value)] // map_err hands it over
fn refused(error: std::io::Error) -> Error {
    Error::Refused(error.to_string())
}
