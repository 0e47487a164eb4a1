//! What became of one message: twin of `normalizers/judgement.py`, with the fifth end that only the kernel knows.

use crate::source::Text;

/// The ends of a message. Its warnings are in [`crate::source::Source::warnings`], whichever of them it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It carries no event.
    Control,
    /// It is understood and unwanted.
    Filtered {
        /// The tally's name: the key's event ID.
        event_id: Text,
    },
    /// It isn't understood.
    Rejected {
        /// The broken rule.
        rule: &'static str,
        /// Octet of the message at which it shows.
        offset: u32,
        /// Facts for a person: at most 200 characters.
        detail: Text,
    },
    /// It is a wanted event, which is in the source now.
    Event,
    /// Whatever the kernel doesn't surely do as the reference does: the reference judges it, warnings and all.
    Unsure,
}
