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
    if let Some(problem) = scenario.notify.as_ref().and_then(|notify| notify.slack_variable().err()) {
        let place = root.key("notify").key("slack");
        checker.tell(place.error("secret-in-file", problem.problem).with_help(problem.remedy));
    }
    if let Some(schedule) = &scenario.schedule {
        check_schedule(checker, root.key("schedule"), schedule);
    }
}

fn check_schedule(checker: &mut Checker<'_>, place: Place<'_>, schedule: &Schedule) {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    if let Err(problem) = parser.parse(&schedule.cron) {
        let message = format!("`{}` is not a schedule: {problem}", schedule.cron);
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
