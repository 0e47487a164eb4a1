//! The native normalizer as a Python class: one call a buffer, the GIL released, no Python object per message.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use tidegate_core::normalize::{Call, MAX_COMPUTERS, Normalized, Normalizer as Core};
use tidegate_core::radius::Call as RadiusCall;
use tidegate_core::tally::Tally;

use crate::parse_u32;
use crate::room::Octets;

/// A loaded profile.
#[pyclass(frozen, module = "kernel._native")]
pub struct Normalizer {
    core: Core,
}

/// What became of a buffer of accounting packets.
#[pyclass(frozen, get_all, module = "kernel._native")]
pub struct NativeAccounting {
    records: Py<PyBytes>,
    index: Py<PyBytes>,
    aliases: Py<PyBytes>,
    changes: Py<PyBytes>,
    unsure: Vec<(u32, u32)>,
}

/// What became of a buffer.
#[pyclass(frozen, get_all, module = "kernel._native")]
pub struct NativeBatch {
    records: Py<PyBytes>,
    index: Py<PyBytes>,
    filtered: Py<PyDict>,
    rejected: Py<PyDict>,
    warnings: Py<PyDict>,
    control: u64,
    rejects: Vec<(u32, &'static str, u32, String)>,
    unsure: Vec<(u32, u32)>,
    computers: Option<Vec<String>>,
}

#[pymethods]
impl Normalizer {
    /// Load a document of `normalizers.native_plan`.
    #[new]
    #[pyo3(signature = (document, /))]
    fn new(document: &[u8]) -> PyResult<Self> {
        let core = Core::load(document).map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { core })
    }

    /// Judge the messages of a buffer.
    #[pyo3(signature = (buffer, spans, arrival_ms, labels, events, max_rejects, /))]
    #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)] // as Python hands them over
    fn normalize(
        &self,
        py: Python<'_>,
        buffer: Octets<'_, '_>,
        spans: &[u8],
        arrival_ms: i64,
        labels: Vec<String>,
        events: bool,
        max_rejects: usize,
    ) -> PyResult<NativeBatch> {
        let (buffer, spans) = (&*buffer, parse_u32(spans));
        let call = Call { arrival_ms, labels: &labels, events, max_rejects };
        let (index, mut done) = py.detach(|| {
            let mut done = self.core.normalize(buffer, &spans, &call);
            (std::mem::take(&mut done.index).encode(), done)
        });
        let records = std::mem::take(&mut done.records);
        let batch = NativeBatch::new(py, &records, &index, done);
        self.core.take_back(records);
        batch
    }

    /// Judge the verified accounting packets of a buffer.
    #[pyo3(signature = (buffer, spans, aliases, arrival_ms, peer, vendor, labels, /))]
    #[allow(clippy::needless_pass_by_value, clippy::too_many_arguments)] // as Python hands them over
    fn normalize_radius(
        &self,
        py: Python<'_>,
        buffer: Octets<'_, '_>,
        spans: &[u8],
        aliases: &[u8],
        arrival_ms: i64,
        peer: &str,
        vendor: &str,
        labels: Vec<String>,
    ) -> Option<NativeAccounting> {
        let (buffer, spans) = (&*buffer, parse_u32(spans));
        let call = RadiusCall { peer, arrival_ms, vendor, labels: &labels, aliases };
        let (index, mut done) = py.detach(|| {
            let mut done = self.core.normalize_radius(buffer, &spans, &call)?;
            Some((std::mem::take(&mut done.index).encode(), done))
        })?;
        let records = std::mem::take(&mut done.records);
        let octets = PyBytes::new(py, &records).unbind();
        self.core.take_back(records);
        Some(NativeAccounting {
            records: octets,
            index: PyBytes::new(py, &index).unbind(),
            aliases: PyBytes::new(py, &done.aliases).unbind(),
            changes: PyBytes::new(py, &done.changes).unbind(),
            unsure: done.unsure.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        })
    }
}

impl NativeBatch {
    fn new(py: Python<'_>, records: &[u8], index: &[u8], done: Normalized) -> PyResult<Self> {
        let computers = (done.computers.len() <= MAX_COMPUTERS)
            .then(|| done.computers.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect());
        Ok(Self {
            records: PyBytes::new(py, records).unbind(),
            index: PyBytes::new(py, index).unbind(),
            filtered: counts(py, &done.filtered)?,
            rejected: counts(py, &done.rejected)?,
            warnings: counts(py, &done.warnings)?,
            control: done.control,
            rejects: done.rejects.into_iter().map(|told| (told.message, told.rule, told.offset, told.detail)).collect(),
            unsure: done.unsure.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
            computers,
        })
    }
}

fn counts(py: Python<'_>, tally: &Tally) -> PyResult<Py<PyDict>> {
    let counts = PyDict::new(py);
    for (name, count) in tally.counts() {
        counts.set_item(String::from_utf8_lossy(name), count)?;
    }
    Ok(counts.unbind())
}
