//! Layouts other than event XML: twins of `wire/layouts/*`.

mod assemble;
mod cef;
mod cef_names;
mod cef_scan;
mod cef_windows;
mod detect;
mod detect_json;
mod few;
mod flat_json;
mod json_members;
mod json_object;
mod labelled_text;
mod lookup;
mod nxlog_json;
mod pairs;
mod payload;
mod qradar;
mod rendered_text;
mod snare;
mod splunk;
mod splunk_classic;
mod tables;
mod winlogbeat_json;

pub use detect::{Detected, Layout, detect};
pub use tables::Tables;

use crate::judge::Context;
use crate::judged::Judged;
use crate::source::Source;

/// Judge the payload that begins at `start` of a message and is in a layout. `headed` says whether a syslog header stood before
/// it; `source` has the header's warnings.
#[must_use]
pub fn judge(
    layout: Layout,
    message: &[u8],
    start: usize,
    headed: bool,
    context: &Context,
    source: &mut Source,
) -> Judged {
    if context.strict {
        return Judged::Unsure;
    }
    let judged = match layout {
        Layout::Cef => cef_windows::judge(message, start, headed, context, source),
        Layout::Qradar => qradar::judge(message, start, context, source),
        Layout::Splunk => splunk::judge(message, start, context, source),
        Layout::SplunkClassic => splunk_classic::judge(message, start, context, source),
        Layout::Snare => snare::judge(message, start, context, source),
        Layout::WinlogbeatJson => winlogbeat_json::judge(message, start, context, source),
        Layout::NxlogJson => nxlog_json::judge(message, start, context, source),
        Layout::FlatJson => flat_json::judge(message, start, context, source),
        _ => None,
    };
    if judged == Some(Judged::Event) {
        source.envelope.log_format = source.copy(layout.log_format());
    }
    judged.unwrap_or(Judged::Unsure)
}
