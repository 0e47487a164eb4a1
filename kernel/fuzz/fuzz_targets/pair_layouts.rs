//! Entry: `Normalizer.normalize` of messages of the layouts in names and values (CEF, `QRadar`, Splunk, Snare), each behind its own
//! beginning, which the first octet chooses.

#![no_main]

use libfuzzer_sys::fuzz_target;

const BEGINNINGS: [&[u8]; 8] = [
    b"CEF:0|Microsoft|Microsoft Windows||Microsoft-Windows-Security-Auditing:4776|n|Low|externalId=4776 cat=Security ",
    b"CEF:0|",
    b"AgentDevice=WindowsLog\tAgentLogFile=Security\tSource=Microsoft-Windows-Security-Auditing\tEventID=4776\t",
    b"EventCode=4776\r\nLogfile=Security\r\nSourceName=Microsoft-Windows-Security-Auditing\r\n",
    b"03/15/2024 12:00:00 PM\nLogName=Security\nSourceName=Microsoft-Windows-Security-Auditing\nEventCode=4726\n",
    b"dc01\tMSWinEventLog\t1\tSecurity\t1\tFri Mar 15 12:00:00 2024\t4726\tMicrosoft-Windows-Security-Auditing\t",
    b"<13>Mar 15 12:00:00 dc01 ",
    b"",
];

fuzz_target!(|octets: &[u8]| {
    if let Some((&first, payload)) = octets.split_first() {
        let beginning = BEGINNINGS[usize::from(first) % BEGINNINGS.len()];
        tidegate_fuzz::normalizers::check_message(&[beginning, payload].concat(), false);
    }
});
