//! Tidegate's kernel: pure functions over buffers. No state, no clock, no callback, no Python.
//!
//! Every function has a readable twin in Python, which is its specification; a property test holds the two equal.

#![forbid(unsafe_code)]

pub mod compression;
pub mod event_shape;
pub mod event_system;
pub mod event_time;
pub mod event_xml;
pub mod event_xml_scan;
pub mod evtx;
pub mod evtx_expansion;
pub mod evtx_render;
pub mod evtx_template;
pub mod evtx_values;
pub mod hashed;
pub mod index;
pub mod json_out;
pub mod judge;
pub mod judged;
pub mod key_set;
pub mod keywords;
pub mod layouts;
pub mod normalize;
pub mod octets;
pub mod plan;
pub mod profile;
pub mod radius;
pub mod record_ids;
pub mod sessions;
pub mod sldc;
pub mod soap_encoding;
pub mod source;
pub mod syslog_framing;
pub mod syslog_header;
pub mod syslog_multiline;
pub mod syslog_payload;
pub mod syslog_stamp;
pub mod tally;
pub mod transforms;
pub mod uid;
pub mod wrapped_events;
pub mod xml;
pub mod xml_text;
