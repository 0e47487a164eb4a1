//! What records say of sessions, packed: twin of `pipeline/state/changes.py`, which says how.

/// Append one record's word; `event` 0 says nothing of a session, and texts are the server, the session's ID, user, domain,
/// tunnel address and client.
pub(super) fn write_change(event: u8, at_ms: i64, started_at_ms: Option<i64>, texts: [&[u8]; 6], out: &mut Vec<u8>) {
    out.push(event);
    if event == 0 {
        return;
    }
    out.extend_from_slice(&at_ms.to_le_bytes());
    out.extend_from_slice(&started_at_ms.unwrap_or(i64::MIN).to_le_bytes());
    for text in texts {
        out.extend_from_slice(&u16::try_from(text.len()).unwrap_or_default().to_le_bytes());
        out.extend_from_slice(text);
    }
}
