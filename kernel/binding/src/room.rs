//! Octets as Python hands them over: bytes, or a room of the kernel's own that a socket is read into.

use std::ops::Deref;

use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PySlice};
use tidegate_net::{Errno, Room as Core};

/// Memory that stays while what is read into it comes and goes.
#[pyclass(module = "kernel._native")]
pub struct Room {
    pub core: Core,
}

impl Room {
    /// Of octets that the kernel has made, which Python takes parts of and the kernel reads, without a copy of them all.
    pub fn of(octets: Vec<u8>) -> Self {
        Self { core: Core::of(octets) }
    }
}

#[pymethods]
impl Room {
    /// Empty, with place for `before` octets to be put before those that are read.
    #[new]
    #[pyo3(signature = (octets, before, /))]
    fn new(octets: usize, before: usize) -> Self {
        Self { core: Core::new(octets, before) }
    }

    fn __len__(&self) -> usize {
        self.core.octets().len()
    }

    /// A copy of the octets of a slice without step.
    #[allow(clippy::needless_pass_by_value)] // as Python hands it over
    fn __getitem__<'py>(&self, span: Bound<'py, PySlice>) -> PyResult<Bound<'py, PyBytes>> {
        let octets = self.core.octets();
        let places = span.indices(isize::try_from(octets.len())?)?;
        if places.step != 1 {
            return Err(PyValueError::new_err("octets that are no neighbours"));
        }
        let start = usize::try_from(places.start)?;
        Ok(PyBytes::new(span.py(), &octets[start..start + places.slicelength]))
    }

    /// Forget what is in it.
    fn clear(&mut self) {
        self.core.clear();
    }

    /// Add what a socket holds; how much, or nothing where there is nothing just now.
    #[pyo3(signature = (fd, most, /))]
    fn receive(&mut self, py: Python<'_>, fd: i32, most: usize) -> PyResult<Option<usize>> {
        match py.detach(|| self.core.receive(fd, most)) {
            Ok(octets) => Ok(Some(octets)),
            Err(Errno::EAGAIN) => Ok(None),
            Err(error) => Err(PyOSError::new_err((error as i32, error.desc()))),
        }
    }

    /// Add octets behind what is there.
    #[pyo3(signature = (octets, /))]
    fn extend(&mut self, octets: &[u8]) {
        self.core.extend(octets);
    }

    /// Put octets before what is there.
    #[pyo3(signature = (octets, /))]
    fn prepend(&mut self, octets: &[u8]) {
        self.core.prepend(octets);
    }
}

/// `bytes | Room`; while it lives, nothing can be done to the room.
pub enum Octets<'a, 'py> {
    Bytes(&'a [u8]),
    Room(PyRef<'py, Room>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Octets<'a, 'py> {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(room) = given.cast::<Room>() {
            return Ok(Self::Room(room.to_owned().try_borrow()?));
        }
        Ok(Self::Bytes(given.extract()?))
    }
}

impl Deref for Octets<'_, '_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(octets) => octets,
            Self::Room(room) => room.core.octets(),
        }
    }
}
