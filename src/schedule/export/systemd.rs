//! A timer of systemd and the service that it starts.
//!
//! systemd.time(7): a weekday and a date in one `OnCalendar=` must both match, several such lines are alternatives, `~` counts days from
//! the month's end, and `Tue *-*-08..14` is the second Tuesday.

use std::path::Path;

use super::pattern::{Fields, list, plain};
use super::{ExportError, Job, plain_name};

const FORMAT: &str = "systemd";

const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// The two units of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The text of the `.timer`.
    pub timer: String,
    /// The text of the `.service`.
    pub service: String,
}

/// The timer and the service, which works in the folder `root` and begins the program at `program`.
///
/// # Errors
/// A pattern that systemd can not express exactly, or a path that can not be written into a command.
pub fn units(job: &Job<'_>, root: &Path, program: &Path) -> Result<Units, ExportError> {
    let lines: String = calendar(job)?.iter().map(|line| format!("OnCalendar={line}\n")).collect();
    let comment = job.comment();
    let id = job.id();
    let (root, program) = (plain_name(&root.to_string_lossy())?, plain_name(&program.to_string_lossy())?);
    let command = job.command();
    let command = command.strip_prefix("gameday ").unwrap_or(&command);
    let timer = format!(
        "{comment}[Unit]\nDescription=Dates of the game day scenario {id}\n\n[Timer]\n{lines}AccuracySec=1s\nPersistent=false\n\n\
         [Install]\nWantedBy=timers.target\n"
    );
    let service = format!(
        "{comment}[Unit]\nDescription=Game day scenario {id}\nWants=network-online.target\nAfter=network-online.target\n\n\
         [Service]\nType=oneshot\nWorkingDirectory={root}\nExecStart={program} {command}\n\
         # The run undoes what it has done when it is told to end.\nKillSignal=SIGTERM\nKillMode=mixed\nTimeoutStopSec=15min\n"
    );
    Ok(Units { timer, service })
}

fn calendar(job: &Job<'_>) -> Result<Vec<String>, ExportError> {
    let fields = Fields::of(&job.entry.recurrence.cron);
    let Fields { days, weekdays, .. } = &fields;
    if days.has_nearest {
        return Err(job.refuse(FORMAT, "`W` is not translated; name the days"));
    }
    let names = |values: &[u16]| {
        let names = values.iter().filter_map(|day| WEEKDAYS.get(usize::from(*day)).copied());
        names.collect::<Vec<_>>().join(",")
    };
    let of_days = || {
        let listed = (!days.values.is_empty()).then(|| format!("-{}", plain(&days.values)));
        listed.into_iter().chain(days.has_last.then(|| "~01".to_owned()))
    };
    // Each is the weekdays, and the day of the month with its sign.
    let mut dates: Vec<(String, String)> = Vec::new();
    if fields.is_both && !days.is_any && !weekdays.is_any {
        if !weekdays.nth.is_empty() || !weekdays.last.is_empty() {
            return Err(job.refuse(FORMAT, "`+` with `#` or `L` is not translated; name the days"));
        }
        dates.extend(of_days().map(|day| (names(&weekdays.values), day)));
    } else {
        if !days.is_any {
            dates.extend(of_days().map(|day| (String::new(), day)));
        }
        if !weekdays.is_any {
            let plain = (!weekdays.values.is_empty()).then(|| (names(&weekdays.values), "-*".to_owned()));
            let nth = weekdays.nth.iter().map(|(day, nth)| {
                let first = 7 * (nth - 1) + 1;
                let last = (first + 6).min(31);
                (names(&[*day]), format!("-{first:02}..{last:02}"))
            });
            let last = weekdays.last.iter().map(|day| (names(&[*day]), "~07/1".to_owned()));
            dates.extend(plain.into_iter().chain(nth).chain(last));
        }
        if days.is_any && weekdays.is_any {
            dates.push((String::new(), "-*".to_owned()));
        }
    }
    let (minutes, hours, months) = (list(&fields.minutes, 60), list(&fields.hours, 24), list(&fields.months, 12));
    let zone = job.entry.recurrence.zone.name();
    let line = |(weekdays, day): (String, String)| {
        let weekdays = if weekdays.is_empty() { weekdays } else { format!("{weekdays} ") };
        format!("{weekdays}*-{months}{day} {hours}:{minutes}:00 {zone}")
    };
    Ok(dates.into_iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::super::tests::now;
    use super::*;
    use crate::scenario::Mode;
    use crate::schedule::testing::{entry, staging};

    fn of(cron: &str) -> Result<Vec<String>, String> {
        let mut entry = entry("a", &format!("{{cron: '{cron}', timezone: Europe/Helsinki}}"));
        entry.scenario.mode = Mode::Regression;
        calendar(&Job::of(&entry, &staging(), now()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn patterns_are_translated_exactly_or_refused() {
        for (cron, expected) in [
            ("0 10 * * TUE#2", &["Tue *-*-08..14 10:0:00 Europe/Helsinki"][..]),
            ("0 10 * * TUE#5", &["Tue *-*-29..31 10:0:00 Europe/Helsinki"]),
            ("0 10 * * SUN#L", &["Sun *-*~07/1 10:0:00 Europe/Helsinki"]),
            ("0 10 L 2 *", &["*-2~01 10:0:00 Europe/Helsinki"]),
            ("*/30 10 1 * MON,FRI", &["*-*-1 10:0,30:00 Europe/Helsinki", "Mon,Fri *-*-* 10:0,30:00 Europe/Helsinki"]),
            ("0 10 13 * +FRI", &["Fri *-*-13 10:0:00 Europe/Helsinki"]),
            ("* * * * *", &["*-*-* *:*:00 Europe/Helsinki"]),
        ] {
            assert_eq!(of(cron).unwrap(), expected, "{cron}");
        }
        assert!(of("0 10 15W * *").unwrap_err().contains("`W` is not translated"));
        assert!(of("0 10 13 * +FRI#2").unwrap_err().contains("`+` with `#` or `L`"));
    }
}
