//! What comes after and around: notices, the schedule, and the review.

use croner::parser::{CronParser, Seconds, Year};

use super::Checker;
use crate::document::Place;
use crate::document::{SourceFile, Tree};
use crate::scenario::schema::{CALENDAR_BYTES_MAX, Schedule};
use crate::unit::{nearest, read_below};
use crate::workspace::{Workspace, check_timezone};

pub(super) fn check(checker: &mut Checker<'_>) {
    let (scenario, root) = (checker.scenario, checker.root);
    if let Some(notify) = &scenario.notify {
        notify.problems(root.key("notify")).into_iter().for_each(|problem| checker.tell(problem));
    }
    if let Some(schedule) = &scenario.schedule {
        check_schedule(checker, root.key("schedule"), schedule);
    }
}

fn check_schedule(checker: &mut Checker<'_>, place: Place<'_>, schedule: &Schedule) {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    if let Err(problem) = parser.parse(&schedule.cron) {
        let why = cron_problem(&schedule.cron).unwrap_or_else(|| problem.to_string());
        let message = format!("`{}` is not a schedule: {why}", schedule.cron);
        let problem = place.key("cron").error("invalid-cron", message.trim_end_matches('.').to_owned());
        checker.tell(problem.with_help("write minute, hour, day, month and weekday, as in `0 10 * * TUE#2`"));
    }
    if let Some(problem) = schedule.timezone.as_deref().map(check_timezone).and_then(Result::err) {
        checker.tell(place.key("timezone").error("unknown-timezone", problem.problem).with_help(problem.remedy));
    }
    for found in schedule.window.iter().flat_map(crate::workspace::Window::problems) {
        let place = place.key("window").key(found.key);
        checker.tell(place.error("invalid-window", found.problem.problem).with_help(found.problem.remedy));
    }
    if schedule.duration.is_some_and(|duration| duration.is_zero()) {
        checker.tell(place.key("duration").error("out-of-range", "a game day that takes no time needs no date"));
    }
    for (freeze, place) in schedule.freeze.iter().zip(place.key("freeze").items()) {
        if freeze.to < freeze.from {
            let message = format!("the freeze ends on {} before it starts on {}", freeze.to, freeze.from);
            checker.tell(place.key("to").error("impossible-order", message));
        }
    }
    check_calendars(checker, place.key("freeze_calendars"), schedule);
    check_neighbours(checker, place.key("not_within"), schedule);
}

/// The fields of a pattern, with the least and the most that may stand there.
const CRON_FIELDS: [(&str, u32, u32); 5] =
    [("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7)];

/// Which field of a pattern is wrong, and what may stand there; none where its reader knows more.
fn cron_problem(cron: &str) -> Option<String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let count = fields.len();
    if count != CRON_FIELDS.len() {
        return Some(format!("it has {count} field{}, and needs five", if count == 1 { "" } else { "s" }));
    }
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let is_wrong = |index: usize, field: &str| {
        let alone = (0..count).map(|other| if other == index { field } else { "*" });
        parser.parse(&alone.collect::<Vec<_>>().join(" ")).is_err()
    };
    let found = fields.iter().zip(CRON_FIELDS).enumerate().find(|(index, (field, _))| is_wrong(*index, field));
    let (_, (field, (name, least, most))) = found?;
    Some(format!("the {name} `{field}` is none; it goes from {least} to {most}"))
}

/// That the calendars are files of the workspace. What is in them is told by `gameday schedule check` and by a run.
fn check_calendars(checker: &mut Checker<'_>, place: Place<'_>, schedule: &Schedule) {
    let root = &checker.workspace.root;
    let problems = schedule.freeze_calendars.iter().zip(place.items()).filter_map(|(path, place)| {
        let problem = read_below(root, path, CALENDAR_BYTES_MAX).err()?;
        Some(place.error("calendar-file", problem.to_string()).with_help("name a calendar (`.ics`) of the workspace"))
    });
    let problems: Vec<_> = problems.collect();
    problems.into_iter().for_each(|problem| checker.tell(problem));
}

fn check_neighbours(checker: &mut Checker<'_>, place: Place<'_>, schedule: &Schedule) {
    if schedule.not_within.is_empty() {
        return;
    }
    let known = scenario_ids(checker.workspace);
    for (rule, place) in schedule.not_within.iter().zip(place.items()) {
        let of = rule.of.as_str();
        if rule.of == checker.scenario.id {
            let problem = place.key("of").error("impossible-order", format!("`{of}` can not keep away from itself"));
            checker.tell(problem.with_help("name another scenario"));
        } else if !known.iter().any(|id| id == of) {
            let message = format!("no scenario of the workspace is called `{of}`");
            let near = nearest(of, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            checker.tell(place.key("of").error("unknown-scenario", message).with_help_if(near));
        }
        if rule.within.is_zero() {
            let problem = place.key("within").error("out-of-range", "nothing is within no time");
            checker.tell(problem.with_help("say how far they stay apart, as in `24h`"));
        }
    }
}

/// The ids of the workspace's scenarios, whatever else is wrong with their files.
fn scenario_ids(workspace: &Workspace) -> Vec<String> {
    let id = |path: &std::path::PathBuf| {
        let source = SourceFile::read(path).ok()?;
        let tree = Tree::parse(&source, &mut Vec::new())?;
        Some(tree.scalar(tree.entry(tree.root(), "id")?)?.1.to_owned())
    };
    workspace.scenario_files().iter().filter_map(id).collect()
}

#[cfg(test)]
mod tests {
    use super::cron_problem;

    #[test]
    fn the_wrong_field_of_a_pattern_is_named_with_its_range() {
        for (cron, told) in [
            ("61 10 * * MON", "the minute `61` is none; it goes from 0 to 59"),
            ("0 24 * * *", "the hour `24` is none; it goes from 0 to 23"),
            ("0 0 1 13 *", "the month `13` is none; it goes from 1 to 12"),
            ("0 10 * *", "it has 4 fields, and needs five"),
        ] {
            assert_eq!(cron_problem(cron).as_deref(), Some(told));
        }
        assert_eq!(cron_problem("0 10 * * TUE#2"), None);
    }
}
