//! A packet's header and attributes: twin of `wire/radius/packet.py` and `scan_attributes` of `wire/radius/attributes.py`.

pub(super) const HEADER: usize = 20;
pub(super) const AUTHENTICATOR: std::ops::Range<usize> = 4..HEADER;
pub(super) const ACCOUNTING_REQUEST: u8 = 4;
pub(super) const ACCOUNTING_RESPONSE: u8 = 5;
pub(super) const PROXY_STATE: u8 = 33;
pub(super) const MESSAGE_AUTHENTICATOR: u8 = 80;
const MAX_LENGTH: usize = 4096;

/// The octets of a datagram that are its packet; None where it isn't one.
pub(super) fn packet_of(datagram: &[u8]) -> Option<&[u8]> {
    let length = usize::from(u16::from_be_bytes([*datagram.get(2)?, *datagram.get(3)?]));
    if (HEADER..=MAX_LENGTH).contains(&length) { datagram.get(..length) } else { None }
}

/// The octets of a span in a buffer; none where it is no span of it.
pub(super) fn span_of<'a>(buffer: &'a [u8], span: &[u32]) -> &'a [u8] {
    let [start, end] = *span else { return &[] };
    buffer.get(start as usize..end as usize).unwrap_or_default()
}

/// One attribute: its number, and where its value begins and ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute {
    pub kind: u8,
    pub start: usize,
    pub end: usize,
}

/// The attributes from `start` on; ends with false in [`Attributes::whole`] where one breaks its form.
#[derive(Clone, Debug)]
pub(super) struct Attributes<'a> {
    octets: &'a [u8],
    at: usize,
    /// Whether no attribute so far broke its form.
    pub whole: bool,
}

impl<'a> Attributes<'a> {
    pub fn new(octets: &'a [u8], start: usize) -> Self {
        Self { octets, at: start, whole: true }
    }
}

impl Iterator for Attributes<'_> {
    type Item = Attribute;

    fn next(&mut self) -> Option<Attribute> {
        let left = self.octets.get(self.at..)?;
        let &kind = left.first()?;
        let length = left.get(1).map_or(0, |&length| usize::from(length));
        if length < 2 || length > left.len() {
            self.whole = false;
            self.at = self.octets.len();
            return None;
        }
        let start = self.at + 2;
        self.at += length;
        Some(Attribute { kind, start, end: self.at })
    }
}
