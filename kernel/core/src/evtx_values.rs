//! Values of EVTX records as text, the way the `evtx` library writes them ([MS-EVEN6] section 2.2.12.3; libevtx, section 4.8).
//!
//! Of a type that real records seldom have, or of a size that isn't its type's, a value isn't sound: nobody is sure of it here.

/// The latest FILETIME there is here; the library's calendar ends with the year 9999.
pub const LATEST: u64 = 2_650_000_000_000_000_000;

/// No value, whatever its size.
pub const NULL: u8 = 0x00;
/// UTF-16, its end a NUL or where the value ends.
pub const STRING: u8 = 0x01;
/// Octets, written in hex.
pub const BINARY: u8 = 0x0e;
/// Binary XML.
pub const NESTED: u8 = 0x21;
/// UTF-16, a NUL behind each item.
pub const STRING_ARRAY: u8 = 0x81;

const TICKS_A_SECOND: u64 = 10_000_000;
const BLOCK: usize = 16;
const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Whether a value is none, so that an attribute of it isn't written.
#[must_use]
pub fn is_empty(kind: u8, octets: &[u8]) -> bool {
    match kind {
        NULL => true,
        STRING => octets.is_empty() || octets.starts_with(&[0, 0]),
        BINARY | NESTED => octets.is_empty(),
        _ => false,
    }
}

/// Whether a value is one of those that are read here, and as long as its type says.
#[must_use]
pub fn is_sound(kind: u8, octets: &[u8]) -> bool {
    let size = octets.len();
    match kind {
        NULL | BINARY | NESTED => true,
        STRING => size % 2 == 0,
        STRING_ARRAY => size % 2 == 0 && octets.ends_with(&[0, 0]),
        0x03 | 0x04 => size == 1,
        0x05 | 0x06 => size == 2,
        0x07 | 0x08 | 0x0d | 0x14 => size == 4,
        0x09 | 0x0a | 0x15 => size == 8,
        0x0f => size == 16,
        0x10 => size == 4 || size == 8,
        0x11 => octets.try_into().is_ok_and(|eight| u64::from_le_bytes(eight) <= LATEST),
        0x13 => octets.get(1).is_some_and(|&count| size == 8 + 4 * usize::from(count)),
        _ => false,
    }
}

/// Add a sound value, but no binary XML and no array; None where it can't be read.
pub fn push_value(kind: u8, octets: &[u8], in_attribute: bool, text: &mut Vec<u8>) -> Option<()> {
    match kind {
        NULL => {}
        STRING => push_string(octets, in_attribute, text)?,
        0x0d if unsigned(octets) == 0 => text.extend_from_slice(b"false"),
        0x0d if unsigned(octets) == 1 => text.extend_from_slice(b"true"),
        0x03 => push_number(text, i8::from_le_bytes(octets.try_into().ok()?)),
        0x05 => push_number(text, i16::from_le_bytes(octets.try_into().ok()?)),
        0x07 | 0x0d => push_number(text, i32::from_le_bytes(octets.try_into().ok()?)),
        0x09 => push_number(text, i64::from_le_bytes(octets.try_into().ok()?)),
        0x04 | 0x06 | 0x08 | 0x0a => push_number(text, unsigned(octets)),
        BINARY => text.extend(octets.iter().flat_map(|&octet| hex(octet))),
        0x0f => push_guid(octets.try_into().ok()?, text),
        0x10 | 0x14 | 0x15 => push_hex(unsigned(octets), text),
        0x11 => push_time(unsigned(octets), text),
        0x13 => push_sid(octets, text)?,
        _ => return None,
    }
    Some(())
}

/// Add UTF-16 up to its NUL or end, as XML; None where half a surrogate pair stands in it.
pub fn push_string(octets: &[u8], in_attribute: bool, text: &mut Vec<u8>) -> Option<()> {
    let mut at = 0;
    while at < octets.len() {
        if let Some(low) = octets.get(at..).and_then(<[u8]>::first_chunk).and_then(plain_block) {
            text.extend_from_slice(&low);
            at += BLOCK;
            continue;
        }
        let stop = octets.len().min(at + BLOCK);
        while at < stop {
            if is_plain(octets[at]) && octets.get(at + 1) == Some(&0) {
                text.push(octets[at]);
                at += 2;
                continue;
            }
            let (letter, behind) = letter(octets, at)?;
            match letter {
                '\0' => return Some(()),
                '&' => text.extend_from_slice(b"&amp;"),
                '<' => text.extend_from_slice(b"&lt;"),
                '>' => text.extend_from_slice(b"&gt;"),
                '"' if in_attribute => text.extend_from_slice(b"&quot;"),
                '\'' if in_attribute => text.extend_from_slice(b"&apos;"),
                _ => text.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            at = behind;
        }
    }
    Some(())
}

/// Whether the character of this octet is written as it is, wherever it stands.
fn is_plain(octet: u8) -> bool {
    (b' '..=b'~').contains(&octet) && !matches!(octet, b'&' | b'<' | b'>' | b'"' | b'\'')
}

/// Eight code units as the octets that they are written as.
fn plain_block(block: &[u8; BLOCK]) -> Option<[u8; BLOCK / 2]> {
    let (mut low, mut plain) = ([0; BLOCK / 2], true);
    for (octet, pair) in low.iter_mut().zip(block.chunks_exact(2)) {
        *octet = pair[0];
        plain &= is_plain(pair[0]);
        plain &= pair[1] == 0;
    }
    plain.then_some(low)
}

/// (the character at `at`, where the next one begins).
fn letter(octets: &[u8], at: usize) -> Option<(char, usize)> {
    let unit = u16::from_le_bytes(*octets.get(at..)?.first_chunk()?);
    if let Some(letter) = char::from_u32(u32::from(unit)) {
        return Some((letter, at + 2));
    }
    let next = u16::from_le_bytes(*octets.get(at + 2..)?.first_chunk()?);
    Some((char::decode_utf16([unit, next]).next()?.ok()?, at + 4))
}

/// Up to eight octets, the lowest first.
fn unsigned(octets: &[u8]) -> u64 {
    octets.iter().rev().fold(0, |number, &octet| number << 8 | u64::from(octet))
}

fn push_number(text: &mut Vec<u8>, number: impl itoa::Integer) {
    text.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn hex(octet: u8) -> [u8; 2] {
    [DIGITS[usize::from(octet >> 4)], DIGITS[usize::from(octet & 15)]]
}

/// `0x` and as many digits as it takes.
fn push_hex(number: u64, text: &mut Vec<u8>) {
    text.extend_from_slice(b"0x");
    let digits = number.to_be_bytes().map(hex);
    let leading = (number.leading_zeros() as usize / 4).min(15);
    text.extend(digits.as_flattened()[leading..].iter().map(u8::to_ascii_lowercase));
}

fn push_guid(octets: [u8; 16], text: &mut Vec<u8>) {
    for (place, index) in [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push(b'-');
        }
        text.extend_from_slice(&hex(octets[index]));
    }
}

/// [MS-DTYP] section 2.4.2.1, but for an authority beyond 32 bits, which the library writes in decimal too.
fn push_sid(octets: &[u8], text: &mut Vec<u8>) -> Option<()> {
    let (head, rest) = octets.split_first_chunk::<8>()?;
    text.extend_from_slice(b"S-");
    push_number(text, head[0]);
    text.push(b'-');
    push_number(text, head[2..].iter().fold(0_u64, |number, &octet| number << 8 | u64::from(octet)));
    for four in rest.chunks_exact(4) {
        text.push(b'-');
        push_number(text, unsigned(four));
    }
    Some(())
}

/// A FILETIME up to LATEST, to the microsecond.
fn push_time(filetime: u64, text: &mut Vec<u8>) {
    let (seconds, ticks) = (filetime / TICKS_A_SECOND, filetime % TICKS_A_SECOND);
    let (year, month, day) = date(seconds / 86_400);
    let of_day = seconds % 86_400;
    let mut written = *b"0000-00-00T00:00:00.000000Z";
    for (start, end, number) in [
        (0, 4, year),
        (5, 7, month),
        (8, 10, day),
        (11, 13, of_day / 3600),
        (14, 16, of_day / 60 % 60),
        (17, 19, of_day % 60),
        (20, 26, ticks / 10),
    ] {
        let mut number = number;
        for digit in written[start..end].iter_mut().rev() {
            *digit = DIGITS[(number % 10) as usize];
            number /= 10;
        }
    }
    text.extend_from_slice(&written);
}

/// (year, month, day) so many days after 1601-01-01, the first of a cycle of 400 years; years are counted from March on meanwhile.
fn date(days: u64) -> (u64, u64, u64) {
    let since_march = days + 306; // of 1600
    let (cycle, of_cycle) = (since_march / 146_097, since_march % 146_097);
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, turned) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (1600 + 400 * cycle + year + turned, month, day)
}
