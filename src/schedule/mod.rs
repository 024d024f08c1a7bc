//! Game days on a calendar: when a scenario's `schedule` falls, which of these dates are allowed, and invitations to them.
//!
//! Owns: dates from a cron pattern and a time zone, what refuses a date, calendars of freezes, iCalendar. Must not know: runs, and what
//! time it is: whoever asks says so. Nothing here starts anything.

mod date;
mod freeze;
mod guard;
mod invite;

pub use self::date::{ScheduleError, dates};
pub use self::freeze::{CalendarError, Freeze, freezes_of_calendar, inline_freezes};
pub use self::guard::{Guard, LastRun, Refusal};
pub use self::invite::{Event, calendar};
