//! What commands share about schedules: the calendars that one names, and what it allows.

use std::path::Path;

use crate::scenario::Schedule;
use crate::schedule::{Freeze, Guard, freezes_of_calendar};
use crate::unit::{error_chain, read_below};

/// The longest calendar that is read.
const CALENDAR_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a schedule allows, its calendars included.
///
/// # Errors
/// In words: a calendar can not be read, or is not understood. Whatever it says would be passed over.
pub(super) fn guard(schedule: &Schedule, root: &Path) -> Result<Guard, String> {
    let mut freezes = Vec::new();
    for path in &schedule.freeze_calendars {
        freezes.extend(calendar(path, schedule, root)?);
    }
    Guard::of(schedule, freezes).map_err(|error| error_chain(&error))
}

/// The freezes of one calendar of the workspace.
pub(super) fn calendar(path: &str, schedule: &Schedule, root: &Path) -> Result<Vec<Freeze>, String> {
    let bytes = read_below(root, path, CALENDAR_BYTES_MAX).map_err(|error| error_chain(&error))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("calendar `{path}` is no text (UTF-8)"))?;
    freezes_of_calendar(&text, schedule).map_err(|error| format!("calendar `{path}`: {}", error_chain(&error)))
}
