//! Game days on a calendar: when scenarios are run, what speaks against a date, and files that bring dates to other programs.
//!
//! Owns: the dates of a `schedule`, freezes, and the exports. Must not know: clocks, runs, environments' state, the terminal. It starts
//! nothing and catches nothing up.

mod calendar;
mod diary;
pub mod export;
mod guard;
mod recurrence;
#[cfg(test)]
mod testing;

pub use calendar::{check_calendar, read_calendar};
pub use diary::{Booking, Collision, DATES_MAX, Dated, Entry, collisions, too_near};
pub use guard::{Guard, GuardError, Objection, Span};
pub use recurrence::{Recurrence, RecurrenceError};
