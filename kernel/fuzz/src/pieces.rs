//! A stream in pieces: what it means doesn't depend on them.

/// Streams up to here are cut at each octet.
const SHORT: usize = 200;

/// Read a stream as a whole, octet by octet, in pieces of some lengths and, where it is short, in two pieces of each length;
/// whatever `read` makes of its pieces has to be the same.
pub fn check_cuts<T: PartialEq + std::fmt::Debug>(stream: &[u8], read: impl Fn(&[&[u8]]) -> T) {
    let whole = read(&[stream]);
    for step in [1, 3, 64, 1000] {
        let pieces: Vec<&[u8]> = stream.chunks(step).collect();
        assert_eq!(read(&pieces), whole, "in pieces of {step}");
    }
    for at in 0..if stream.len() > SHORT { 0 } else { stream.len() } {
        let (before, behind) = stream.split_at(at);
        assert_eq!(read(&[before, behind]), whole, "cut at {at}");
    }
}
