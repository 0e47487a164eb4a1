//! Who sent a packet, and signing what it is answered: twin of `wire/radius/authenticators.py` for packets of code 4.

use md5::{Digest, Md5};
use subtle::ConstantTimeEq;

use super::packet::{
    ACCOUNTING_REQUEST, ACCOUNTING_RESPONSE, AUTHENTICATOR, Attributes, HEADER, MESSAGE_AUTHENTICATOR, PROXY_STATE,
    packet_of, span_of,
};

const ZEROS: [u8; 16] = [0; 16];
const BLOCK: usize = 64;
const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;

/// The packets among datagrams that are Accounting-Requests whose sender holds `secret`: start, end, start, end ..., padding
/// left out, and the places of all other datagrams.
#[must_use]
pub fn verify_requests(buffer: &[u8], spans: &[u32], secret: &[u8], needs_mark: bool) -> (Vec<u32>, Vec<u32>) {
    let (mut verified, mut others) = (Vec::with_capacity(spans.len()), Vec::new());
    let mark = Mark::new(secret);
    for (place, span) in (0..).zip(spans.chunks_exact(2)) {
        let packet = packet_of(span_of(buffer, span));
        match packet.filter(|packet| is_signed(packet, secret, &mark, needs_mark)) {
            Some(packet) => {
                verified.extend([span[0], span[0].saturating_add(u32::try_from(packet.len()).unwrap_or_default())]);
            }
            None => others.push(place),
        }
    }
    (verified, others)
}

fn is_signed(packet: &[u8], secret: &[u8], mark: &Mark, needs_mark: bool) -> bool {
    packet[0] == ACCOUNTING_REQUEST
        && bool::from(digest(packet, &ZEROS, secret).ct_eq(&packet[AUTHENTICATOR]))
        && is_marked(packet, mark, needs_mark)
}

/// Whether its Message-Authenticator holds, or may be missing.
fn is_marked(packet: &[u8], mark: &Mark, needs_mark: bool) -> bool {
    let mut attributes = Attributes::new(packet, HEADER);
    let mut found = None;
    for attribute in attributes.by_ref() {
        if attribute.kind == MESSAGE_AUTHENTICATOR {
            if found.is_some() || attribute.end - attribute.start != ZEROS.len() {
                return false;
            }
            found = Some(attribute.start);
        }
    }
    let holds = |at: usize| bool::from(mark.of(packet, at).ct_eq(&packet[at..at + ZEROS.len()]));
    attributes.whole && found.map_or(!needs_mark, holds)
}

/// Accounting-Responses to verified requests: their octets, and start, end, start, end ... in them.
#[must_use]
pub fn encode_responses(buffer: &[u8], spans: &[u32], secret: &[u8]) -> (Vec<u8>, Vec<u32>) {
    let (mut out, mut ends) = (Vec::with_capacity(spans.len() * HEADER), Vec::with_capacity(spans.len()));
    let mark = Mark::new(secret);
    for span in spans.chunks_exact(2) {
        let start = out.len();
        encode_response(span_of(buffer, span), secret, &mark, &mut out);
        ends.extend([start, out.len()].map(|at| u32::try_from(at).unwrap_or(u32::MAX)));
    }
    (out, ends)
}

fn encode_response(request: &[u8], secret: &[u8], mark: &Mark, out: &mut Vec<u8>) {
    let Some(request) = packet_of(request) else { return };
    let start = out.len();
    out.extend_from_slice(&[ACCOUNTING_RESPONSE, request[1], 0, 0]);
    out.extend_from_slice(&request[AUTHENTICATOR]);
    let marked = Attributes::new(request, HEADER).any(|attribute| attribute.kind == MESSAGE_AUTHENTICATOR);
    if marked {
        out.extend_from_slice(&[MESSAGE_AUTHENTICATOR, 18]);
        out.extend_from_slice(&ZEROS);
    }
    for echoed in Attributes::new(request, HEADER).filter(|attribute| attribute.kind == PROXY_STATE) {
        out.extend_from_slice(&request[echoed.start - 2..echoed.end]);
    }
    let length = u16::try_from(out.len() - start).unwrap_or_default();
    out[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    if marked {
        let value = HEADER + 2;
        let made = mark.of(&out[start..], value);
        out[start + value..][..ZEROS.len()].copy_from_slice(&made);
    }
    let made = Md5::new().chain_update(&out[start..]).chain_update(secret).finalize();
    out[start..][AUTHENTICATOR].copy_from_slice(&made);
}

fn digest(packet: &[u8], authenticator: &[u8], secret: &[u8]) -> [u8; 16] {
    let (head, body) = (&packet[..AUTHENTICATOR.start], &packet[HEADER..]);
    Md5::new().chain_update(head).chain_update(authenticator).chain_update(body).chain_update(secret).finalize().into()
}

/// What makes Message-Authenticators: HMAC-MD5 (RFC 2104) with zeros as Authenticator.
struct Mark {
    inner: Md5,
    outer: Md5,
}

impl Mark {
    fn new(secret: &[u8]) -> Self {
        let mut key = [0; BLOCK];
        if secret.len() > BLOCK {
            key[..ZEROS.len()].copy_from_slice(&Md5::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        let padded = |pad: u8| Md5::new().chain_update(key.map(|octet| octet ^ pad));
        Self { inner: padded(INNER), outer: padded(OUTER) }
    }

    /// Of a packet whose mark's value begins at `at`.
    fn of(&self, packet: &[u8], at: usize) -> [u8; 16] {
        let inner = self
            .inner
            .clone()
            .chain_update(&packet[..AUTHENTICATOR.start])
            .chain_update(ZEROS)
            .chain_update(&packet[HEADER..at])
            .chain_update(ZEROS)
            .chain_update(&packet[at + ZEROS.len()..])
            .finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }
}
