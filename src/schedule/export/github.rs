//! A workflow of GitHub Actions that runs the scenario.
//!
//! GitHub: `schedule` takes five fields of POSIX cron, at most every five minutes, and a `timezone`; it may begin late, and of a
//! public repository without activity it ends after 60 days ("Events that trigger workflows").

use serde_json::json;

use super::pattern::{Fields, list};
use super::{ExportError, Job};

const FORMAT: &str = "GitHub Actions";

/// The shortest time between two dates.
const MINUTES_APART_MIN: u16 = 5;

/// The workflow, as YAML.
///
/// # Errors
/// A pattern that GitHub can not express exactly.
pub fn workflow(job: &Job<'_>) -> Result<String, ExportError> {
    let workflow = json!({
        "name": format!("gameday {}", job.id()),
        "on": {"schedule": [{"cron": cron(job)?, "timezone": job.entry.recurrence.zone.name()}]},
        "permissions": {"contents": "read", "id-token": "write"},
        "concurrency": {"group": format!("gameday-{}", job.environment.replace('/', "-")), "cancel-in-progress": false},
        "jobs": {"run": {
            "runs-on": "ubuntu-latest",
            "timeout-minutes": 360,
            "steps": [
                {"uses": "actions/checkout@v4"},
                {"uses": "aws-actions/configure-aws-credentials@v4", "with": {
                    "role-to-assume": "${{ vars.GAMEDAY_ROLE_ARN }}",
                    "aws-region": "${{ vars.GAMEDAY_REGION }}",
                }},
                {"name": "Install gameday", "run": "eval \"$INSTALL\"", "env": {"INSTALL": "${{ vars.GAMEDAY_INSTALL }}"}},
                {"run": job.command()},
                {"uses": "actions/upload-artifact@v4", "if": "always()", "with": {"name": "reports", "path": "reports"}},
            ],
        }},
    });
    let needs = "# It needs the repository's variables GAMEDAY_ROLE_ARN (a role that trusts GitHub's OIDC), GAMEDAY_REGION, and\n\
                 # GAMEDAY_INSTALL (a command that installs gameday).\n";
    Ok(format!("{needs}{}", job.to_yaml(&workflow)))
}

fn cron(job: &Job<'_>) -> Result<String, ExportError> {
    let fields = Fields::of(&job.entry.recurrence.cron);
    let Fields { days, weekdays, minutes, .. } = &fields;
    if !weekdays.nth.is_empty() || !weekdays.last.is_empty() || days.has_last || days.has_nearest || fields.is_both {
        let why = "it has no `#`, `L`, `W` and `+`, and a weekly start would be the wrong one three times of four; use `--to eventbridge` \
                   or `--to systemd`, which have them, or a day of the month";
        return Err(job.refuse(FORMAT, why));
    }
    if minutes.windows(2).any(|two| matches!(two, [one, other] if other - one < MINUTES_APART_MIN)) {
        return Err(job.refuse(FORMAT, "it starts nothing more often than every five minutes"));
    }
    let day = if days.is_any { "*".to_owned() } else { list(&days.values, 31) };
    let weekday = if weekdays.is_any { "*".to_owned() } else { list(&weekdays.values, 7) };
    let (minutes, hours, months) = (list(minutes, 60), list(&fields.hours, 24), list(&fields.months, 12));
    Ok(format!("{minutes} {hours} {day} {months} {weekday}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::now;
    use super::*;
    use crate::scenario::Mode;
    use crate::schedule::testing::{entry, staging};

    fn of(cron_text: &str) -> Result<String, String> {
        let mut entry = entry("a", &format!("{{cron: '{cron_text}'}}"));
        entry.scenario.mode = Mode::Regression;
        cron(&Job::of(&entry, &staging(), now()).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn patterns_are_translated_exactly_or_refused() {
        for (cron, expected) in [
            ("0 10 * * TUE", "0 10 * * 2"),
            ("*/15 8-10 1 JAN SUN", "0,15,30,45 8,9,10 1 1 0"),
            ("0 10 ? * 7", "0 10 * * 0"),
        ] {
            assert_eq!(of(cron).as_deref(), Ok(expected), "{cron}");
        }
        for cron in ["0 10 * * TUE#2", "0 10 L * *", "0 10 15W * *", "0 10 13 * +FRI", "0 10 * * FRI#L"] {
            assert!(of(cron).unwrap_err().contains("it has no `#`, `L`, `W` and `+`"), "{cron}");
        }
        assert!(of("* * * * *").unwrap_err().contains("every five minutes"));
    }
}
