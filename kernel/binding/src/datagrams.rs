//! Datagrams as Python classes: a drain a call, the GIL released, no Python object per datagram.

use std::sync::Mutex;

use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tidegate_net::{Answers, Burst as Core, Errno, Receiver as CoreReceiver, Way, send};

use crate::room::Room;
use crate::{native_u32, parse_u32};

/// The memory of one socket's drains.
#[pyclass(frozen, module = "kernel._native")]
pub struct Receiver {
    core: Mutex<Option<CoreReceiver>>,
}

/// What one drain took.
#[pyclass(frozen, module = "kernel._native")]
pub struct Burst {
    #[pyo3(get)]
    datagrams: usize,
    #[pyo3(get)]
    peers: Vec<(String, Py<PyBytes>, Py<PyBytes>)>,
    ways: Vec<Way>,
}

#[pymethods]
impl Receiver {
    /// For datagrams of which `longest` octets are wanted, `at_once` with one system call.
    #[new]
    #[pyo3(signature = (longest, at_once, tells_destination, /))]
    fn new(longest: usize, at_once: usize, tells_destination: bool) -> Self {
        Self { core: Mutex::new(Some(CoreReceiver::new(longest, at_once, tells_destination))) }
    }

    /// Take what is there into a room.
    #[pyo3(signature = (room, fd, datagrams, octets, /))]
    fn receive(
        &self,
        py: Python<'_>,
        mut room: PyRefMut<'_, Room>,
        fd: i32,
        datagrams: usize,
        octets: usize,
    ) -> PyResult<Burst> {
        let taken = self.core.try_lock().ok().and_then(|mut core| core.take());
        let mut core = taken.ok_or_else(|| PyRuntimeError::new_err("one drain at a time"))?;
        let room = &mut room.core;
        let found = py.detach(|| core.receive(room, fd, datagrams, octets));
        if let Ok(mut place) = self.core.lock() {
            *place = Some(core);
        }
        found.map(|found| Burst::new(py, found)).map_err(os_error)
    }
}

#[pymethods]
impl Burst {
    /// The port of each way.
    #[getter]
    fn ports(&self) -> Vec<u16> {
        self.ways.iter().map(Way::port).collect()
    }

    /// (how many answers were sent from number `first` on, errno or 0).
    #[pyo3(signature = (fd, buffer, spans, ways, first, /))]
    #[allow(clippy::too_many_arguments)] // as Python hands them over
    fn send(&self, py: Python<'_>, fd: i32, buffer: &[u8], spans: &[u8], ways: &[u8], first: usize) -> (usize, i32) {
        let (spans, ways) = (parse_u32(spans), parse_u32(ways));
        let answers = Answers { buffer, spans: &spans, ways: &ways };
        let (sent, error) = py.detach(|| send(fd, answers, &self.ways, first));
        (sent, error.map_or(0, |error| error as i32))
    }
}

impl Burst {
    fn new(py: Python<'_>, found: Core) -> Self {
        let octets = |values: &[u32]| native_u32(py, values).unbind();
        Self {
            datagrams: found.datagrams,
            peers: found
                .peers
                .into_iter()
                .map(|peer| (peer.address, octets(&peer.spans), octets(&peer.ways)))
                .collect(),
            ways: found.ways,
        }
    }
}

fn os_error(error: Errno) -> PyErr {
    PyOSError::new_err((error as i32, error.desc()))
}
