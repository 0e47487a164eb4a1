//! The normalizers that `make fuzz` wrote documents of: the profile `mdi-current`, and the same with everything kept.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use tidegate_core::normalize::{Call, Normalizer};

use crate::batch;

/// More than a target passes at once, so that every refusal is told.
const MAX_REJECTS: usize = 16;

/// Any time.
pub const ARRIVAL_MS: i64 = 1_710_504_001_000;

static NORMALIZERS: LazyLock<[Normalizer; 2]> = LazyLock::new(|| {
    ["profile", "everything"].map(|name| Normalizer::load(&document(name)).expect("normalizers.native_plan wrote it"))
});

/// A document, as `make fuzz` left it.
#[must_use]
pub fn document(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/fuzz/documents").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; make fuzz writes it", path.display()))
}

/// All of them.
#[must_use]
pub fn all() -> &'static [Normalizer; 2] {
    &NORMALIZERS
}

/// Normalize a message, its halves, and it once more: the batch is well formed, and what became of one of them depends on no other.
pub fn check_message(message: &[u8], events: bool) {
    let (whole, half) = (u32::try_from(message.len()).unwrap(), u32::try_from(message.len() / 2).unwrap());
    let spans = [0, whole, 0, half, half, whole, 0, whole];
    for normalizer in all() {
        for labels in [&[][..], &["site:hq".to_owned()]] {
            let call = Call { arrival_ms: ARRIVAL_MS, labels, events, max_rejects: MAX_REJECTS };
            let together = batch::check(normalizer.normalize(message, &spans, &call), spans.len() / 2);
            let alone = spans.chunks_exact(2).map(|span| batch::check(normalizer.normalize(message, span, &call), 1));
            assert_eq!(alone.collect::<Vec<_>>().concat(), together, "a record depends on the message before");
        }
    }
}
