//! What comes after and around: notices, the schedule, and the review.

use croner::parser::{CronParser, Seconds, Year};

use super::Checker;
use crate::document::Place;
use crate::scenario::schema::Schedule;
use crate::unit::stays_below;
use crate::workspace::check_timezone;

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
    for (path, place) in schedule.freeze_calendars.iter().zip(place.key("freeze_calendars").items()) {
        if !stays_below(path) {
            let message = format!("`{path}` lies outside the workspace");
            checker.tell(
                place
                    .error("path-outside", message)
                    .with_help("put the calendar into the workspace: `calendars/holidays.ics`"),
            );
        } else if !checker.workspace.root.join(path).is_file() {
            checker.tell(place.error("missing-file", format!("there is no calendar `{path}` in the workspace")));
        }
    }
    for (freeze, place) in schedule.freeze.iter().zip(place.key("freeze").items()) {
        if freeze.to < freeze.from {
            let message = format!("the freeze ends on {} before it starts on {}", freeze.to, freeze.from);
            checker.tell(place.key("to").error("impossible-order", message));
        }
    }
}
