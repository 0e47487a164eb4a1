//! RADIUS accounting: packets of one peer verified, normalized and answered. Twin of `wire/radius`, `normalizers/radius.py` and
//! `listeners/radius/retransmissions.py`.
//!
//! What is surely understood is done here. Everything else (a packet of another code, of another's signature, that breaks a rule
//! or has attributes of rare forms) is left as it is for the reference to judge, so no rule's name is written here.

mod accounting;
mod authenticators;
mod changes;
mod dictionary;
mod named;
mod packet;
mod retransmissions;
mod values;

pub use accounting::{Accounting, Call, Normalized};
pub use authenticators::{encode_responses, verify_requests};
pub use changes::{Change, Changes};
pub use dictionary::{Dictionary, DictionaryPart};
pub use retransmissions::Retransmissions;

pub(crate) use accounting::AccountingPart;
