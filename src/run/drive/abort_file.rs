//! A run that any program can end: by a file in its folder.

use std::io::Read as _;
use std::path::Path;

/// A file of this name in a run's folder ends the run.
const ABORT_FILE: &str = "abort";
/// How much of it is read: the reason.
const ABORT_REASON_BYTES_MAX: u64 = 1024;

/// Why the run is to end, where somebody has put the file `abort` into its folder.
pub(super) fn abort_file(directory: &Path) -> Option<String> {
    let path = directory.join(ABORT_FILE);
    let kind = std::fs::symlink_metadata(&path).ok()?;
    let mut reason = Vec::new();
    // That it is there is the wish; a reason that cannot be read is no reason to go on.
    if kind.is_file()
        && let Ok(file) = std::fs::File::open(&path)
    {
        file.take(ABORT_REASON_BYTES_MAX).read_to_end(&mut reason).ok();
    }
    let reason = String::from_utf8_lossy(&reason).trim().to_owned();
    Some(if reason.is_empty() { "the file `abort` in the run's folder".to_owned() } else { reason })
}
