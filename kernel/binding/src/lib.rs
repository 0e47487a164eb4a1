//! Tidegate's kernel as the Python module `kernel._native`: arguments in, errors out, the GIL released in between.

mod datagrams;
mod key_set;
mod normalizer;
mod radius;
mod room;
mod sessions;

use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Numbers as octets for `array("I").frombytes`.
fn native_u32<'py>(py: Python<'py>, values: &[u32]) -> Bound<'py, PyBytes> {
    let octets: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
    PyBytes::new(py, &octets)
}

/// The numbers of `array("I").tobytes()`.
fn parse_u32(octets: &[u8]) -> Vec<u32> {
    octets.chunks_exact(4).filter_map(|four| four.try_into().ok()).map(u32::from_ne_bytes).collect()
}

/// The native kernel. What each function means is written in its readable twin.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::datagrams::{Burst, Receiver};
    #[pymodule_export]
    use super::key_set::KeySet;
    use super::native_u32;
    #[pymodule_export]
    use super::normalizer::{NativeAccounting, NativeBatch, Normalizer};
    #[pymodule_export]
    use super::radius::{Retransmissions, encode_responses, parse_changes, verify_requests};
    use super::room::Octets;
    #[pymodule_export]
    use super::room::Room;
    #[pymodule_export]
    use super::sessions::{SessionPlan, SessionTable};
    use pyo3::exceptions::PyValueError;
    use pyo3::prelude::*;
    use pyo3::types::PyBytes;
    use tidegate_core::{
        compression, evtx, evtx_expansion, record_ids, sldc, soap_encoding, syslog_framing, syslog_multiline,
        wrapped_events, xml_text,
    };

    type Counted<'py> = (Bound<'py, PyBytes>, usize, usize, usize, Option<&'static str>);
    type Trailed<'py> = (Bound<'py, PyBytes>, usize, bool, usize);

    /// (spans, consumed, skip, oversize, broken rule) of an octet-counted buffer.
    #[pyfunction]
    #[pyo3(signature = (buffer, skip, max_message, /))]
    #[allow(clippy::needless_pass_by_value)] // as Python hands them over
    fn scan_counted<'py>(py: Python<'py>, buffer: Octets<'_, '_>, skip: usize, max_message: usize) -> Counted<'py> {
        let buffer = &*buffer;
        let found = py.detach(|| syslog_framing::scan_counted(buffer, skip, max_message));
        let rule = found.broken.map(syslog_framing::Rule::name);
        (native_u32(py, &found.spans), found.consumed, found.skip, found.oversize, rule)
    }

    /// (spans, consumed, skipping, oversize) of a non-transparently framed buffer.
    #[pyfunction]
    #[pyo3(signature = (buffer, skipping, searched, max_message, /))]
    #[allow(clippy::needless_pass_by_value)] // as Python hands them over
    fn scan_trailed<'py>(
        py: Python<'py>,
        buffer: Octets<'_, '_>,
        skipping: bool,
        searched: usize,
        max_message: usize,
    ) -> Trailed<'py> {
        let buffer = &*buffer;
        let found = py.detach(|| syslog_framing::scan_trailed(buffer, skipping, searched, max_message));
        (native_u32(py, &found.spans), found.consumed, found.skipping, found.oversize)
    }

    /// Numbers of the lines that don't begin with a PRI.
    #[pyfunction]
    #[pyo3(signature = (buffer, lines, /))]
    #[allow(clippy::needless_pass_by_value)] // as Python hands them over
    fn loose_lines(py: Python<'_>, buffer: Octets<'_, '_>, lines: &[u8]) -> Vec<u32> {
        let lines = crate::parse_u32(lines);
        let buffer = &*buffer;
        py.detach(|| syslog_multiline::loose_lines(buffer, &lines))
    }

    /// One zstd frame of `data`, its size declared.
    #[pyfunction]
    #[pyo3(signature = (data, level = 1, /))]
    fn compress<'py>(py: Python<'py>, data: &[u8], level: i32) -> PyResult<Bound<'py, PyBytes>> {
        let frame = py.detach(|| compression::compress(data, level)).map_err(|error| value_error(&error))?;
        Ok(PyBytes::new(py, &frame))
    }

    /// The content of one zstd frame, of at most `max_size` octets.
    #[pyfunction]
    #[pyo3(signature = (data, max_size, /))]
    fn decompress<'py>(py: Python<'py>, data: &[u8], max_size: usize) -> PyResult<Bound<'py, PyBytes>> {
        let content = py.detach(|| compression::decompress(data, max_size)).map_err(|error| value_error(&error))?;
        Ok(PyBytes::new(py, &content))
    }

    /// (content, broken rule, octet) of an SLDC stream.
    #[pyfunction]
    #[pyo3(signature = (data, max_size, /))]
    fn sldc_decode<'py>(
        py: Python<'py>,
        data: &[u8],
        max_size: usize,
    ) -> (Bound<'py, PyBytes>, Option<&'static str>, usize) {
        match py.detach(|| sldc::decode(data, max_size)) {
            Ok(content) => (PyBytes::new(py, &content), None, 0),
            Err((rule, octet)) => (PyBytes::new(py, b""), Some(rule.name()), octet),
        }
    }

    /// An SLDC stream of `content`.
    #[pyfunction]
    #[pyo3(signature = (content, /))]
    fn sldc_encode<'py>(py: Python<'py>, content: &[u8]) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &py.detach(|| sldc::encode(content)))
    }

    /// (UTF-8, code units that were no character) of UTF-16.
    #[pyfunction]
    #[pyo3(signature = (octets, big_endian, /))]
    fn decode_utf_16<'py>(py: Python<'py>, octets: &[u8], big_endian: bool) -> (Bound<'py, PyBytes>, usize) {
        let order = if big_endian { soap_encoding::Order::Big } else { soap_encoding::Order::Little };
        let (text, replaced) = py.detach(|| soap_encoding::decode_utf_16(octets, order));
        (PyBytes::new(py, &text), replaced)
    }

    /// (computer, channel, highest record ID) of a batch's events.
    #[pyfunction]
    #[pyo3(signature = (buffer, spans, /))]
    fn highest_record_ids(py: Python<'_>, buffer: &[u8], spans: &[u8]) -> Vec<(String, String, u64)> {
        let spans = offsets(spans);
        py.detach(|| record_ids::highest_record_ids(buffer, &spans))
    }

    /// (spans, end of the first event, end of the last) of the run of events in one wrapping that begins with the first.
    #[pyfunction]
    #[pyo3(signature = (octets, /))]
    fn scan_wrapped_events<'py>(py: Python<'py>, octets: &[u8]) -> (Bound<'py, PyBytes>, usize, usize) {
        let found = py.detach(|| wrapped_events::scan_wrapped_events(octets));
        (native_u32(py, &found.spans), found.first_end, found.last_end)
    }

    /// Places of the records (start, end ...) of a chunk that may not fit into `max_text` octets of text.
    #[pyfunction]
    #[pyo3(signature = (octets, records, max_text, max_steps, /))]
    fn find_expanding(py: Python<'_>, octets: &[u8], records: &[u8], max_text: u64, max_steps: i64) -> Vec<usize> {
        let records = offsets(records);
        py.detach(|| evtx_expansion::find_expanding(octets, &records, max_text, max_steps))
    }

    /// (event XML, its spans, octets read) of the chunks of an EVTX file that `octets` begin with.
    #[pyfunction]
    #[pyo3(signature = (octets, checksums, max_text, max_steps, /))]
    fn render_chunks<'py>(
        py: Python<'py>,
        octets: &[u8],
        checksums: bool,
        max_text: u64,
        max_steps: i64,
    ) -> (Room, Bound<'py, PyBytes>, usize) {
        let rendered = py.detach(|| evtx::render_chunks(octets, checksums, max_text, max_steps));
        (Room::of(rendered.text), native_u32(py, &rendered.spans), rendered.consumed)
    }

    /// Whether octets are UTF-8 without characters that XML doesn't allow.
    #[pyfunction]
    #[pyo3(signature = (octets, /))]
    fn is_legal_xml(py: Python<'_>, octets: &[u8]) -> bool {
        py.detach(|| xml_text::is_legal(octets))
    }

    /// Spans from the octets of `array("I").tobytes()`.
    fn offsets(spans: &[u8]) -> Vec<u32> {
        spans.chunks_exact(4).filter_map(|four| four.try_into().ok()).map(u32::from_ne_bytes).collect()
    }

    fn value_error(error: &compression::Error) -> PyErr {
        PyValueError::new_err(error.to_string())
    }
}
