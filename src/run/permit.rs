//! Who lets a run begin: approvals, a pass elsewhere, the hour of the week, the scenario's schedule, a word about production. None of
//! this is asked for an undo.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use super::folder::{find_runs, read_plan};
use crate::event::{EventKind, RunState, read_log};
use crate::plan::{EnvironmentKind, Plan};
use crate::schedule::Guard;
use crate::unit::{ScenarioId, error_chain};
use crate::workspace::{Approval, Approvals, Class, Environment, Opening};

/// What is asked: may this plan be run now.
#[derive(Debug, Clone, Copy)]
pub struct PermitRequest<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Its environment.
    pub environment: &'a Environment,
    /// The environment in which the scenario must have passed before.
    pub pass_first: Option<&'a str>,
    /// The environment of which somebody says that they know that customers depend on it.
    pub production: Option<&'a str>,
    /// What the scenario's schedule says; none where it has none, or nothing but this machine can be hurt.
    pub schedule: Option<&'a Guard>,
    /// What the planned dates of the scenarios say against now from which this one keeps away.
    pub planned: &'a [String],
    /// The lessons that stand in its way.
    pub barriers: &'a [Barrier],
    /// Why somebody sets schedule and lessons aside.
    pub overridden: Option<&'a str>,
    /// The workspace's folder, with the approvals.
    pub root: &'a Path,
    /// The folder of runs.
    pub reports: &'a Path,
    /// The workspace's own folder of runs.
    pub own_reports: &'a Path,
    /// The scenario's file, for the commands that are told.
    pub scenario: &'a Path,
    /// The present moment.
    pub now: DateTime<Utc>,
}

/// A lesson that must be seen to before a run begins.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Barrier {
    /// What is wrong.
    pub objection: String,
    /// What lifts it.
    pub remedy: String,
}

/// That a run may begin, and who said so. Only [`Permission::permit`] makes one.
#[derive(Debug, Clone)]
pub struct Permit {
    approvals: Vec<Approval>,
    overridden: Option<Overridden>,
}

/// What somebody set aside, and why.
#[derive(Debug, Clone)]
struct Overridden {
    reason: String,
    objections: Vec<String>,
}

/// What was looked at: one line each.
#[derive(Debug, Clone, Default)]
pub struct Permission {
    /// What is as it should be.
    pub given: Vec<String>,
    /// What is missing, with what to do.
    pub missing: Vec<String>,
    /// What is worth a thought.
    pub notes: Vec<String>,
    approvals: Vec<Approval>,
    overridden: Option<Overridden>,
}

impl Permission {
    /// Looks at everything that the environment and the scenario ask for before a run.
    #[must_use]
    pub fn look(request: &PermitRequest<'_>) -> Self {
        let mut permission = Self::default();
        permission.look_at_class(request);
        permission.look_at_window(request);
        permission.look_at_schedule(request);
        permission.look_at_pass(request);
        if let Some(approvals) = &request.environment.approvals {
            permission.look_at_approvals(request, approvals);
        }
        permission
    }

    /// The permit.
    ///
    /// # Errors
    /// What is missing.
    pub fn permit(self) -> Result<Permit, Vec<String>> {
        let Self { missing, approvals, overridden, .. } = self;
        if missing.is_empty() { Ok(Permit { approvals, overridden }) } else { Err(missing) }
    }

    /// Adds what readiness says against a run. It can be set aside as a schedule can.
    pub fn add_unready(&mut self, barriers: &[Barrier], overridden: Option<&str>) {
        let objections: Vec<String> = barriers.iter().map(|barrier| barrier.objection.clone()).collect();
        match overridden {
            _ if objections.is_empty() => {}
            Some(reason) => {
                self.notes.push(format!("set aside: {}", objections.join("; ")));
                let of_reason = || Overridden { reason: reason.to_owned(), objections: Vec::new() };
                self.overridden.get_or_insert_with(of_reason).objections.extend(objections);
            }
            None => self.missing.extend(barriers.iter().map(|Barrier { objection, remedy }| {
                format!(
                    "{objection}; {remedy}, or waive it in `gameday.yaml`; `--override \"why\"` lets it begin all the same, \
                     which the report tells"
                )
            })),
        }
    }

    fn look_at_class(&mut self, request: &PermitRequest<'_>) {
        let environment = request.environment;
        let name = &environment.name;
        match environment.class {
            Class::Nonproduction => {}
            Class::Production if request.production == Some(name) => {
                self.given.push(format!("somebody knows that customers depend on `{name}`"));
            }
            Class::Production => self.missing.push(format!(
                "customers depend on environment `{name}` (`class: production`): say that you know with `--production {name}`"
            )),
        }
        if environment.class == Class::Production && environment.approvals.is_none() && request.pass_first.is_none() {
            self.notes.push(format!(
                "nobody is asked before a run in `{name}`, where customers are: think of `approvals` in the environment, or \
                 of `pass_first` in the scenario"
            ));
        }
    }

    fn look_at_window(&mut self, request: &PermitRequest<'_>) {
        let Some(window) = &request.environment.window else { return };
        let name = &request.environment.name;
        match window.opening(request.now) {
            Some(Opening::Now) => self.given.push(format!("the window is open: {window}")),
            Some(Opening::At(at)) => self.missing.push(format!(
                "environment `{name}` lets runs begin on {window}: it opens next on {}",
                at.format("%a %Y-%m-%d at %H:%M %Z")
            )),
            None => self.missing.push(format!("environment `{name}` lets runs begin on {window}, which never comes")),
        }
    }

    /// Looks at the scenario's schedule and at the lessons that stand in its way, all of which somebody may set aside.
    fn look_at_schedule(&mut self, request: &PermitRequest<'_>) {
        let by_schedule = request.schedule.map(|guard| against(request, guard)).unwrap_or_default();
        let by_lessons = request.barriers.iter().map(|barrier| barrier.objection.clone());
        let objections: Vec<String> = by_schedule.iter().cloned().chain(by_lessons).collect();
        if request.schedule.is_some() && by_schedule.is_empty() {
            self.given.push("the scenario's schedule lets it begin now".to_owned());
        }
        match request.overridden {
            _ if objections.is_empty() => {}
            Some(reason) => {
                self.notes.push(format!("set aside: {}", objections.join("; ")));
                self.overridden = Some(Overridden { reason: reason.to_owned(), objections });
            }
            None => {
                let all_the_same = "`--override \"why\"` lets it begin all the same, which the report tells";
                let id = &request.plan.scenario.id;
                self.missing.extend(by_schedule.iter().map(|objection| {
                    format!(
                        "the scenario's schedule says no: {objection}; `gameday schedule next {id}` tells when, and {all_the_same}"
                    )
                }));
                self.missing.extend(request.barriers.iter().map(|Barrier { objection, remedy }| {
                    format!("a lesson stands in its way: {objection}; {remedy}; {all_the_same}")
                }));
            }
        }
    }

    /// Looks for a run of the same scenario that passed where it must pass first.
    fn look_at_pass(&mut self, request: &PermitRequest<'_>) {
        let Some(first) = request.pass_first else { return };
        let scenario = &request.plan.scenario;
        let mut why = format!("it has not been run there in `{}`", request.reports.display());
        for folder in find_runs(request.reports).unwrap_or_default().iter().rev() {
            let Ok(plan) = read_plan(folder) else { continue };
            if plan.scenario.id != scenario.id || plan.environment.name != first {
                continue;
            }
            let run = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            // The newest run is the one that counts: an older pass says nothing of what failed since.
            if plan.scenario.sha256 != scenario.sha256 {
                why = format!("the scenario has changed since run `{run}`");
                break;
            }
            let state = read_log(folder).map(|read| RunState::fold(&read.events)).unwrap_or_default();
            if state.exit_code == Some(0) {
                self.given.push(format!("it passed in `{first}`: run `{run}`"));
                return;
            }
            why = format!("run `{run}` did not pass");
            break;
        }
        let (name, file) = (&request.environment.name, request.scenario.display());
        self.missing.push(format!(
            "the scenario must pass in `{first}` before it is run in `{name}`, and {why}: gameday run {file} --env {first}"
        ));
    }

    fn look_at_approvals(&mut self, request: &PermitRequest<'_>, approvals: &Approvals) {
        let (name, scenario) = (&request.environment.name, &request.plan.scenario.id);
        let digest = request.plan.digest();
        let (mut people, mut lacking) = (BTreeSet::new(), Vec::new());
        for role in &approvals.from {
            let about = (scenario, name.as_str(), role);
            let why = match Approval::read(&Approval::path(request.root, scenario, name, role)) {
                Ok(None) => "not yet given".to_owned(),
                Err(problems) => {
                    let first = problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
                    format!("its file can not be read: {first}")
                }
                Ok(Some(approval)) => match approval.objection(about, &digest, request.now) {
                    Some(objection) => format!("that of {} does not hold: {objection}", approval.by),
                    None if !people.insert(approval.by.to_lowercase()) => {
                        format!("{} can not agree for two roles", approval.by)
                    }
                    None => {
                        self.given.push(format!("{role} agreed: {}, {}", approval.by, approval.at));
                        self.approvals.push(approval);
                        continue;
                    }
                },
            };
            lacking.push(format!("`{role}` ({why})"));
        }
        let need = usize::try_from(approvals.need).unwrap_or(usize::MAX);
        if people.len() < need {
            let file = request.scenario.display();
            let people_text = if need > 1 { ", by different people" } else { "" };
            self.missing.push(format!(
                "environment `{name}` asks for the consent of {need} of {} roles{people_text}, and has that of {}: \
                 missing {}; each gives it with: gameday approve {file} --env {name} --as ROLE",
                approvals.from.len(),
                people.len(),
                lacking.join(", ")
            ));
        }
    }
}

impl Permit {
    /// Who agreed, and what was set aside, for the log.
    pub(super) fn events(&self) -> impl Iterator<Item = EventKind> {
        let overridden = self.overridden.iter().map(|overridden| EventKind::ScheduleOverridden {
            reason: overridden.reason.clone(),
            objections: overridden.objections.clone(),
        });
        let approved = self.approvals.iter().filter_map(|approval| {
            Some(EventKind::RunApproved {
                role: approval.role.parse().ok()?,
                by: approval.by.clone(),
                given_at: approval.given_at()?,
                note: approval.note.clone(),
            })
        });
        approved.chain(overridden)
    }
}

/// The longest run that is thought of where one can not be read.
const RUN_LENGTH_MAX: TimeDelta = TimeDelta::days(7);

/// What speaks against a start now: the scenario's own window and freezes, and the last runs and planned dates of the scenarios from which
/// it keeps away. What is not known of a run is never a pass.
fn against(request: &PermitRequest<'_>, guard: &Guard) -> Vec<String> {
    let mut objections: Vec<String> = guard.objections(request.now).iter().map(ToString::to_string).collect();
    for (id, within) in guard.neighbours() {
        let since = request.now - within - RUN_LENGTH_MAX;
        objections.extend(match last_run(&[request.reports, request.own_reports], id, since) {
            Ok(last) => last.and_then(|at| guard.nearness(request.now, id, at)).map(|near| near.to_string()),
            Err(why) => Some(format!("can not tell when `{id}` ran last: {why}")),
        });
    }
    objections.extend(request.planned.iter().cloned());
    objections
}

/// When the last run of a scenario ended, or was last heard of; or why that can not be told. Runs in the embedded sandbox disturb nobody.
/// One that can not be read and began before `since` is too old to matter.
fn last_run(reports: &[&Path; 2], id: &ScenarioId, since: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
    let [one, other] = reports;
    let mut folders = find_runs(one).map_err(|error| error_chain(&error))?;
    if one != other {
        folders.extend(find_runs(other).map_err(|error| error_chain(&error))?);
    }
    // The names of runs begin with their time.
    folders.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
    let mut last = None;
    for folder in folders.iter().rev() {
        match ended(folder, id) {
            Ok(at) => last = last.max(at),
            // What can not be read was over when one began that can.
            Err(_) if last.is_some() || begun_by_name(folder).is_some_and(|at| at < since) => {}
            Err(why) => return Err(why),
        }
    }
    Ok(last)
}

/// When a run began, by its name: `2026-03-10-100000-nightly`.
fn begun_by_name(folder: &Path) -> Option<DateTime<Utc>> {
    let time = folder.file_name()?.to_str()?.get(..17)?;
    Some(NaiveDateTime::parse_from_str(time, "%Y-%m-%d-%H%M%S").ok()?.and_utc())
}

/// When a run ended, or was last heard of; none where it is not one of that scenario outside the sandbox, or has begun nothing.
fn ended(folder: &Path, id: &ScenarioId) -> Result<Option<DateTime<Utc>>, String> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // `2026-03-10-100000-` and as much of the scenario as there is room for.
    let part = name.get(18..).filter(|_| name.starts_with(|c: char| c.is_ascii_digit()));
    let is_begin =
        |part: &str| id.as_str().starts_with(part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-'));
    let may_be_of = part.is_none_or(|part| part.starts_with(id.as_str()) || is_begin(part));
    match read_plan(folder) {
        Ok(plan) if plan.scenario.id == *id && plan.environment.kind != EnvironmentKind::Sandbox => {}
        Ok(_) => return Ok(None),
        Err(error) if may_be_of => return Err(format!("run `{name}` can not be read: {}", error_chain(&error))),
        Err(_) => return Ok(None),
    }
    let read = read_log(folder).map_err(|error| format!("run `{name}` can not be read: {}", error_chain(&error)))?;
    Ok(read.events.last().map(|event| event.at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_readiness_says_against_a_run_can_be_set_aside_and_is_written_down() {
        let barrier = Barrier { objection: "R-30 fails".to_owned(), remedy: "make one".to_owned() };
        let barriers = [barrier];
        let mut refused = Permission::default();
        refused.add_unready(&barriers, None);
        let missing = refused.permit().unwrap_err();
        assert!(missing[0].starts_with("R-30 fails; make one, or waive it") && missing[0].contains("--override"));
        let overridden = Overridden { reason: "we know".to_owned(), objections: vec!["frozen".to_owned()] };
        let mut set_aside = Permission { overridden: Some(overridden), ..Permission::default() };
        set_aside.add_unready(&barriers, Some("we know"));
        assert_eq!(set_aside.notes, ["set aside: R-30 fails"]);
        let events: Vec<EventKind> = set_aside.permit().unwrap().events().collect();
        let [EventKind::ScheduleOverridden { reason, objections }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(
            (reason.as_str(), objections.as_slice()),
            ("we know", ["frozen", "R-30 fails"].map(str::to_owned).as_slice())
        );
        let mut ready = Permission::default();
        ready.add_unready(&[], Some("we know"));
        assert!(ready.notes.is_empty() && ready.permit().unwrap().events().next().is_none());
    }

    fn run(reports: &Path, name: &str) {
        let folder = reports.join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("run.ndjson"), "").unwrap();
        std::fs::write(folder.join("plan.json"), "{").unwrap();
    }

    #[test]
    fn a_run_that_can_not_be_read_is_no_pass_in_either_folder() {
        let folder = tempfile::tempdir().unwrap();
        let (given, own) = (folder.path().join("given"), folder.path().join("own"));
        let last = |id: &str| last_run(&[&given, &own], &id.parse().unwrap(), DateTime::UNIX_EPOCH);
        assert_eq!(last("nightly"), Ok(None), "there is no run");
        run(&own, "2026-03-10-100000-nightly");
        let why = last("nightly").unwrap_err();
        assert!(why.starts_with("run `2026-03-10-100000-nightly` can not be read: "), "{why}");
        assert_eq!(last("weekly"), Ok(None), "its name says that it is another's");
        let since = |text: &str| last_run(&[&given, &own], &"nightly".parse().unwrap(), text.parse().unwrap());
        assert!(since("2026-03-10T10:00:00Z").is_err());
        assert_eq!(since("2026-03-10T10:00:01Z"), Ok(None), "it is too old to matter");
        run(&given, "copied");
        assert!(last("weekly").unwrap_err().contains("`copied`"), "it may be anybody's");
    }
}
