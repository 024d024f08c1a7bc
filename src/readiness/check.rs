//! The table of all checks.

use std::str::FromStr;

use serde::Serialize;

use super::ground::Ground;
use super::outcome::Tally;
use super::{alarm, change, learning, log, organise, resilience, safety, trace, world};
use crate::unit::{CheckId, UnitError};

/// How much a check weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It keeps a run in an account from beginning.
    Must,
    /// It should be seen to.
    Should,
    /// It is good to know.
    Info,
}

impl Severity {
    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Must => "must",
            Self::Should => "should",
            Self::Info => "info",
        }
    }
}

impl FromStr for Severity {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let known = [Self::Must, Self::Should, Self::Info].into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| UnitError {
            problem: format!("`{text}` is not how much a check weighs"),
            remedy: "write `must`, `should` or `info`",
        })
    }
}

/// The questions of the Well-Architected Framework under which checks stand, in the order in which they are told: those of Operational
/// Excellence, of the Serverless Lens, and the pillars Security, Reliability and Performance Efficiency.
pub const QUESTIONS: [&str; 16] = [
    "OPS1", "OPS2", "OPS3", "OPS4", "OPS5", "OPS6", "OPS7", "OPS8", "OPS9", "OPS10", "OPS11", "SL-OPS1", "SL-OPS2",
    "SEC", "REL", "PERF",
];

/// A check.
#[derive(Debug, Clone, Copy)]
pub struct Check {
    /// Its id, which never means anything else.
    pub id: CheckId,
    /// How much it weighs.
    pub severity: Severity,
    /// The question under which it stands, one of [`QUESTIONS`].
    pub question: &'static str,
    /// What should be so.
    pub title: &'static str,
    /// What to do where it is not.
    pub remedy: &'static str,
    pub(super) ask: fn(&Ground<'_>) -> Tally,
}

impl Check {
    /// The check of that id.
    #[must_use]
    pub fn of(id: CheckId) -> Option<&'static Self> {
        TABLE.iter().find(|check| check.id == id)
    }

    /// Whether it is about doing no harm: it counts in a sandbox too.
    #[must_use]
    pub fn is_safety(&self) -> bool {
        SAFETY.contains(&self.id)
    }

    /// Whether every run sees to it by itself, whatever a waiver says.
    #[must_use]
    pub fn is_made_by_run(&self) -> bool {
        MADE_BY_RUN.contains(&self.id)
    }
}

const SAFETY: [CheckId; 9] = ids([1, 2, 3, 5, 9, 11, 16, 88, 90]);
/// Account, credentials, tags, locks, approvals and windows, lessons, clock.
const MADE_BY_RUN: [CheckId; 7] = ids([1, 3, 5, 9, 16, 88, 90]);

const fn ids<const N: usize>(numbers: [u8; N]) -> [CheckId; N] {
    let mut ids = [CheckId::of(0); N];
    let mut index = 0;
    while index < N {
        ids[index] = CheckId::of(numbers[index]);
        index += 1;
    }
    ids
}

const fn row(
    (number, severity, question): (u8, Severity, &'static str),
    title: &'static str,
    remedy: &'static str,
    ask: fn(&Ground<'_>) -> Tally,
) -> Check {
    Check { id: CheckId::of(number), severity, question, title, remedy, ask }
}

use Severity::{Info, Must, Should};

/// Every check, by id.
#[rustfmt::skip]
pub const TABLE: &[Check] = &[
    row((1, Must, "OPS6"), "the caller is in the account to which the environment is bound",
        "take credentials of that account (`profile`, `role_arn`), or bind the environment to the other one", safety::account),
    row((2, Must, "OPS6"), "the Region is that of the environment, and ARNs that the scenario names lie there",
        "name the Region in the environment, and things of that Region and partition in the scenario", safety::region),
    row((3, Must, "OPS7"), "the credentials outlive the run",
        "renew them, or use a `profile` that renews itself", safety::credentials),
    row((4, Must, "OPS6"), "the caller may inject each fault and undo it",
        "`gameday plan --iam` prints the policies; `gameday readiness --permissions` tells each action", safety::permissions),
    row((5, Must, "OPS6"), "every target carries the tags that the environment asks for",
        "tag the targets, or take others", safety::tags),
    row((6, Must, "OPS6"), "an environment on which customers depend asks two people for their consent",
        "write `approvals: {need: 2, from: [...]}` into the environment", safety::approvals),
    row((7, Should, "OPS10"), "the safety lever of FIS is disengaged",
        "disengage it when whoever engaged it agrees", safety::lever),
    row((8, Should, "OPS7"), "the undo of each kind of fault was rehearsed here in the last 30 days",
        "run a scenario with that fault here, at a quiet hour, and see it undone", safety::rehearsed),
    row((9, Must, "OPS6"), "no other run is in this environment, and none left anything behind",
        "`gameday status --all` tells which; end it, or `gameday recover` it", safety::alone),
    row((11, Must, "OPS10"), "a run can be told to abort",
        "see to `$XDG_RUNTIME_DIR`: the run's socket stands in a private directory in it", safety::abort),
    row((12, Must, "OPS8"), "no alarm on the targets is in ALARM, and none that is expected lacks data",
        "find out why before you add to it", world::quiet),
    row((13, Must, "OPS6"), "no stack of the targets is being changed",
        "wait until the deployment is over", world::deployments),
    row((14, Info, "OPS6"), "no target was changed in the last 24 hours",
        "know who changed it, and why", world::changes),
    row((16, Must, "OPS10"), "window, schedule and freezes let the run begin now",
        "`gameday schedule next` tells when; `--override \"why\"` begins all the same", world::window),
    row((20, Must, "OPS1"), "each component has an owner, a value, a priority, and the workload has stakeholders",
        "write them into `workload.yaml`", organise::components),
    row((21, Should, "OPS2"), "the owner in the tags is the owner in `workload.yaml`",
        "tag the function with `owner`, or mend `workload.yaml`", organise::owners),
    row((22, Should, "OPS1"), "a risk is written down for each component that is exercised",
        "write it into `workload.yaml`", organise::risks),
    row((23, Must, "OPS3"), "required roles are filled, and the facilitator responds to nothing",
        "name somebody in `people`", organise::roles),
    row((25, Should, "OPS10"), "somebody is told when the run begins and ends",
        "write `notify` into `gameday.yaml` or the scenario", organise::notice),
    row((30, Must, "SL-OPS1"), "each function has an alarm on Errors",
        "`gameday readiness --snippets` prints one", alarm::errors),
    row((31, Should, "SL-OPS1"), "each function has an alarm on Throttles, which are no Errors",
        "`gameday readiness --snippets` prints one", alarm::throttles),
    row((32, Should, "SL-OPS1"), "each function has an alarm on Duration below its timeout",
        "`gameday readiness --snippets` prints one at 80 % of the timeout", alarm::duration),
    row((33, Should, "SL-OPS1"), "an asynchronous function has an alarm on the age or the loss of events",
        "watch AsyncEventAge, AsyncEventsDropped or DeadLetterErrors", alarm::asynchronous),
    row((34, Should, "SL-OPS1"), "a function behind a stream has an alarm on IteratorAge",
        "`gameday readiness --snippets` prints one", alarm::iterator_age),
    row((35, Should, "SL-OPS1"), "an alarm tells before the account's concurrency is used up",
        "watch AWS/Lambda ConcurrentExecutions below the account's limit", alarm::concurrency),
    row((37, Should, "SL-OPS1"), "each queue has an alarm on the age of its oldest message, and its dead-letter queue on what is in it",
        "`gameday readiness --snippets` prints both", alarm::queues),
    row((38, Should, "SL-OPS1"), "each table has an alarm on throttled requests or errors of the service",
        "watch ReadThrottleEvents, WriteThrottleEvents or SystemErrors", alarm::tables),
    row((40, Must, "OPS10"), "the alarms that count do something when they fire",
        "enable their actions, and name somebody who is told", alarm::actions),
    row((41, Must, "OPS10"), "whom the alarms tell has confirmed the subscription",
        "confirm it: SNS sends nothing to who has not", alarm::subscriptions),
    row((42, Must, "OPS10"), "no mute rule keeps the alarms silent during the run",
        "end the mute rule, or run at another time", alarm::mutes),
    row((43, Should, "OPS8"), "an expected alarm is not content with missing data where a fault stops the traffic",
        "set `TreatMissingData: breaching`, or watch what the fault leaves", alarm::missing_data),
    row((44, Should, "OPS7"), "the description of an alarm leads to a playbook that is there",
        "write the playbook's id or path into the alarm's description", alarm::descriptions),
    row((45, Should, "OPS8"), "each alarm can fire as soon as the hypothesis says",
        "shorten its period or take fewer data points; `gameday readiness --snippets` prints it mended", alarm::detection),
    row((46, Should, "OPS10"), "an expected alarm has told somebody in the last 90 days",
        "let it ring once: `aws cloudwatch set-alarm-state`", alarm::tried),
    row((47, Info, "OPS8"), "composite alarms name alarms that are there",
        "mend the rule", alarm::children),
    row((48, Should, "OPS8"), "a dashboard shows the targets",
        "put their metrics on one", alarm::dashboards),
    row((49, Should, "OPS4"), "a business signal is there, and fresh",
        "give the scenario a signal with `level: business`", alarm::business),
    row((50, Should, "OPS4"), "somebody looks from outside: a canary that passed in the last hour",
        "let a canary of Synthetics call the front door", alarm::canaries),
    row((51, Info, "OPS9"), "the team measures its own work",
        "write `kpis: {team: [...]}` into `workload.yaml`", organise::indicators),
    row((52, Should, "OPS4"), "each function has a log group that keeps events for 30 days or more, and not for ever",
        "`gameday readiness --snippets` prints one", log::retention),
    row((53, Should, "SL-OPS1"), "logs are structured",
        "set `LoggingConfig: {LogFormat: JSON}`", log::structured),
    row((54, Should, "SL-OPS1"), "the lines of a log have an id by which they are traced",
        "log the trace's id or a correlation id with every line", log::correlated),
    row((55, Should, "SL-OPS1"), "the level of the system log keeps the report of each invocation",
        "set `SystemLogLevel: INFO`", log::reports),
    row((58, Should, "SEC"), "no secret stands in a sample of the logs",
        "change the secret, and do not log it", log::secrets),
    row((60, Should, "OPS4"), "each function offers its invocations to X-Ray",
        "set `TracingConfig: {Mode: Active}`", trace::active),
    row((61, Should, "OPS4"), "traces arrive now",
        "look at the permissions of the functions' roles, and at the sampling rules", trace::arriving),
    row((65, Should, "REL"), "an asynchronous function keeps what failed",
        "give it a dead-letter queue or a destination on failure", resilience::dead_letters),
    row((66, Should, "REL"), "a queue in front of a function has a dead-letter queue, and hides a message for six times the timeout",
        "set its redrive policy and its visibility timeout", resilience::queues),
    row((67, Info, "REL"), "an event source mapping limits what one bad record can hold up",
        "set MaximumRetryAttempts, BisectBatchOnFunctionError or ReportBatchItemFailures", resilience::mappings),
    row((68, Should, "PERF"), "the account has room for the planned load",
        "ask for a higher limit, or plan for less", resilience::room),
    row((70, Info, "SL-OPS2"), "no runtime is deprecated",
        "move to a newer one", resilience::runtimes),
    row((75, Should, "OPS5"), "traffic comes through an alias, and there is a version to go back to",
        "publish versions, and let an alias point to one", change::versions),
    row((78, Should, "OPS5"), "each function belongs to a stack",
        "keep it as code", change::stacks),
    row((79, Should, "SL-OPS2"), "production has an account of its own",
        "bind the environments to accounts of their own", change::accounts),
    row((80, Should, "SEC"), "no secret stands in the variables of a function",
        "keep it in Secrets Manager or Parameter Store, and let the function read it", change::secrets),
    row((85, Should, "OPS7"), "each expected alarm has a playbook without warnings, exercised in the last 180 days",
        "`gameday playbook check`; walk through it with `gameday playbook run`", learning::playbooks),
    row((86, Should, "OPS7"), "each component that is exercised has a runbook with commands",
        "write down how it is rolled back, as commands", learning::runbooks),
    row((88, Must, "OPS11"), "no lesson that must be tested again stands in the way",
        "`gameday lesson list` and `gameday action list --overdue` tell them", learning::lessons),
    row((89, Info, "OPS11"), "there is an earlier run to compare with",
        "run it once where it hurts nobody", learning::earlier),
    row((90, Must, "OPS11"), "evidence can be written, there is room for it, and the clock is right",
        "make room in the folder of reports; set the clock", learning::evidence),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_has_its_check_and_every_check_a_question() {
        assert!(TABLE.iter().map(|check| check.id).eq(CheckId::all()));
        for check in TABLE {
            assert!(QUESTIONS.contains(&check.question), "{}", check.id);
            for text in [check.title, check.remedy] {
                assert!(!text.ends_with('.') && !text.is_empty(), "{}", check.id);
            }
        }
        assert!(
            SAFETY.iter().chain(&MADE_BY_RUN).all(|id| Check::of(*id).is_some_and(|it| it.severity == Severity::Must))
        );
    }
}
