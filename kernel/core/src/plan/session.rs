//! What a record says of a session: twin of `session_change` in `normalizers/radius.py`.

use super::{Plan, Run, Value};
use crate::source::Text;

/// The leaves that it is read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaves {
    pub nas: Option<u8>,
    pub nas_name: Option<u8>,
    pub id: Option<u8>,
    pub user: Option<u8>,
    pub domain: Option<u8>,
    pub address: Option<u8>,
    pub client: Option<u8>,
    pub started: Option<u8>,
}

/// A record's word on a session; an empty text is one that wasn't told.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the fields of `pipeline.model.SessionChange`
pub struct SessionTexts {
    pub nas: Text,
    pub id: Text,
    pub user: Text,
    pub domain: Text,
    pub address: Text,
    pub client: Text,
    pub started_at_ms: Option<i64>,
}

/// Read a record's word on a session.
#[must_use]
pub fn session_of(plan: &Plan, run: &Run) -> SessionTexts {
    let text = |leaf: Option<u8>| match leaf.and_then(|leaf| run.value(leaf)) {
        Some(Value::Text(text)) => text,
        _ => Text::EMPTY,
    };
    let Leaves { nas, nas_name, id, user, domain, address, client, started } = plan.session;
    let address_of_nas = text(nas);
    SessionTexts {
        nas: if address_of_nas.is_empty() { text(nas_name) } else { address_of_nas },
        id: text(id),
        user: text(user),
        domain: text(domain),
        address: text(address),
        client: text(client),
        started_at_ms: match started.and_then(|leaf| run.value(leaf)) {
            Some(Value::Int(time)) => Some(time),
            _ => None,
        },
    }
}
