//! zstd frames come back as they went in, and nothing else comes back at all.

use proptest::collection::vec;
use proptest::prelude::*;
use tidegate_core::compression::{Error, compress, decompress};

#[test]
fn a_level_that_zstd_lacks_is_refused() {
    assert_eq!(compress(b"", 99), Err(Error::Level(99)));
}

#[test]
fn a_frame_declares_its_size_and_the_limit_holds() {
    let frame = compress(&[b'x'; 1000], 1).unwrap();
    assert_eq!(decompress(&frame, 1000).unwrap(), [b'x'; 1000]);
    assert_eq!(decompress(&frame, 999), Err(Error::TooLong { limit: 999 }));
}

#[test]
fn only_one_whole_frame_is_taken() {
    let frame = compress(b"one", 1).unwrap();
    assert_eq!(decompress(&[frame.as_slice(), &frame].concat(), 1000), Err(Error::Malformed));
    assert_eq!(decompress(&frame[..frame.len() - 1], 1000), Err(Error::Malformed));
    assert_eq!(decompress(b"", 1000), Err(Error::Malformed));
}

proptest! {
    #[test]
    fn content_comes_back(data in vec(any::<u8>(), 0..5000), level in 1..6) {
        let frame = compress(&data, level).unwrap();
        prop_assert_eq!(decompress(&frame, data.len()).unwrap(), data);
    }

    #[test]
    fn a_flipped_bit_never_changes_a_length(data in vec(any::<u8>(), 1..500), at in any::<prop::sample::Index>(), bit in 0..8_u32) {
        let mut frame = compress(&data, 1).unwrap();
        let at = at.index(frame.len());
        frame[at] ^= 1_u8 << bit;
        // whether the content is still that is told by the checksum of what stores the frame
        let declared = zstd::zstd_safe::get_frame_content_size(&frame).ok().flatten();
        prop_assert!(decompress(&frame, 1 << 16).map_or(true, |content| Some(content.len() as u64) == declared), "octet {}", at);
    }

    #[test]
    fn any_octets_are_refused_or_fit(data in vec(any::<u8>(), 0..200)) {
        let frame = [b"\x28\xb5\x2f\xfd".as_slice(), &data].concat();
        prop_assert!(decompress(&frame, 1000).map_or(true, |content| content.len() <= 1000));
    }
}
