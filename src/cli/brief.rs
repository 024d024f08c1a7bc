//! `gameday brief`: one page that is read out before a game day: aim, rules, roles, times.

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta};
use chrono_tz::Tz;
use clap::{Args, ValueEnum};

use super::{Exit, Failure, actions, lessons, out, plan, workspace};
use crate::plan::{Action, Plan};
use crate::scenario::{
    Checked, Mode, NEUTRAL_TITLE, NO_BLAME, SAY, STOP, Scenario, invitation_contacts, invitation_roles,
    invitation_rules,
};
use crate::schedule::{DATES_MAX, Guard, Recurrence};
use crate::unit::{Clock, TEXT_CHARS_MAX, format_duration, printable_line};
use crate::workspace::{Workload, Workspace};

/// How far ahead the next date is looked for.
const AHEAD: TimeDelta = TimeDelta::days(366);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file.
    scenario: PathBuf,
    /// The environment of gameday.yaml that it is for.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Who reads it. Participants see nothing that tells what will happen: no title, no aim, no belief, no bound, no phase, no load, no
    /// inject, no component.
    #[arg(long = "for", value_enum, default_value = "everybody")]
    reader: Reader,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reader {
    /// All of it.
    Everybody,
    /// What does not give the game away.
    Participant,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let workspace = workspace::discover(&arguments.scenario)?;
    let environment = workspace::environment(&workspace, &arguments.env)?;
    let checked = plan::load(&arguments.scenario, &workspace, environment)?;
    let plan = plan::compile(&checked, &workspace, environment)?;
    let page = match arguments.reader {
        Reader::Participant => {
            let date = next_date(&checked, &workspace)?;
            invitation(&checked.scenario, &plan, workspace.workload.as_ref(), date)
        }
        Reader::Everybody => {
            let mut page = page(&plan, workspace.workload.as_ref());
            let unsettled = lessons::touched_by(&plan, &workspace.root);
            let overdue = actions::overdue_of(&plan, &workspace.root);
            for (title, lines) in
                [("Lessons that nobody has settled", unsettled), ("Actions that are overdue", overdue)]
            {
                if !lines.is_empty() {
                    section(&mut page, title, lines.iter().map(|line| console::strip_ansi_codes(line).into_owned()));
                }
            }
            page
        }
    };
    lines(&page).for_each(out::line);
    Ok(Exit::Success)
}

/// The lines of a page, fit for a terminal.
fn lines(page: &str) -> impl Iterator<Item = String> {
    page.lines().map(|line| printable_line(line, TEXT_CHARS_MAX))
}

/// The next date of the schedule against which nothing of its own speaks.
fn next_date(checked: &Checked, workspace: &Workspace) -> Result<Option<DateTime<Tz>>, Failure> {
    let Some(schedule) = &checked.scenario.schedule else { return Ok(None) };
    let now = Clock::start().now();
    let recurrence = Recurrence::of(schedule).map_err(|error| Failure::from_error(&error))?;
    let until = now + AHEAD;
    let guard = Guard::of(&checked.scenario, &workspace.root, now, until).map_err(super::schedules::not_guarded)?;
    if guard.as_ref().is_some_and(|guard| guard.neighbours().next().is_some()) {
        // What other scenarios leave of the calendar is for `gameday schedule next` to tell.
        return Ok(None);
    }
    let is_allowed = |at: &DateTime<Tz>| guard.as_ref().is_none_or(|guard| guard.objections(at.to_utc()).is_empty());
    Ok(recurrence.from(now).take(DATES_MAX).take_while(|at| *at < until).find(is_allowed))
}

/// What those who take part read: nothing of it tells what will happen.
fn invitation(scenario: &Scenario, plan: &Plan, workload: Option<&Workload>, date: Option<DateTime<Tz>>) -> String {
    let environment = &plan.environment;
    let mut page = format!("# {NEUTRAL_TITLE}\n");
    if let Some(workload) = workload {
        write!(page, "\n{}\n", one_line(&workload.purpose)).expect("invariant: a string takes all");
    }
    let mut rules: Vec<String> = invitation_rules(scenario).into_iter().map(str::to_owned).collect();
    rules.push(format!("It takes place in `{}`{}.", environment.name, environment.kind.in_words()));
    if environment.rules.is_production {
        rules.push("Customers depend on this environment.".to_owned());
    }
    section(&mut page, "Rules", rules.into_iter());
    section(&mut page, "Roles", invitation_roles(scenario).into_iter());
    let contacts = workload.map(invitation_contacts).unwrap_or_default();
    if !contacts.is_empty() {
        section(&mut page, "Where to talk", contacts.into_iter());
    }
    let mut times: Vec<String> =
        date.map(|date| date.format("begins on %a %Y-%m-%d at %H:%M %Z").to_string()).into_iter().collect();
    times.push(format!("takes {}; then every change is undone and read back", format_duration(plan.length())));
    times.extend(debrief(plan));
    section(&mut page, "Times", times.into_iter());
    page
}

/// The talk right after the run.
fn debrief(plan: &Plan) -> Option<String> {
    let hot_wash = plan.debrief.as_ref()?.hot_wash?;
    Some(format!("right after: {hot_wash} of debrief"))
}

fn section(page: &mut String, title: &str, lines: impl Iterator<Item = String>) {
    write!(page, "\n## {title}\n\n").expect("invariant: a string takes all");
    for line in lines {
        writeln!(page, "- {}", one_line(&line)).expect("invariant: a string takes all");
    }
}

/// A text on one line: what a scenario says may have several.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn page(plan: &Plan, workload: Option<&Workload>) -> String {
    let scenario = &plan.scenario;
    let mut page = format!("# {}\n", one_line(&scenario.title));
    if let Some(workload) = workload {
        write!(page, "\n{}\n", one_line(&workload.purpose)).expect("invariant: a string takes all");
    }
    if let Some(why) = &scenario.why {
        write!(page, "\n{}\n", one_line(why)).expect("invariant: a string takes all");
    }
    let believed = plan
        .hypotheses
        .iter()
        .map(|hypothesis| format!("{}: {} ({})", hypothesis.id, hypothesis.text, hypothesis.expect));
    section(&mut page, "What we believe, and look at", believed);
    section(&mut page, "Rules", rules(plan).into_iter());
    let people = scenario.people.iter().map(|(role, person)| {
        let blind = if person.blind { ", is not told of the faults" } else { "" };
        format!("{role}: {}{blind}", person.who)
    });
    let owner = std::iter::once(format!("owner of the scenario: {}", scenario.owner));
    section(&mut page, "Roles", owner.chain(people));
    let contacts: Vec<String> = workload.map(|workload| contacts(plan, workload)).unwrap_or_default();
    if !contacts.is_empty() {
        section(&mut page, "Who owns what", contacts.into_iter());
    }
    section(&mut page, "Times", times(plan).into_iter());
    page
}

fn rules(plan: &Plan) -> Vec<String> {
    let environment = &plan.environment;
    let mut rules = vec![
        STOP.to_owned(),
        NO_BLAME.to_owned(),
        SAY.to_owned(),
        format!("It takes place in `{}`{}.", environment.name, environment.kind.in_words()),
    ];
    if plan.scenario.mode == Mode::Tabletop {
        rules.push("Nothing is injected: faults are told.".to_owned());
    }
    if environment.rules.is_production {
        rules.push("Customers depend on this environment.".to_owned());
    }
    let guardrails = plan.guardrails.iter().map(|guardrail| format!("It ends by itself if {}.", guardrail.rule));
    rules.extend(guardrails);
    rules
}

fn contacts(plan: &Plan, workload: &Workload) -> Vec<String> {
    let components = lessons::components(plan).iter().filter_map(|name| Some((name, workload.components.get(name)?)));
    let row = |(name, component): (&crate::unit::ComponentId, &crate::workspace::Component)| {
        let contact = workload.teams.get(&component.owner).and_then(|team| team.contact.clone());
        let contact = contact.map(|contact| format!(" ({contact})")).unwrap_or_default();
        let value = component.value.as_ref().map(|value| format!(": {value}")).unwrap_or_default();
        format!("{name}, {}{contact}{value}", component.owner)
    };
    components.map(row).collect()
}

fn times(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, phase) in plan.phases.iter().enumerate() {
        lines.push(format!("{} {}, {}", format_duration(phase.start.0), phase.phase, phase.length));
        for step in &phase.checklist {
            let owner = step.owner.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
            let within = step.within.as_ref().map(|within| format!(", within {within}")).unwrap_or_default();
            lines.push(format!("… {owner}{}{within}", step.text));
        }
        let actions = plan.steps.iter().filter(|step| step.phase == index);
        lines.extend(actions.map(|step| format!("… {} {}", format_duration(step.start.0), action(&step.action))));
    }
    lines.push(format!("{} the end: every change is undone and read back", format_duration(plan.length())));
    lines.extend(debrief(plan));
    lines
}

fn action(action: &Action) -> String {
    match action {
        // Whoever reads this wants the words, not the name.
        Action::DeliverInject { to, text, .. } => format!("to {to}: {text}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::Sketch;

    #[test]
    fn no_text_of_a_scenario_moves_the_cursor_or_makes_a_line_of_a_page() {
        let hostile = "odd\u{1b}[2J\n- no blame\r\u{9b}1A\u{2028}\u{85}## Rules\u{202e}";
        let mut plan = Sketch::new(Mode::Drill)
            .person("responder", true, false)
            .phase("only", 10)
            .person_step("claim", None, true, false)
            .hypothesis("H1", "min(ok) >= 90%", &[])
            .plan();
        let tame = lines(&page(&plan, None)).count();
        hostile.clone_into(&mut plan.scenario.title);
        hostile.clone_into(&mut plan.hypotheses[0].text);
        hostile.clone_into(&mut plan.phases[0].checklist[0].text);
        plan.scenario.people.values_mut().for_each(|person| hostile.clone_into(&mut person.who));
        let lines: Vec<String> = lines(&page(&plan, None)).collect();
        let shown = "odd\\u{1b}[2J - no blame \\u{9b}1A ## Rules\\u{202e}";
        assert_eq!(lines.iter().filter(|line| line.contains(shown)).count(), 4, "{lines:#?}");
        assert!(lines.len() == tame && lines.iter().all(|line| !line.contains(char::is_control)), "{lines:#?}");
    }
}
