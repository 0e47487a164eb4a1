//! What holds of layouts without their twins: nothing that arrives makes them panic, and texts stay within what arrived.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tidegate_core::judge::{Context, judge};
use tidegate_core::layouts::detect;
use tidegate_core::profile::Profile;
use tidegate_core::source::Source;

/// Pieces of all layouts, and octets that are none.
const PIECES: [&[u8]; 28] = [
    b"CEF:0|a|b||p:4776|n|Low|",
    b"externalId=4776 rt=1 cat=Security dhost=d ",
    b"cs1Label=rt cs1=5 ",
    b"AgentDevice=WindowsLog\tEventID=1\tMessage=",
    b"EventCode=1\r\nLogfile=x\r\nSourceName=y\r\nTimeGenerated=z\r\nComputerName=c\r\nMessage=",
    b"03/15/2024 12:00:00 PM\nLogName=x\nEventCode=1\nMessage=",
    b"MSWinEventLog\t1\tSecurity\t1\tx\t4726\tp\tu\tUser\ttype\tdc\tcat\t\ttext\t1",
    b"{\"EventID\":4776,\"SourceModuleName\":\"x\",",
    b"{\"winlog\":{\"event_id\":\"1\",",
    b"{\"System\":{\"EventID\":1,\"#attributes\":{",
    b"\"Message\":\"a\\u00e9\\ud83d\\ude00\"",
    b"}}}",
    b"[[1.5e3,null,true]]",
    b"Subject: Security ID: x Error Code: 0x0",
    b"\r\n\tFoo Bar:\t\tbaz\r\n\r\n",
    b"\\",
    b"\\u",
    b"#01",
    b"=",
    b"|",
    b"\t",
    b"\"",
    b":",
    b"\xc3",
    b"\xc3\xa9",
    b"\xef\xbb\xbf",
    b" ",
    b"0",
];

proptest! {
    #[test]
    fn nothing_panics(
        keep_all in any::<bool>(),
        pieces in vec(prop_oneof![select(&PIECES[..]).prop_map(<[u8]>::to_vec), vec(any::<u8>(), 0..8)], 0..12),
    ) {
        let message = pieces.concat();
        let mut source = Source::default();
        let _ = detect(&message);
        let profile = Profile::new(vec![], vec![], keep_all);
        let _ = judge(&message, &Context { profile, ..Context::default() }, &mut source);
        for (name, text) in &source.payload {
            prop_assert!(std::str::from_utf8(source.text(&message, *name)).is_ok());
            prop_assert!(std::str::from_utf8(source.text(&message, *text)).is_ok());
        }
    }
}
