//! `gameday brief`: one page that is read out before a game day: aim, rules, roles, times.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Exit, Failure, actions, lessons, out, plan, workspace};
use crate::plan::{Action, Plan};
use crate::scenario::Mode;
use crate::unit::{format_duration, printable};
use crate::workspace::Workload;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario file.
    scenario: PathBuf,
    /// The environment of gameday.yaml that it is for.
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    env: String,
    /// Who reads it. Participants see nothing that tells of faults: no belief, no bound, no phase's name, no load, no inject.
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
    let is_blind = arguments.reader == Reader::Participant;
    let mut page = page(&plan, workspace.workload.as_ref(), is_blind);
    if !is_blind {
        let unsettled = lessons::touched_by(&plan, &workspace.root);
        let overdue = actions::overdue_of(&plan, &workspace.root);
        for (title, lines) in [("Lessons that nobody has settled", unsettled), ("Actions that are overdue", overdue)] {
            if !lines.is_empty() {
                section(&mut page, title, lines.iter().map(|line| console::strip_ansi_codes(line).into_owned()));
            }
        }
    }
    page.lines().for_each(|line| out::line(printable(line)));
    Ok(Exit::Success)
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

fn page(plan: &Plan, workload: Option<&Workload>, is_blind: bool) -> String {
    let scenario = &plan.scenario;
    let mut page = format!("# {}\n", one_line(&scenario.title));
    if let Some(workload) = workload {
        write!(page, "\n{}\n", one_line(&workload.purpose)).expect("invariant: a string takes all");
    }
    if let Some(why) = scenario.why.as_ref().filter(|_| !is_blind) {
        write!(page, "\n{}\n", one_line(why)).expect("invariant: a string takes all");
    }
    let believed = plan
        .hypotheses
        .iter()
        .map(|hypothesis| format!("{}: {} ({})", hypothesis.id, hypothesis.text, hypothesis.expect));
    if !is_blind {
        section(&mut page, "What we believe, and look at", believed);
    }
    section(&mut page, "Rules", rules(plan, is_blind).into_iter());
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
    section(&mut page, "Times", times(plan, is_blind).into_iter());
    page
}

fn rules(plan: &Plan, is_blind: bool) -> Vec<String> {
    let environment = &plan.environment;
    let mut rules = vec![
        "Anybody may end it, at any time and for no reason: say “abort”, or type `gameday abort`.".to_owned(),
        "Nobody is judged: we look at what the system and the tools let people see.".to_owned(),
        "Say what you see when you see it: `gameday mark detected`, `gameday ack`, `gameday note`.".to_owned(),
        format!("It takes place in `{}`{}.", environment.name, environment.kind.in_words()),
    ];
    if plan.scenario.mode == Mode::Tabletop {
        rules.push("Nothing is injected: faults are told.".to_owned());
    }
    if environment.rules.is_production {
        rules.push("Customers depend on this environment.".to_owned());
    }
    let guardrails = plan.guardrails.iter().map(|guardrail| format!("It ends by itself if {}.", guardrail.rule));
    if is_blind {
        rules.push("It ends by itself where it goes too far.".to_owned());
    } else {
        rules.extend(guardrails);
    }
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

fn times(plan: &Plan, is_blind: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, phase) in plan.phases.iter().enumerate() {
        // Phases are named after what is done in them.
        let name = if is_blind { format!("phase {}", index + 1) } else { phase.phase.to_string() };
        lines.push(format!("{} {name}, {}", format_duration(phase.start.0), phase.length));
        for step in &phase.checklist {
            let owner = step.owner.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
            let within = step.within.map(|within| format!(", within {within}")).unwrap_or_default();
            if !is_blind {
                lines.push(format!("… {owner}{}{within}", step.text));
            }
        }
        let actions = plan.steps.iter().filter(|step| step.phase == index && !is_blind);
        lines.extend(actions.map(|step| format!("… {} {}", format_duration(step.start.0), action(&step.action))));
    }
    lines.push(format!("{} the end: every change is undone and read back", format_duration(plan.length())));
    if let Some(hot_wash) = plan.debrief.as_ref().and_then(|debrief| debrief.hot_wash) {
        lines.push(format!("right after: {hot_wash} of debrief"));
    }
    lines
}

fn action(action: &Action) -> String {
    match action {
        Action::StartLoad(load) => format!("load {load}"),
        Action::StopLoad(load) => format!("stop load {load}"),
        Action::InjectFault { fault, .. } => format!("fault {fault}"),
        Action::UndoFault(fault) => format!("undo {fault}"),
        Action::DeliverInject { to, text, .. } => format!("to {to}: {text}"),
    }
}
