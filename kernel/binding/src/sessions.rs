//! The table of VPN sessions as a Python class: asked by one thread while another plans.

use std::borrow::Cow;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use tidegate_core::sessions::{self, Limits, Session, Texts};

/// The table.
#[pyclass(frozen, module = "kernel._native")]
pub struct SessionTable {
    core: RwLock<sessions::SessionTable>,
}

/// What a commit changes in it.
#[pyclass(frozen, module = "kernel._native")]
pub struct SessionPlan {
    core: sessions::SessionPlan,
}

type Fields = (i64, String, String, String, String, String, String, i64, i64, Option<i64>, i64);
type Text<'a> = Cow<'a, str>;
type Line<'a> =
    (i64, Text<'a>, Text<'a>, Text<'a>, Text<'a>, Text<'a>, Text<'a>, i64, i64, Option<i64>, i64, Option<u32>);

#[pymethods]
impl SessionTable {
    /// An empty one.
    #[new]
    #[pyo3(signature = (most, idle_ms, keep_ms, /))]
    fn new(most: usize, idle_ms: i64, keep_ms: i64) -> Self {
        Self { core: RwLock::new(sessions::SessionTable::new(Limits { max: most, idle_ms, keep_ms })) }
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| Ok(self.read()?.len()))
    }

    /// How many are open.
    #[getter]
    fn open(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| Ok(self.read()?.open()))
    }

    /// All of them.
    fn sessions(&self, py: Python<'_>) -> PyResult<Vec<Fields>> {
        py.detach(|| Ok(self.read()?.sessions().map(fields).collect()))
    }

    /// Those of an account.
    #[pyo3(signature = (folded, at_ms, /))]
    fn of_account(&self, py: Python<'_>, folded: &[u8], at_ms: i64) -> PyResult<Vec<Fields>> {
        py.detach(|| Ok(self.read()?.of_account(folded, at_ms).into_iter().map(fields).collect()))
    }

    /// Those with an address.
    #[pyo3(signature = (address, at_ms, /))]
    fn of_address(&self, py: Python<'_>, address: &str, at_ms: i64) -> PyResult<Vec<Fields>> {
        py.detach(|| Ok(self.read()?.of_address(address.as_bytes(), at_ms).into_iter().map(fields).collect()))
    }

    /// The newest one of a server with an ID.
    #[pyo3(signature = (nas, session_id, /))]
    fn newest(&self, py: Python<'_>, nas: &str, session_id: &str) -> PyResult<Option<Fields>> {
        py.detach(|| Ok(self.read()?.newest(nas.as_bytes(), session_id.as_bytes()).map(fields)))
    }

    /// What packed words change.
    #[pyo3(signature = (changes, now_ms, /))]
    fn plan(&self, py: Python<'_>, changes: &[u8], now_ms: i64) -> PyResult<SessionPlan> {
        py.detach(|| Ok(SessionPlan { core: self.read()?.plan(changes, now_ms) }))
    }

    /// Change it.
    #[pyo3(signature = (plan, /))]
    fn take(&self, py: Python<'_>, plan: &SessionPlan) -> PyResult<()> {
        py.detach(|| {
            self.write()?.take(&plan.core);
            Ok(())
        })
    }

    /// Take in a stored session.
    #[pyo3(signature = (session, /))]
    fn put(&self, session: Fields) -> PyResult<()> {
        let (number, nas, id, user, domain, address, client, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms) =
            session;
        let texts = Texts::new([&nas, &id, &user, &domain, &address, &client].map(String::as_bytes));
        self.write()?.put(Session { number, texts, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms });
        Ok(())
    }
}

impl SessionTable {
    fn read(&self) -> PyResult<RwLockReadGuard<'_, sessions::SessionTable>> {
        self.core.read().map_err(|_| failed())
    }

    fn write(&self) -> PyResult<RwLockWriteGuard<'_, sessions::SessionTable>> {
        self.core.write().map_err(|_| failed())
    }
}

#[pymethods]
impl SessionPlan {
    /// Sessions that are new or changed, and their checksums.
    #[getter]
    fn saved(&self) -> Vec<Line<'_>> {
        self.core.saved.iter().map(line).collect()
    }

    /// Numbers of those that count as ended now.
    #[getter]
    fn silent(&self) -> Vec<i64> {
        self.core.silent.clone()
    }

    /// Numbers of those that leave.
    #[getter]
    fn gone(&self) -> Vec<i64> {
        self.core.gone.clone()
    }

    /// How many leave because there are too many.
    #[getter]
    fn evicted(&self) -> usize {
        self.core.evicted
    }
}

fn fields(session: &Session) -> Fields {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let [nas, id, user, domain, address, client] = session.texts.all().map(text);
    let &Session { number, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms, .. } = session;
    (number, nas, id, user, domain, address, client, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms)
}

fn line(session: &Session) -> Line<'_> {
    let [nas, id, user, domain, address, client] = session.texts.all().map(String::from_utf8_lossy);
    let &Session { number, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms, .. } = session;
    let checksum = sessions::checksum(session);
    (number, nas, id, user, domain, address, client, begun_at_ms, last_at_ms, ended_at_ms, heard_at_ms, checksum)
}

fn failed() -> PyErr {
    PyRuntimeError::new_err("an earlier call failed")
}
