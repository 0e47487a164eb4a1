//! RADIUS accounting as Python functions: a burst of one client a call, the GIL released.

use std::sync::Mutex;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyTuple};
use tidegate_core::radius;

use crate::{native_u32, parse_u32};

/// (spans of the Accounting-Requests that a holder of the secret sent, places of all other datagrams).
#[pyfunction]
#[pyo3(signature = (buffer, spans, secret, require_message_authenticator, /))]
pub fn verify_requests<'py>(
    py: Python<'py>,
    buffer: &[u8],
    spans: &[u8],
    secret: &[u8],
    require_message_authenticator: bool,
) -> (Bound<'py, PyBytes>, Vec<u32>) {
    let spans = parse_u32(spans);
    let (verified, others) =
        py.detach(|| radius::verify_requests(buffer, &spans, secret, require_message_authenticator));
    (native_u32(py, &verified), others)
}

/// (Accounting-Responses to verified requests, spans of them).
#[pyfunction]
#[pyo3(signature = (buffer, spans, secret, /))]
pub fn encode_responses<'py>(
    py: Python<'py>,
    buffer: &[u8],
    spans: &[u8],
    secret: &[u8],
) -> (Bound<'py, PyBytes>, Bound<'py, PyBytes>) {
    let spans = parse_u32(spans);
    let (responses, ends) = py.detach(|| radius::encode_responses(buffer, &spans, secret));
    (PyBytes::new(py, &responses), native_u32(py, &ends))
}

/// The keys of requests seen lately.
#[pyclass(frozen, module = "kernel._native")]
pub struct Retransmissions {
    core: Mutex<radius::Retransmissions>,
}

#[pymethods]
impl Retransmissions {
    #[new]
    fn new() -> Self {
        Self { core: Mutex::default() }
    }

    /// 16 octets for each request.
    #[pyo3(signature = (buffer, spans, sources, ways, now_ns, /))]
    #[allow(clippy::needless_pass_by_value)] // as Python hands them over
    fn keys<'py>(
        &self,
        py: Python<'py>,
        buffer: &[u8],
        spans: &[u8],
        sources: Vec<Vec<u8>>,
        ways: &[u8],
        now_ns: i64,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (spans, ways) = (parse_u32(spans), parse_u32(ways));
        let mut core = self.core.lock().map_err(|_| PyRuntimeError::new_err("an earlier call failed"))?;
        Ok(PyBytes::new(py, &core.keys(buffer, &spans, &sources, &ways, now_ns)))
    }

    fn __len__(&self) -> usize {
        self.core.lock().map_or(0, |core| core.len())
    }
}

type Word<'py> = (
    Bound<'py, PyAny>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    Bound<'py, PyString>,
    i64,
    Option<i64>,
);

/// The fields of packed words.
#[pyfunction]
#[pyo3(signature = (octets, events, /))]
pub fn parse_changes<'py>(
    py: Python<'py>,
    octets: &[u8],
    events: &Bound<'py, PyTuple>,
) -> PyResult<Vec<Option<Word<'py>>>> {
    let text = |octets: &[u8]| PyString::new(py, &String::from_utf8_lossy(octets));
    radius::Changes::new(octets)
        .map(|change| {
            let Some(change) = change else { return Ok(None) };
            let event = events.get_item(usize::from(change.event) - 1)?;
            let [nas, id, user, domain, address, client] = change.texts.map(text);
            Ok(Some((event, nas, id, user, domain, address, client, change.at_ms, change.started_at_ms)))
        })
        .collect()
}
