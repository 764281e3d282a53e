//! Where a run's folder has its weights, for whoever begins from them.

use std::path::{Path, PathBuf};

/// Name of the file that makes a folder one of a run.
pub(crate) const RUN_JSON: &str = "run.json";

/// Whether a folder is one of a run.
#[expect(clippy::disallowed_methods, reason = "whether a folder holds a run")]
pub(crate) fn is_run(folder: &Path) -> bool {
    folder.join(RUN_JSON).is_file()
}

/// The weights of the best epoch.
pub(crate) fn best(folder: &Path) -> PathBuf {
    folder.join("best.safetensors")
}

/// The weights at the end.
pub(crate) fn last(folder: &Path) -> PathBuf {
    folder.join("last.safetensors")
}
