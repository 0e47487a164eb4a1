//! The table of VPN sessions: twin of `pipeline/state/table.py`, fed with packed words (`pipeline/state/changes.py`).

mod draft;
mod line;
mod lists;
mod session;
mod table;

pub use line::checksum;
pub use session::{Session, Texts};
pub use table::{Limits, SessionPlan, SessionTable};
