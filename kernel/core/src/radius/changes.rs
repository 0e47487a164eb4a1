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

/// One record's word on a session.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// What happened, from 1.
    pub event: u8,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// When the session began, where told.
    pub started_at_ms: Option<i64>,
    /// As [`write_change`] has them.
    pub texts: [&'a [u8]; 6],
}

/// Words as they are packed; None for a record that says nothing of a session. Ends where the octets are none of ours.
#[derive(Clone, Debug)]
pub struct Changes<'a> {
    octets: &'a [u8],
}

impl<'a> Changes<'a> {
    /// The words of such octets.
    #[must_use]
    pub fn new(octets: &'a [u8]) -> Self {
        Self { octets }
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.octets.split_at_checked(count)?;
        self.octets = rest;
        Some(taken)
    }

    fn time(&mut self) -> Option<i64> {
        self.take(8)?.try_into().ok().map(i64::from_le_bytes)
    }
}

impl<'a> Iterator for Changes<'a> {
    type Item = Option<Change<'a>>;

    fn next(&mut self) -> Option<Option<Change<'a>>> {
        let event = *self.take(1)?.first()?;
        if event == 0 {
            return Some(None);
        }
        let (at_ms, started) = (self.time()?, self.time()?);
        let mut texts = [[].as_slice(); 6];
        for text in &mut texts {
            let length = self.take(2)?.try_into().ok().map(u16::from_le_bytes)?;
            *text = self.take(usize::from(length))?;
        }
        Some(Some(Change { event, at_ms, started_at_ms: (started != i64::MIN).then_some(started), texts }))
    }
}
