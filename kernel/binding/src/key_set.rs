//! The set of 16-octet keys as a Python class: many keys a call, the GIL held, since a call takes microseconds.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tidegate_core::key_set::{Key, KeySet as Core};

/// A set of 16-octet keys.
#[pyclass(module = "kernel._native")]
pub struct KeySet {
    core: Core,
}

#[pymethods]
impl KeySet {
    /// An empty set.
    #[new]
    #[pyo3(signature = (seed, /, *, small = false))]
    fn new(seed: &[u8], small: bool) -> PyResult<Self> {
        let seed = seed.try_into().map_err(|_| PyValueError::new_err("a seed has 16 octets"))?;
        let seed = u128::from_le_bytes(seed);
        Ok(Self { core: if small { Core::small(seed) } else { Core::new(seed) } })
    }

    fn __len__(&self) -> usize {
        self.core.len()
    }

    /// Octets of memory that the keys take.
    #[getter]
    fn octets(&self) -> usize {
        self.core.octets()
    }

    /// 1 for each key that is in the set, else 0.
    #[pyo3(signature = (keys, /))]
    fn known<'py>(&self, py: Python<'py>, keys: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.core.known(&split(keys)?)))
    }

    /// Add keys of which none is in the set, nor there twice; False, and none added, where one is.
    #[pyo3(signature = (keys, /))]
    fn add_new(&mut self, keys: &[u8]) -> PyResult<bool> {
        Ok(self.core.add_new(&split(keys)?))
    }

    /// Add keys.
    #[pyo3(signature = (keys, /))]
    fn add(&mut self, keys: &[u8]) -> PyResult<()> {
        self.core.add_all(&split(keys)?);
        Ok(())
    }

    /// Remove keys.
    #[pyo3(signature = (keys, /))]
    fn discard(&mut self, keys: &[u8]) -> PyResult<()> {
        split(keys)?.into_iter().for_each(|key| self.core.discard(key));
        Ok(())
    }
}

fn split(keys: &[u8]) -> PyResult<Vec<Key>> {
    let whole = keys.len() % size_of::<Key>() == 0;
    if !whole {
        return Err(PyValueError::new_err("keys have 16 octets each"));
    }
    Ok(keys.chunks_exact(size_of::<Key>()).filter_map(|key| key.try_into().ok()).collect())
}
