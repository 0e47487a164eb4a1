//! UTF-16 of SOAP messages as UTF-8 (MS-WSMV section 2.2.4); the readable twin is `wire/soap_encoding.py`, `decode_utf_16`.

const REPLACEMENT: char = '\u{fffd}';
const EIGHT: usize = 8;

/// The order of the two octets of a code unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The lower one first.
    Little,
    /// The higher one first.
    Big,
}

/// (UTF-8, how many code units were no character of XML 1.0 and became U+FFFD); an odd last octet is one too.
#[must_use]
pub fn decode_utf_16(octets: &[u8], order: Order) -> (Vec<u8>, usize) {
    match order {
        Order::Little => decode(octets, |pair| u16::from_le_bytes([pair[0], pair[1]])),
        Order::Big => decode(octets, |pair| u16::from_be_bytes([pair[0], pair[1]])),
    }
}

fn decode(octets: &[u8], unit: impl Fn(&[u8]) -> u16 + Copy) -> (Vec<u8>, usize) {
    let (mut text, mut replaced) = (Vec::with_capacity(octets.len() / 2 + octets.len() / 16), 0);
    let mut rest = octets;
    while rest.len() >= 2 {
        rest = push_plain(rest, unit, &mut text);
        let Some((pair, behind)) = rest.split_at_checked(2) else { break };
        let next = behind.get(..2).map(unit);
        let letter = char::decode_utf16([unit(pair)].into_iter().chain(next)).next().and_then(Result::ok);
        let letter = letter.filter(|letter| is_char(*letter));
        rest = if letter.is_some_and(|letter| letter.len_utf16() == 2) { &behind[2..] } else { behind };
        replaced += usize::from(letter.is_none());
        text.extend_from_slice(letter.unwrap_or(REPLACEMENT).encode_utf8(&mut [0; 4]).as_bytes());
    }
    if !rest.is_empty() {
        replaced += 1;
        text.extend_from_slice(REPLACEMENT.encode_utf8(&mut [0; 4]).as_bytes());
    }
    (text, replaced)
}

/// Add what is printable ASCII, eight code units at a time; what is left begins with eight that aren't, or fewer.
fn push_plain<'a>(octets: &'a [u8], unit: impl Fn(&[u8]) -> u16, text: &mut Vec<u8>) -> &'a [u8] {
    let mut rest = octets;
    while let Some((sixteen, behind)) = rest.split_at_checked(2 * EIGHT) {
        let mut plain = [0; EIGHT];
        let mut is_plain = true;
        for (octet, pair) in plain.iter_mut().zip(sixteen.chunks_exact(2)) {
            let [low, high] = unit(pair).to_le_bytes();
            *octet = low;
            is_plain &= high == 0 && (b' '..0x80).contains(&low);
        }
        if !is_plain {
            break;
        }
        text.extend_from_slice(&plain);
        rest = behind;
    }
    rest
}

/// XML 1.0 section 2.2, Char.
fn is_char(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}
