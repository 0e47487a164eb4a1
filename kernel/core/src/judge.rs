//! The way of one message from its octets to a source: twin of `Normalizer.judge` and `Normalizer.judge_event`.

use crate::judged::Judged;
use crate::profile::Profile;
use crate::source::Source;

/// What judging needs beside the message.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Which events are kept.
    pub profile: Profile,
    /// `Mode.STRICT`: what lenient mode repairs is refused.
    pub strict: bool,
    /// The zone of times that state none, in minutes east of UTC.
    pub zone_offset_minutes: i32,
}

/// Judge one message of any layout, behind a header or none. `source` is cleared by the caller.
#[must_use]
pub fn judge(message: &[u8], context: &Context, source: &mut Source) -> Judged {
    let _ = (message, context, source);
    Judged::Unsure
}

/// Judge one message that is an event's XML, with no header before it. `source` is cleared by the caller.
#[must_use]
pub fn judge_event(message: &[u8], context: &Context, source: &mut Source) -> Judged {
    let _ = (message, context, source);
    Judged::Unsure
}
