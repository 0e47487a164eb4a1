//! Judging never panics, keeps its texts inside the message and the arena, and forgets what came before.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tidegate_core::event_time::{
    Form, parse_cim, parse_ctime, parse_epoch, parse_epoch_ms, parse_epoch_s, parse_iso, parse_rsa, parse_sql, parse_us,
};
use tidegate_core::judge::{Context, judge, judge_event};
use tidegate_core::judged::Judged;
use tidegate_core::keywords::parse_keywords;
use tidegate_core::profile::{EventKey, Profile};
use tidegate_core::source::Source;
use tidegate_core::syslog_header::parse_header;

const PIECES: [&[u8]; 34] = [
    b"<13>",
    b"<1",
    b"1 ",
    b"- ",
    b"Mar 15 10:11:12 ",
    b"2024-03-15T10:11:12Z ",
    b"dc01 ",
    b"app[1]: ",
    b"[a b=\"c\"]",
    b"\\",
    b"<Event>",
    b"<System>",
    b"<Provider Name='P'/>",
    b"<EventID>1",
    b"</EventID>",
    b"<Channel>C</Channel>",
    b"</System>",
    b"<EventData>",
    b"<Data Name='",
    b"<Data>",
    b"'>",
    b"</Data>",
    b"</EventData>",
    b"<UserData>",
    b"<a b='c'>",
    b"</a>",
    b"</UserData>",
    b"</Event>",
    b"&amp;",
    b"&#13;",
    b"<?xml ",
    b"?>",
    b"\r\n",
    b"\xef\xbb\xbf",
];

const FORMS: [Form; 9] = [
    parse_iso,
    parse_cim,
    parse_rsa,
    parse_ctime,
    parse_us,
    parse_sql,
    |text, _| parse_epoch_ms(text),
    |text, _| parse_epoch_s(text),
    |text, _| parse_epoch(text),
];

fn message() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![8 => select(&PIECES[..]).prop_map(<[u8]>::to_vec), 1 => vec(any::<u8>(), 0..6)];
    prop_oneof![vec(piece, 0..40).prop_map(|pieces| pieces.concat()), vec(any::<u8>(), 0..200)]
}

fn context() -> Context {
    let key = EventKey { channel: "C".into(), provider: "P".into(), event_id: "1".into() };
    Context { profile: Profile::new(vec![key], Vec::new(), false), ..Context::default() }
}

/// A verdict with all that can be read of it.
fn told(message: &[u8], context: &Context, source: &mut Source, events: bool) -> (Judged, Vec<Vec<u8>>) {
    source.clear();
    let judged = if events { judge_event(message, context, source) } else { judge(message, context, source) };
    let texts = source.payload.iter().flat_map(|&(name, text)| [name, text]);
    (judged, texts.map(|text| source.text(message, text).to_vec()).collect())
}

proptest! {
    #[test]
    fn any_message_is_judged(message in message()) {
        let mut source = Source::default();
        for events in [false, true] {
            for text in told(&message, &context(), &mut source, events).1 {
                prop_assert!(core::str::from_utf8(&text).is_ok());
            }
        }
    }

    #[test]
    fn nothing_depends_on_the_message_before(messages in vec(message(), 1..6)) {
        let mut reused = Source::default();
        for message in &messages {
            prop_assert_eq!(
                told(message, &context(), &mut reused, true),
                told(message, &context(), &mut Source::default(), true)
            );
        }
    }

    #[test]
    fn a_payload_begins_in_the_message(message in message()) {
        if let Some(header) = parse_header(&message) {
            prop_assert!(header.payload_start <= message.len());
        }
    }

    #[test]
    fn any_text_is_a_time_or_none(text in "[0-9TZ:. /+-]{0,40}|.{0,20}", zone in -1440..1440) {
        for form in FORMS {
            if let Some(time) = form(text.as_bytes(), zone) {
                prop_assert!(time.nanos < 1_000_000_000 && time.digits <= 9);
            }
        }
        let _ = parse_keywords(text.as_bytes());
    }
}
