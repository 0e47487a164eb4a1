//! Entries: `verify_requests`, `encode_responses`, `Normalizer.normalize_radius`. Who holds the secret is told from who doesn't, an
//! answer is signed, and a record is that of its packet whatever came with it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use md5::{Digest, Md5};
use tidegate_core::radius::{Call, Changes, encode_responses, verify_requests};
use tidegate_fuzz::normalizers::{ARRIVAL_MS, all};
use tidegate_fuzz::{batch, spans};

const SECRET: &[u8] = b"a shared secret";
const HEADER: usize = 20;
const LONGEST: usize = 4096;

/// RFC 2866 section 3 for requests, with the request's own authenticator for responses.
fn authenticator(packet: &[u8], before: &[u8]) -> Vec<u8> {
    Md5::new()
        .chain_update(&packet[..4])
        .chain_update(before)
        .chain_update(&packet[HEADER..])
        .chain_update(SECRET)
        .finalize()
        .to_vec()
}

/// The octets as attributes of an Accounting-Request that a holder of the secret sent.
fn signed(octets: &[u8]) -> Vec<u8> {
    let attributes = &octets[..octets.len().min(LONGEST - HEADER)];
    let length = u16::try_from(HEADER + attributes.len()).unwrap().to_be_bytes();
    let mut packet = [&[4, 7, length[0], length[1]], &[0; 16][..], attributes].concat();
    let made = authenticator(&packet, &[0; 16]);
    packet[4..HEADER].copy_from_slice(&made);
    packet
}

fn check_records(buffer: &[u8], ends: &[u32]) -> Vec<Vec<u8>> {
    let packets = ends.len() / 2;
    let call = Call {
        peer: "192.0.2.9",
        arrival_ms: ARRIVAL_MS,
        vendor: "Cisco",
        labels: &[],
        aliases: &vec![1; 16 * packets],
    };
    all()
        .each_ref()
        .map(|normalizer| {
            let done = normalizer.normalize_radius(buffer, ends, &call).expect("the profile has a plan for accounting");
            let records = done.index.len();
            batch::check_unsure(&done.unsure, packets, records);
            assert_eq!(records + done.unsure.len() / 2, packets);
            assert_eq!(done.aliases.len(), 16 * records);
            assert_eq!(Changes::new(&done.changes).count(), records);
            batch::check_records(&done.records, done.index);
            done.records
        })
        .to_vec()
}

fuzz_target!(|octets: &[u8]| {
    let any = [0, u32::try_from(octets.len()).unwrap()];
    assert!(verify_requests(octets, &any, b"another secret", true).0.is_empty(), "nobody signed this");
    let _ = check_records(octets, &any);

    let mut packet = signed(octets);
    let ends = [0, u32::try_from(packet.len()).unwrap()];
    let (verified, others) = verify_requests(&packet, &ends, SECRET, false);
    assert_eq!(verified.len() + 2 * others.len(), 2);
    if !verified.is_empty() {
        assert_eq!(verified, ends);
        let (responses, found) = encode_responses(&packet, &verified, SECRET);
        spans::check(&found, responses.len());
        assert_eq!((responses[0], responses[1]), (5, packet[1]));
        assert_eq!(usize::from(u16::from_be_bytes([responses[2], responses[3]])), responses.len());
        assert_eq!(responses[4..HEADER], authenticator(&responses, &packet[4..HEADER]));
    }
    let twice = [ends, ends].concat();
    let alone = check_records(&packet, &ends);
    for (two, one) in check_records(&packet, &twice).iter().zip(&alone) {
        assert_eq!(*two, [one.as_slice(), one].concat(), "a record depends on the packet before");
    }
    packet[4] ^= 1;
    assert!(verify_requests(&packet, &ends, SECRET, false).0.is_empty(), "signed by nobody");
});
