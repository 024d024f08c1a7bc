//! All checks, one after the other; then waivers, and whether a run may begin.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::check::{Check, Severity, TABLE};
use super::facts::Facts;
use super::ground::Ground;
use super::look::{Look, Scope};
use super::outcome::Outcome;
use crate::plan::{EnvironmentKind, Plan};
use crate::run::Barrier;
use crate::scenario::Mode;
use crate::unit::{CheckId, Date};
use crate::workspace::Environment;

/// The checks that files alone answer: at a table there is nothing else.
const OF_FILES: [u8; 12] = [16, 20, 22, 23, 25, 51, 79, 85, 86, 88, 89, 90];

/// Which checks are asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// These alone; empty is all.
    pub only: BTreeSet<CheckId>,
    /// Those that weigh as much, or more; none is all.
    pub severity: Option<Severity>,
    /// Not those which every run makes by itself.
    pub leaves_runs_own: bool,
}

impl Asked {
    /// Those that stand in a run's way and that it does not make by itself.
    #[must_use]
    pub fn before_run() -> Self {
        Self { only: BTreeSet::new(), severity: Some(Severity::Must), leaves_runs_own: true }
    }

    fn has(&self, check: &Check) -> bool {
        (self.only.is_empty() || self.only.contains(&check.id))
            && self.severity.is_none_or(|severity| check.severity <= severity)
            && !(self.leaves_runs_own && check.is_made_by_run())
    }
}

/// What came of one check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckResult {
    /// Its id.
    pub id: CheckId,
    /// How much it weighs.
    pub severity: Severity,
    /// The question under which it stands.
    pub question: &'static str,
    /// What should be so.
    pub title: &'static str,
    /// `pass`, `warn`, `fail`, `waived`, `unknown`.
    pub result: &'static str,
    /// What there is to say of it.
    pub why: Option<String>,
    /// Who waived it.
    pub waived_by: Option<String>,
    /// What to do; none where there is nothing to do.
    pub remedy: Option<&'static str>,
    /// Whether it keeps a run from beginning.
    pub blocks: bool,
    /// The same, for programs of our own.
    #[serde(skip)]
    pub outcome: Outcome,
}

/// What came of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct Readiness {
    /// When the account was asked.
    pub at: DateTime<Utc>,
    /// The checks that apply, by id.
    pub checks: Vec<CheckResult>,
    /// The ids of those that have nothing to look at.
    pub not_applicable: Vec<CheckId>,
    /// Waivers that waive nothing: why, a line each.
    pub waivers: Vec<String>,
}

impl Readiness {
    /// Whether nothing keeps a run from beginning.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|check| !check.blocks)
    }

    /// How many have that result.
    #[must_use]
    pub fn count(&self, result: &str) -> usize {
        self.checks.iter().filter(|check| check.result == result).count()
    }

    /// What keeps a run from beginning, with what lifts it.
    #[must_use]
    pub fn barriers(&self) -> Vec<Barrier> {
        let blocking = self.checks.iter().filter(|check| check.blocks);
        let barrier = |check: &CheckResult| {
            let why = check.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            let result = if check.result == "unknown" { "is not known" } else { "fails" };
            Barrier {
                objection: format!("{} {result} ({}){why}", check.id, check.title),
                remedy: check.remedy.unwrap_or_default().to_owned(),
            }
        };
        blocking.map(barrier).collect()
    }
}

/// Judges.
#[must_use]
pub fn judge(
    (plan, environment): (&Plan, &Environment),
    facts: &Facts,
    (look, scope): (&Look, &Scope),
    asked: &Asked,
) -> Readiness {
    let ground = Ground { plan, environment, facts, look, scope };
    let today = Date(look.now.date_naive());
    let is_table = plan.scenario.mode == Mode::Tabletop;
    let (mut checks, mut not_applicable) = (Vec::new(), Vec::new());
    for check in TABLE.iter().filter(|check| asked.has(check)) {
        let is_of_files = OF_FILES.iter().any(|number| CheckId::of(*number) == check.id);
        let outcome = match is_table && !is_of_files {
            true => None,
            false => (check.ask)(&ground).outcome(check.severity == Severity::Info),
        };
        match outcome {
            Some(outcome) => {
                let outcome = waive(check, outcome, environment, today);
                checks.push(result(check, outcome, &plan.environment.kind));
            }
            None => not_applicable.push(check.id),
        }
    }
    Readiness { at: look.now, waivers: idle_waivers(environment, today), checks, not_applicable }
}

fn result(check: &Check, outcome: Outcome, kind: &EnvironmentKind) -> CheckResult {
    let is_right = matches!(outcome, Outcome::Pass | Outcome::Waived { .. });
    CheckResult {
        id: check.id,
        severity: check.severity,
        question: check.question,
        title: check.title,
        result: outcome.name(),
        why: outcome.why(),
        waived_by: match &outcome {
            Outcome::Waived { by, .. } => Some(by.clone()),
            Outcome::Pass | Outcome::Warn(_) | Outcome::Fail(_) | Outcome::Unknown(_) => None,
        },
        remedy: (!is_right).then_some(check.remedy),
        blocks: blocks(check, &outcome, kind),
        outcome,
    }
}

/// In an account, a must that fails or is not known keeps a run from beginning; elsewhere nobody is hurt, and only what is about doing no
/// harm does, where it fails.
fn blocks(check: &Check, outcome: &Outcome, kind: &EnvironmentKind) -> bool {
    let (is_bad, is_unknown) = (matches!(outcome, Outcome::Fail(_)), matches!(outcome, Outcome::Unknown(_)));
    check.severity == Severity::Must
        && match kind {
            EnvironmentKind::Account { .. } => is_bad || is_unknown,
            EnvironmentKind::Sandbox | EnvironmentKind::Endpoint { .. } => is_bad && check.is_safety(),
        }
}

fn waive(check: &Check, outcome: Outcome, environment: &Environment, today: Date) -> Outcome {
    let was = match &outcome {
        Outcome::Pass | Outcome::Waived { .. } => return outcome,
        Outcome::Warn(why) | Outcome::Fail(why) | Outcome::Unknown(why) => format!("{}: {why}", outcome.name()),
    };
    let of_check = environment.waivers.iter().filter(|waiver| waiver.check == check.id && !check.is_made_by_run());
    match of_check.into_iter().find(|waiver| waiver.holds(today)) {
        Some(waiver) => Outcome::Waived { reason: waiver.reason.clone(), by: waiver.by.clone(), was },
        None => outcome,
    }
}

/// The waivers that waive nothing.
fn idle_waivers(environment: &Environment, today: Date) -> Vec<String> {
    let idle = environment.waivers.iter().filter_map(|waiver| {
        let (check, by) = (waiver.check, &waiver.by);
        if Check::of(check).is_some_and(Check::is_made_by_run) {
            return Some(format!("the waiver of {check} by {by} waives nothing: every run sees to it by itself"));
        }
        let until = waiver.until.filter(|_| !waiver.holds(today))?;
        Some(format!("the waiver of {check} by {by} waives nothing any more: it held until {until}"))
    });
    idle.collect()
}
