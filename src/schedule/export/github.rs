//! A workflow of GitHub Actions that runs the scenario.
//!
//! GitHub: `schedule` takes five fields of POSIX cron, at most every five minutes, and a `timezone`; it may begin late, and of a
//! public repository without activity it ends after 60 days ("Events that trigger workflows").

use serde_json::json;

use super::pattern::{Fields, list};
use super::{ExportError, Job};

const FORMAT: &str = "GitHub Actions";

/// What is kept of a run: all but what undoes its changes, which may hold secrets.
const ARTIFACTS: &str = "reports\n!reports/*/undo/**";

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
                {"uses": "actions/upload-artifact@v4", "if": "always()", "with": {"name": "reports", "path": ARTIFACTS}},
            ],
        }},
    });
    let needs = "# It needs the repository's variables GAMEDAY_ROLE_ARN (a role that trusts GitHub's OIDC), GAMEDAY_REGION, and\n\
                 # GAMEDAY_INSTALL (a command that installs gameday).\n";
    Ok(format!("{needs}{}", job.to_yaml(&workflow)))
}

fn cron(job: &Job<'_>) -> Result<String, ExportError> {
    let fields = Fields::of(&job.entry.recurrence.cron);
    let Fields { days, weekdays, minutes, hours, .. } = &fields;
    if !weekdays.nth.is_empty() || !weekdays.last.is_empty() || days.has_last || days.has_nearest || fields.is_both {
        let why = "it has no `#`, `L`, `W` and `+`, and a weekly start would be the wrong one three times of four; use `--to eventbridge` \
                   or `--to systemd`, which have them, or a day of the month";
        return Err(job.refuse(FORMAT, why));
    }
    if is_too_often(minutes, hours) {
        return Err(job.refuse(FORMAT, "it starts nothing more often than every five minutes"));
    }
    let day = if days.is_any { "*".to_owned() } else { list(&days.values, 31) };
    let weekday = if weekdays.is_any { "*".to_owned() } else { list(&weekdays.values, 7) };
    // Of two fields a day must match one, but for `*`, which asks for nothing: where one of them has all days, so has the pattern.
    let is_every_day = !days.is_any && !weekdays.is_any && (day == "*" || weekday == "*");
    let (day, weekday) = if is_every_day { ("*".to_owned(), "*".to_owned()) } else { (day, weekday) };
    let (minutes, hours, months) = (list(minutes, 60), list(hours, 24), list(&fields.months, 12));
    Ok(format!("{minutes} {hours} {day} {months} {weekday}"))
}

/// Whether two dates are nearer to each other than GitHub takes, also across the end of an hour.
fn is_too_often(minutes: &[u16], hours: &[u16]) -> bool {
    let is_near = |one: u16, other: u16| other - one < MINUTES_APART_MIN;
    let within = minutes.windows(2).any(|two| matches!(two, [one, other] if is_near(*one, *other)));
    let follow = hours.iter().any(|hour| hours.contains(&((hour + 1) % 24)));
    let across = minutes.first().zip(minutes.last()).is_some_and(|(first, last)| is_near(*last, first + 60));
    within || (follow && across)
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
            ("0 10 13 * FRI", "0 10 13 * 5"),
            ("0 10 1-31 * TUE", "0 10 * * *"),
            ("0 10 13 * 0-6", "0 10 * * *"),
            ("58,0 10,12 * * *", "0,58 10,12 * * *"),
        ] {
            assert_eq!(of(cron).as_deref(), Ok(expected), "{cron}");
        }
        for cron in ["0 10 * * TUE#2", "0 10 L * *", "0 10 15W * *", "0 10 13 * +FRI", "0 10 * * FRI#L"] {
            assert!(of(cron).unwrap_err().contains("it has no `#`, `L`, `W` and `+`"), "{cron}");
        }
        for cron in ["* * * * *", "58,0 * * * *", "58,0 23,0 * * *"] {
            assert!(of(cron).unwrap_err().contains("every five minutes"), "{cron}");
        }
    }

    #[test]
    fn what_undoes_a_run_is_not_uploaded() {
        let mut entry = entry("a", "{cron: 0 10 * * *}");
        entry.scenario.mode = Mode::Regression;
        let text = workflow(&Job::of(&entry, &staging(), now()).unwrap()).unwrap();
        let read: serde_json::Value = serde_yaml::from_str(&text).unwrap();
        let steps = read["jobs"]["run"]["steps"].as_array().unwrap();
        let upload = steps.iter().find(|step| step["uses"] == "actions/upload-artifact@v4").unwrap();
        assert_eq!(upload["with"]["path"], "reports\n!reports/*/undo/**");
    }
}
