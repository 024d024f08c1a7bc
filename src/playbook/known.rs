//! What a playbook names must be there, its commands must be commands, and somebody must have tried it. Must not know: how runs and
//! scenarios are kept; it is told what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use regex::Regex;

use super::link::dead;
use super::shell::Parsed;
use super::{Part, PartKind, Playbook, PlaybookCommand, Shell};
use crate::document::{Diagnostic, SourceFile, Span, Tree};
use crate::unit::{QUESTIONS, alarm_matches, nearest, plural};

/// How long ago a playbook may have been exercised before that is told.
const STALE_DAYS: i64 = 180;

/// What the operations of the AWS CLI begin with that only look.
const LOOKS: &[&str] = &[
    "batch-get-",
    "decode-",
    "describe-",
    "estimate-",
    "filter-",
    "get-",
    "head-",
    "list-",
    "lookup-",
    "ls",
    "query",
    "scan",
    "search-",
    "select-",
    "simulate-",
    "start-query",
    "stop-query",
    "tail",
    "test-",
    "validate-",
    "view-",
    "wait",
    "help",
];

/// What there is around playbooks.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The workspace's folder.
    pub root: PathBuf,
    /// The teams of the workload; none where it names none.
    pub teams: Option<BTreeSet<String>>,
    /// The components of the workload; none where it names none.
    pub components: Option<BTreeSet<String>>,
    /// The alarms of environments and scenarios, and where they stand.
    pub alarms: Vec<AlarmPlace>,
    /// The roles of the scenarios that use a playbook, by the playbook.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    /// The roles of all scenarios.
    pub all_roles: BTreeSet<String>,
    /// When playbooks were last exercised.
    pub exercised: BTreeMap<String, DateTime<Utc>>,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// An alarm, or a pattern for several, where a file names it.
#[derive(Debug, Clone)]
pub struct AlarmPlace {
    /// Its name.
    pub name: String,
    /// The file.
    pub source: Arc<SourceFile>,
    /// The place.
    pub span: Span,
    /// Whether somebody is called by it, and so needs a playbook.
    pub calls: bool,
}

impl Known {
    /// What is wrong or doubtful in a playbook besides its form.
    #[must_use]
    pub fn check(&self, playbook: &Playbook) -> Vec<Diagnostic> {
        let mut problems = self.front_matter(playbook);
        for part in &playbook.outline.parts {
            match &part.kind {
                PartKind::Step(number) => problems.extend(self.roles(playbook, *number, part)),
                PartKind::Command(number) => {
                    problems.extend(playbook.commands.get(*number).and_then(|it| command(playbook, it, part)));
                    problems.extend(playbook.commands.get(*number).and_then(|it| changes(playbook, it, part)));
                }
                PartKind::Heading { .. } | PartKind::Prose { .. } | PartKind::Code(_) => {}
            }
        }
        let path = Path::new(playbook.source.name());
        for link in &playbook.outline.links {
            if let Some(found) = dead(&link.to, path, &self.root, &playbook.outline) {
                let problem = Diagnostic::error(&playbook.source, link.span.clone(), "dead-link", found.message);
                problems.push(problem.with_help_if(found.help));
            }
        }
        problems.sort_by_key(|problem| problem.span.start);
        problems
    }

    /// Alarms that call somebody who then has no playbook.
    #[must_use]
    pub fn without_playbook(&self, playbooks: &[Playbook]) -> Vec<Diagnostic> {
        let mut told = BTreeSet::new();
        let mut problems = Vec::new();
        for alarm in self.alarms.iter().filter(|alarm| alarm.calls) {
            let names = || playbooks.iter().flat_map(|playbook| &playbook.alarms);
            if names().any(|name| is_same(name.as_str(), &alarm.name)) || !told.insert(&alarm.name) {
                continue;
            }
            let message = format!("no playbook is for the alarm `{}`", alarm.name);
            let near = nearest(&alarm.name, names().map(|name| name.as_str()));
            let help = near.map_or_else(
                || format!("name it in a playbook: `alarms: [{}]`", alarm.name),
                |near| format!("a playbook is for `{near}`: is it the same?"),
            );
            let problem = Diagnostic::warning(&alarm.source, alarm.span.clone(), "alarm-without-playbook", message);
            problems.push(problem.with_help(help));
        }
        problems
    }

    fn front_matter(&self, playbook: &Playbook) -> Vec<Diagnostic> {
        let source = &playbook.source;
        let Some((tree, _)) = Tree::front_matter(source, &mut Vec::new()) else { return Vec::new() };
        let of = |key: &str| tree.entry(tree.root(), key);
        let mut problems = Vec::new();
        let mut tell = |span: Span, code: &'static str, what: &str, name: &str, known: &BTreeSet<String>| {
            let near = nearest(name, known.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"));
            let all = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let message = format!("there is no {what} in workload.yaml called `{name}`");
            let help = near.unwrap_or_else(|| format!("there are {all}"));
            problems.push(Diagnostic::error(source, span, code, message).with_help(help));
        };
        if let (Some(owner), Some(teams), Some(place)) = (&playbook.owner, &self.teams, of("owner"))
            && !teams.contains(owner)
        {
            tell(tree.span(place), "unknown-team", "team", owner, teams);
        }
        let items = |key: &str| of(key).map(|list| tree.children(list)).unwrap_or_default();
        if let Some(components) = &self.components {
            for (component, place) in playbook.components.iter().zip(items("components")) {
                if !components.contains(component.as_str()) {
                    tell(tree.span(*place), "unknown-component", "component", component.as_str(), components);
                }
            }
        }
        for (name, place) in playbook.ops.iter().zip(items("ops")) {
            let questions = || QUESTIONS.iter().map(|question| question.id);
            if !questions().any(|question| question == name) {
                let near = nearest(name, questions()).map(|near| format!("did you mean `{near}`?"));
                let message = format!("the Well-Architected Framework has no question `{name}`");
                let problem = Diagnostic::error(source, tree.span(*place), "unknown-question", message);
                problems.push(problem.with_help_if(near));
            }
        }
        for (alarm, place) in playbook.alarms.iter().zip(items("alarms")) {
            let is_known = self.alarms.iter().any(|known| is_same(alarm.as_str(), &known.name));
            if !is_known {
                let near = nearest(alarm.as_str(), self.alarms.iter().map(|known| known.name.as_str()));
                let near = near.map(|near| format!("did you mean `{near}`?"));
                let message = format!("no environment and no scenario knows the alarm `{alarm}`");
                let problem = Diagnostic::warning(source, tree.span(*place), "unknown-alarm", message);
                let help = "a scenario that expects it (`alarms: {expected: […]}`) shows whether it fires";
                problems.push(problem.with_help(help).with_help_if(near));
            }
        }
        let place = of("id").map_or_else(|| source.line(1), |id| tree.span(id));
        problems.extend(self.exercise(playbook, place));
        problems
    }

    fn exercise(&self, playbook: &Playbook, place: Span) -> Option<Diagnostic> {
        let id = &playbook.id;
        let message = match self.exercised.get(id.as_str()) {
            None => format!("nobody has ever exercised `{id}`"),
            Some(at) => {
                let days = (self.now - *at).num_days();
                if days <= STALE_DAYS {
                    return None;
                }
                let days = plural(usize::try_from(days).unwrap_or_default(), "day", "days");
                format!("`{id}` was last exercised {days} ago; {STALE_DAYS} are too many")
            }
        };
        let help = format!("walk through it: `gameday playbook run {id}`, or name it in a phase of a scenario");
        Some(Diagnostic::warning(&playbook.source, place, "not-exercised", message).with_help(help))
    }

    /// The roles of a step that nobody has.
    fn roles(&self, playbook: &Playbook, number: usize, part: &Part) -> Vec<Diagnostic> {
        let Some(step) = playbook.steps.get(number) else { return Vec::new() };
        let mut problems = Vec::new();
        for (chip, role) in [("owner", &step.owner), ("needs", &step.needs)] {
            let Some(role) = role else { continue };
            let near = |roles: &BTreeSet<String>| {
                nearest(role.as_str(), roles.iter().map(String::as_str)).map(|near| format!("did you mean `{near}`?"))
            };
            let (message, help) = match self.roles.get(playbook.id.as_str()) {
                Some(roles) if !roles.contains(role.as_str()) => {
                    let message = format!("no scenario that uses this playbook has the role `{role}`");
                    (message, near(roles).unwrap_or_else(|| format!("add `{role}: {{who: …}}` to `people` of one")))
                }
                None if !self.all_roles.contains(role.as_str()) => match near(&self.all_roles) {
                    Some(near) => (format!("no scenario has the role `{role}`"), near),
                    // No scenario uses it yet: which roles it will meet is not known.
                    None => continue,
                },
                Some(_) | None => continue,
            };
            let span = chip_span(&playbook.source, part, &format!("`{chip}:{role}`"));
            problems.push(Diagnostic::warning(&playbook.source, span, "unknown-role", message).with_help(help));
        }
        problems
    }
}

/// Whether a playbook's alarm and another name are of the same alarm; either may be a pattern.
fn is_same(one: &str, other: &str) -> bool {
    alarm_matches(one, other) || alarm_matches(other, one)
}

/// The place of a chip behind the start of a step, or else the step's.
fn chip_span(source: &SourceFile, part: &Part, chip: &str) -> Span {
    let behind = source.slice(&(part.span.start..source.text().len()));
    behind.find(chip).map_or_else(|| part.span.clone(), |at| part.span.start + at..part.span.start + at + chip.len())
}

/// What the shell of a command says of it.
fn command(playbook: &Playbook, command: &PlaybookCommand, part: &Part) -> Option<Diagnostic> {
    let source = &playbook.source;
    let fence = source.position(part.span.start).line;
    let span = source.line(fence);
    let name = &command.name;
    let Some(shell) = command.shell() else {
        let (language, known) = (&command.language, Shell::languages().collect::<Vec<_>>());
        let message = match language.as_str() {
            "" => format!("the command `{name}` has no language"),
            language => format!("nothing runs the language `{language}` of the command `{name}`"),
        };
        let all = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let near = nearest(language, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        let help = format!("write one of {all}, or take the attributes out where it is only to be read");
        return Some(Diagnostic::error(source, span, "unknown-language", message).with_help(near.unwrap_or(help)));
    };
    match shell.parse(&command.text) {
        Parsed::Fine => None,
        Parsed::Wrong { line, what } => {
            let last = source.position(part.span.end.saturating_sub(1)).line;
            let line = source.line((fence + line).min(last));
            let message = format!("`{}` can not read the command `{name}`: {what}", shell.program());
            let problem = Diagnostic::error(source, line, "invalid-command", message);
            Some(problem.with_help(format!("`{} -n` tells what it understands, and runs nothing", shell.program())))
        }
        Parsed::NoShell => {
            let message = format!("the command `{name}` was not read: there is no `{}` here", shell.program());
            let help = format!("check the playbook where `{}` is installed", shell.program());
            Some(Diagnostic::warning(source, span, "unchecked-command", message).with_help(help))
        }
        Parsed::NoAnswer(why) => {
            let message = format!("the command `{name}` was not read: {why}");
            Some(Diagnostic::warning(source, span, "unchecked-command", message).with_help("check the playbook again"))
        }
    }
}

/// A command that says that it changes nothing, and calls what does.
fn changes(playbook: &Playbook, command: &PlaybookCommand, part: &Part) -> Option<Diagnostic> {
    if !command.readonly {
        return None;
    }
    let call = Regex::new(r"\baws\s+(?:--[a-z-]+(?:[= ]\S+)?\s+)*([a-z0-9-]+)\s+([a-z0-9-]+)").ok()?;
    let fence = playbook.source.position(part.span.start).line;
    let (number, call, operation) = command.text.lines().enumerate().find_map(|(number, line)| {
        let is_look = |operation: &str| LOOKS.iter().any(|start| operation.starts_with(start));
        let found = call.captures_iter(line).find(|found| !found.get(2).is_some_and(|it| is_look(it.as_str())))?;
        Some((number, found.get(0)?.as_str().to_owned(), format!("{} {}", &found[1], &found[2])))
    })?;
    let line = playbook.source.line(fence + 1 + number);
    let at = playbook.source.slice(&line).find(&call);
    let span = at.map_or_else(|| line.clone(), |at| line.start + at..line.start + at + call.len());
    let message = format!("`{}` says `readonly=true`, and `{operation}` is no call that only looks", command.name);
    let help = "leave `readonly` out: then its name must be typed before it is run";
    Some(Diagnostic::warning(&playbook.source, span, "readonly-command-changes", message).with_help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::playbook::check;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn known() -> Known {
        Known {
            teams: Some(set(&["team-shop"])),
            components: Some(set(&["checkout", "payments"])),
            alarms: ["payments-throttled", "checkout-*"].map(|name| alarm(name, true)).into(),
            exercised: [("pb".to_owned(), DateTime::UNIX_EPOCH)].into(),
            ..Known::default()
        }
    }

    fn alarm(name: &str, calls: bool) -> AlarmPlace {
        let source = Arc::new(SourceFile::new("gameday.yaml", name));
        AlarmPlace { name: name.to_owned(), span: 0..name.len(), source, calls }
    }

    fn playbook(front: &str, body: &str) -> Playbook {
        let text = format!("---\nid: pb\ntitle: Pay\n{front}---\n{body}");
        check(&Arc::new(SourceFile::new("playbooks/pb.md", text))).unwrap()
    }

    fn told(known: &Known, front: &str, body: &str) -> Vec<String> {
        let found = known.check(&playbook(front, body));
        let line = |problem: &Diagnostic| {
            let at = problem.source.position(problem.span.start);
            format!("{}:{} {} {}", at.line, at.column, problem.code, problem.message)
        };
        found.iter().map(line).collect()
    }

    const STEP: &str = "- [ ] a\n";

    #[test]
    fn a_playbook_that_names_what_is_there_is_fine() {
        let front = "owner: team-shop\ncomponents: [payments]\nalarms: [payments-throttled, checkout-errors]\n";
        let body = "# T\n- [ ] [a](#t) `owner:me`\n```sh {name=a readonly=true}\naws --region x lambda get-function | jq .\n```\n";
        assert_eq!(told(&known(), front, body), [""; 0]);
        assert!(known().without_playbook(&[playbook(front, body)]).is_empty());
    }

    #[test]
    fn names_of_nothing_are_told_where_they_stand() {
        let front = "owner: team-shp\ncomponents: [payment, zebra]\nalarms: [payments-throtled]\n";
        assert_eq!(
            told(&known(), front, STEP),
            [
                "4:8 unknown-team there is no team in workload.yaml called `team-shp`",
                "5:14 unknown-component there is no component in workload.yaml called `payment`",
                "5:23 unknown-component there is no component in workload.yaml called `zebra`",
                "6:10 unknown-alarm no environment and no scenario knows the alarm `payments-throtled`",
            ]
        );
        let silent = Known { teams: None, components: None, ..known() };
        assert_eq!(
            told(&silent, "owner: x\ncomponents: [y]\n", STEP),
            [""; 0],
            "a workload that names nothing is no list"
        );
    }

    #[test]
    fn an_alarm_that_calls_somebody_needs_a_playbook() {
        let with = |alarms: &str| [playbook(&format!("alarms: {alarms}\n"), STEP)];
        let messages = |playbooks: &[Playbook]| {
            let known = Known { alarms: [known().alarms, vec![alarm("quiet", false)]].concat(), ..known() };
            known.without_playbook(playbooks).into_iter().map(|it| it.message).collect::<Vec<_>>()
        };
        assert_eq!(messages(&with("[payments-throttled, checkout-errors]")), [""; 0]);
        assert_eq!(messages(&with("[payments-throttled]")), ["no playbook is for the alarm `checkout-*`"]);
        assert_eq!(messages(&[]).len(), 2);
    }

    #[test]
    fn a_playbook_that_nobody_walked_through_for_half_a_year_is_told() {
        let after = |days: i64| Known { now: DateTime::UNIX_EPOCH + chrono::TimeDelta::days(days), ..known() };
        assert_eq!(told(&after(180), "", STEP), [""; 0]);
        let stale = "2:5 not-exercised `pb` was last exercised 181 days ago; 180 are too many";
        assert_eq!(told(&after(181), "", STEP), [stale]);
        let never = Known { exercised: BTreeMap::new(), ..known() };
        assert_eq!(told(&never, "", STEP), ["2:5 not-exercised nobody has ever exercised `pb`"]);
    }

    #[test]
    fn a_role_that_no_scenario_has_is_told_at_its_chip() {
        let body = "- [ ] a `owner:responder`\n- [ ] b `owner:lead` `needs:respondr`\n";
        let used = Known { roles: [("pb".to_owned(), set(&["responder"]))].into(), ..known() };
        assert_eq!(
            told(&used, "", body),
            [
                "6:9 unknown-role no scenario that uses this playbook has the role `lead`",
                "6:22 unknown-role no scenario that uses this playbook has the role `respondr`",
            ]
        );
        let unused = Known { all_roles: set(&["responder"]), ..known() };
        assert_eq!(told(&unused, "", body), ["6:22 unknown-role no scenario has the role `respondr`"]);
    }

    #[test]
    fn links_that_lead_nowhere_are_told() {
        let body = "# T\n- [ ] [a](#x) and [b](missing.md)\n\nSee [c](https://example.com) and [d](#t).\n";
        assert_eq!(
            told(&known(), "", body),
            ["6:7 dead-link there is no heading `#x` here", "6:19 dead-link there is no file `missing.md`",]
        );
    }

    #[test]
    fn a_command_must_be_one_and_something_must_run_it() {
        let body = "- [ ] a\n\n  ```sh {name=a}\n  if true\n  then )\n  ```\n```python {name=b}\nx\n```\n``` {name=c}\nx\n```\n";
        let told = told(&known(), "", body);
        let [syntax, python, none] = told.as_slice() else { panic!("{told:?}") };
        assert!(syntax.starts_with("9:1 invalid-command `sh` can not read the command `a`: "), "{syntax}");
        assert_eq!(python, "11:1 unknown-language nothing runs the language `python` of the command `b`");
        assert_eq!(none, "14:1 unknown-language the command `c` has no language");
    }

    #[test]
    fn a_call_that_changes_something_is_not_readonly() {
        let body = |text: &str, flag: &str| format!("- [ ] a\n```sh {{name=a{flag}}}\n: \"${{F:?}}\"\n{text}\n```\n");
        let of = |text: &str| told(&known(), "", &body(text, " readonly=true"));
        assert_eq!(
            of("aws lambda get-alias --x | aws --output=text lambda update-alias --y"),
            [
                "8:28 readonly-command-changes `a` says `readonly=true`, and `lambda update-alias` is no call that only looks"
            ]
        );
        assert_eq!(
            of("aws sqs receive-message --queue-url \"$U\"").len(),
            1,
            "a message that is received counts as tried"
        );
        assert_eq!(of("aws s3 ls x; aws logs start-query --x; aws sts get-caller-identity"), [""; 0]);
        assert_eq!(told(&known(), "", &body("aws lambda update-alias", "")), [""; 0]);
    }
}
