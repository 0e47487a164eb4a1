//! What the layouts' twins keep in tables, as Python writes them into the document that the kernel loads
//! (`normalizers/native_layouts.py`): which events there are is known there alone.

use serde::{Deserialize, Deserializer};

use super::json_members::Members;
use super::lookup::Lookup;
use crate::octets::trim;

/// Everything that layouts look up.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Tables {
    /// Providers by the names under which they are shown: ASCII lower case, and the canonical name.
    pub providers: Vec<(String, String)>,
    /// Provider and the one channel that its events go to.
    pub channels: Vec<(String, String)>,
    /// The rendered texts of the events that are known, in the order of their IDs.
    #[serde(deserialize_with = "by_event_id")]
    texts: Vec<MessageText>,
    /// What CEF's keys mean.
    pub cef: CefTable,
    /// The names of known events' data, in the order of their schemas.
    pub event_data: Vec<EventDataNames>,
    /// Names of data in ASCII lower case, and as they are spelled.
    pub spelled: Lookup<String>,
    /// How JSON's members are sorted.
    pub json: JsonTables,
}

/// Twin of `wire.message_texts.MessageText`, its headings and labels as numbers of words.
#[derive(Clone, Debug, Default, Deserialize)]
#[allow(missing_docs, reason = "the names of the twin")]
pub struct MessageText {
    pub event_id: String,
    pub providers: Vec<String>,
    pub sentence: String,
    pub advice: String,
    pub sections: Vec<Section>,
    /// All headings and labels in lower case, longer ones first.
    pub words: Vec<Word>,
}

/// A heading's or label's spelling.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Word {
    /// In ASCII lower case.
    pub text: String,
    /// Whether it counts without a colon too.
    pub bare: bool,
}

/// Twin of `wire.message_texts.Section`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Section {
    /// Numbers of words.
    pub headings: Vec<usize>,
    /// In the order they are written.
    pub labels: Vec<Label>,
}

/// Twin of `wire.message_texts.Label`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Label {
    /// The name of the event's data.
    pub name: String,
    /// Numbers of words.
    pub words: Vec<usize>,
    /// A line that not every version of the event has.
    pub optional: bool,
}

/// Twin of the tables in `wire/layouts/cef_windows.py`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CefTable {
    /// The columns by event ID.
    pub columns: Lookup<CefColumn>,
    /// The event whose result code may stand under a translated label.
    pub result_of: String,
    /// Events whose actor logged them.
    pub installers: Vec<String>,
}

/// What an event's keys are called: its rows, the last one first.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct CefColumn {
    /// The names of the event's data.
    pub names: Vec<String>,
    /// Keys and the numbers of their rows.
    pub rows: Lookup<usize>,
}

/// Twin of `wire.event_data_names.EVENT_DATA_NAMES`.
#[derive(Clone, Debug, Default, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct EventDataNames {
    pub event_id: String,
    pub providers: Vec<String>,
    pub names: Vec<String>,
}

/// The tables of the JSON layouts.
#[derive(Clone, Debug, Default, Deserialize)]
#[allow(missing_docs, reason = "one for each layout")]
pub struct JsonTables {
    pub winlogbeat: Members,
    pub nxlog: Members,
    pub nxlog_with_user: Members,
    pub flat: Members,
}

impl Tables {
    /// The provider's name as the event's XML spells it; None for a name that no table has, which stays as it came.
    #[must_use]
    pub fn canonical_provider(&self, name: &[u8]) -> Option<&str> {
        let shown = trim(name);
        let known = self.providers.iter().find(|(lower, _)| lower.as_bytes().eq_ignore_ascii_case(shown));
        known.map(|(_, canonical)| canonical.as_str()).filter(|_| name.is_ascii())
    }

    /// The one channel of a provider.
    #[must_use]
    pub fn channel_of(&self, provider: &[u8]) -> Option<&str> {
        self.channels.iter().find(|(name, _)| name.as_bytes() == provider).map(|(_, channel)| channel.as_str())
    }

    /// The text of a known event, whoever wrote it.
    #[must_use]
    pub fn text_of(&self, event_id: &[u8]) -> Option<&MessageText> {
        let at = self.texts.partition_point(|text| text.event_id.as_bytes() < event_id);
        self.texts.get(at).filter(|text| text.event_id.as_bytes() == event_id)
    }
}

fn by_event_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<MessageText>, D::Error> {
    let mut texts = Vec::<MessageText>::deserialize(deserializer)?;
    texts.sort_by(|left, right| left.event_id.cmp(&right.event_id));
    Ok(texts)
}

impl MessageText {
    /// Whether it is the event of a provider.
    #[must_use]
    pub fn is_of(&self, provider: &[u8]) -> bool {
        self.providers.iter().any(|name| name.as_bytes() == provider)
    }

    /// The names of the data that the text always has.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sections
            .iter()
            .flat_map(|section| &section.labels)
            .filter(|label| !label.optional)
            .map(|label| label.name.as_str())
    }
}
