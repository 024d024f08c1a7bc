//! Each check with a state in which it passes, one in which it fails, and one in which nobody knows.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use super::check::{Severity, TABLE};
use super::judge::{Asked, judge};
use super::look::{Depth, Look};
use super::outcome::{Outcome, Why};
use super::past::{Kept, Shift, keep, read_kept, shifts};
use super::testing::{LASTS, Sample, TOPIC, environment, now};
use super::{junit, sarif, snippets};
use crate::aws::{
    AlarmHistory, Aws, CanaryRuns, ChangingStack, CredentialsEnd, EnvironmentVariables, InvokeConfiguration, MuteRule,
    Reply, Server, Subscriptions,
};
use crate::fault::testing::FakeFunctions;
use crate::plan::EnvironmentKind;
use crate::run::{Barrier, PermissionVerdict, Survey};
use crate::unit::{AlarmState, AlarmSubject, CheckId, MissingData};

type Spoil = fn(&mut Sample);
/// A check, and what its result is once something is spoilt.
type Case = (&'static str, &'static str, Spoil);

fn why<T>() -> Result<T, Why> {
    Err(Why::new("throttled"))
}

fn mute(sample: &mut Sample, expression: &str, is_active: bool) {
    sample.look.mutes.as_mut().unwrap().rules.push(MuteRule {
        name: "nights".to_owned(),
        is_active,
        alarms: vec!["orders-errors".to_owned()],
        expression: expression.to_owned(),
        duration: "PT4H".to_owned(),
        time_zone: None,
        starts_at: None,
        expires_at: None,
    });
}

fn variable(sample: &mut Sample, name: &str, value: &str) {
    let EnvironmentVariables(variables) = sample.function().environment.as_mut().unwrap();
    variables.insert(name.to_owned(), value.to_owned());
}

fn lines(sample: &mut Sample, line: &str) {
    sample.look.samples.insert("/aws/lambda/orders".to_owned(), Ok(vec![line.to_owned(); 10]));
}

fn drop_alarm(sample: &mut Sample, name: &str) {
    sample.look.alarms.as_mut().unwrap().alarms.remove(name);
}

fn set_missing(sample: &mut Sample, missing: MissingData) {
    let AlarmSubject::Metric { rule, .. } = &mut sample.alarm("orders-errors").settings.subject else {
        panic!("a metric")
    };
    rule.missing = missing;
}

fn set_threshold(sample: &mut Sample, alarm: &str, threshold: f64) {
    let AlarmSubject::Metric { rule, .. } = &mut sample.alarm(alarm).settings.subject else { panic!("a metric") };
    rule.threshold = Some(threshold);
}

fn queue(sample: &mut Sample, change: fn(&mut crate::aws::QueueSettings)) {
    change(sample.look.queues.get_mut("jobs").unwrap().as_mut().unwrap());
}

/// Sections A to C.
const PEOPLE: &[Case] = &[
    ("R-01", "fail", |it| it.look.account = Err(Why::new("the caller is in account `1`: nothing is touched"))),
    ("R-01", "unknown", |it| it.look.account = why()),
    ("R-02", "fail", |it| "us-east-1".clone_into(&mut it.look.region)),
    ("R-03", "fail", |it| it.look.credentials = Ok(Some(CredentialsEnd::At(now() + LASTS)))),
    ("R-03", "warn", |it| it.look.credentials = Ok(Some(CredentialsEnd::At(now() + TimeDelta::minutes(20))))),
    ("R-03", "unknown", |it| it.look.credentials = Ok(Some(CredentialsEnd::Unknown))),
    ("R-03", "unknown", |it| it.look.credentials = why()),
    ("R-04", "fail", |it| {
        it.look.permissions.as_mut().unwrap().as_mut().unwrap().permissions[0].verdict = PermissionVerdict::Denied;
    }),
    ("R-04", "unknown", |it| {
        it.look.permissions.as_mut().unwrap().as_mut().unwrap().permissions[0].verdict = PermissionVerdict::Unknown;
    }),
    ("R-04", "unknown", |it| it.look.permissions = why()),
    ("R-05", "fail", |it| it.look.tags.as_mut().unwrap().tags.clear()),
    ("R-05", "unknown", |it| it.look.tags = why()),
    ("R-05", "unknown", |it| {
        let tags = it.look.tags.as_mut().unwrap();
        tags.tags.clear();
        tags.is_cut = true;
    }),
    ("R-06", "fail", |it| it.environment.approvals = None),
    ("R-07", "fail", |it| it.look.lever = Ok(Some(true))),
    ("R-07", "unknown", |it| it.look.lever = why()),
    ("R-08", "fail", |it| it.facts.rehearsed.clear()),
    ("R-08", "fail", |it| it.facts.rehearsed.values_mut().for_each(|at| *at -= TimeDelta::days(60))),
    ("R-09", "fail", |it| it.facts.others.push("run `r` left 1 change behind".to_owned())),
    ("R-11", "fail", |it| it.facts.no_socket = Some("not private".to_owned())),
    ("R-12", "fail", |it| it.alarm("orders-throttles").state = AlarmState::Alarm),
    ("R-12", "fail", |it| it.alarm("orders-errors").state = AlarmState::InsufficientData),
    ("R-12", "fail", |it| drop_alarm(it, "orders-errors")),
    ("R-12", "unknown", |it| it.look.alarms = why()),
    ("R-13", "fail", |it| it.look.stacks = Ok(vec![stack("shop")])),
    ("R-13", "warn", |it| it.look.stacks = Ok(vec![stack("other")])),
    ("R-13", "unknown", |it| {
        it.look.stacks = Ok(vec![stack("other")]);
        it.look.tags = why();
    }),
    ("R-13", "unknown", |it| it.look.stacks = why()),
    ("R-14", "warn", |it| it.function().modified_at = Some(now() - TimeDelta::hours(1))),
    ("R-14", "unknown", |it| it.function().modified_at = None),
    ("R-16", "fail", |it| it.facts.closed.push("frozen".to_owned())),
    ("R-20", "fail", |it| it.facts.workload = None),
    ("R-20", "fail", |it| component(it).value = None),
    ("R-21", "fail", |it| component(it).owner = "team-pay".to_owned()),
    ("R-21", "fail", |it| it.look.tags.as_mut().unwrap().tags.clear()),
    ("R-21", "unknown", |it| it.look.tags = why()),
    ("R-22", "fail", |it| {
        it.facts.workload.as_mut().unwrap().risks.clear();
        component(it).risks.clear();
    }),
    ("R-23", "fail", |it| it.plan.scenario.people.values_mut().for_each(|person| person.who = "TBD".to_owned())),
    ("R-23", "fail", |it| it.plan.scenario.people.values_mut().for_each(|person| person.who = "maria".to_owned())),
    ("R-25", "warn", |it| it.plan.notify = None),
];

/// Section D.
const ALARMS: &[Case] = &[
    ("R-30", "fail", |it| drop_alarm(it, "orders-errors")),
    ("R-30", "unknown", |it| it.look.alarms = why()),
    ("R-30", "unknown", |it| {
        drop_alarm(it, "orders-errors");
        it.look.alarms.as_mut().unwrap().is_cut = true;
    }),
    ("R-31", "fail", |it| drop_alarm(it, "orders-throttles")),
    ("R-31", "unknown", |it| it.look.alarms = why()),
    ("R-32", "fail", |it| set_threshold(it, "orders-duration", 4_500.0)),
    ("R-32", "fail", |it| drop_alarm(it, "orders-duration")),
    ("R-32", "unknown", |it| it.look.functions = why()),
    ("R-32", "unknown", |it| it.function().timeout_seconds = None),
    ("R-33", "fail", |it| drop_alarm(it, "orders-asynceventage")),
    ("R-33", "unknown", |it| drop(it.look.invoke.insert("orders".to_owned(), why()))),
    ("R-34", "fail", |it| drop_alarm(it, "orders-iteratorage")),
    ("R-34", "unknown", |it| it.look.sources = why()),
    ("R-35", "fail", |it| set_threshold(it, "concurrency", 1_000.0)),
    ("R-35", "unknown", |it| it.look.limit = why()),
    ("R-37", "fail", |it| drop_alarm(it, "age")),
    ("R-37", "fail", |it| drop_alarm(it, "dead")),
    ("R-37", "unknown", |it| drop(it.look.queues.insert("jobs".to_owned(), why()))),
    ("R-38", "fail", |it| drop_alarm(it, "throttled")),
    ("R-38", "unknown", |it| it.look.alarms = why()),
    ("R-40", "fail", |it| {
        it.alarm("orders-errors").settings.actions_enabled = false;
        it.alarm("orders").settings.actions.clear();
    }),
    ("R-40", "pass", |it| it.alarm("orders-errors").settings.actions.clear()),
    ("R-40", "unknown", |it| it.look.alarms = why()),
    ("R-41", "fail", |it| subscribed(it, Subscriptions { pending: 2, ..Subscriptions::default() })),
    ("R-41", "fail", |it| subscribed(it, Subscriptions::default())),
    ("R-41", "unknown", |it| subscribed(it, Subscriptions { is_cut: true, ..Subscriptions::default() })),
    ("R-41", "unknown", |it| drop(it.look.subscriptions.insert(TOPIC.to_owned(), why()))),
    ("R-41", "unknown", |it| it.look.subscriptions.clear()),
    ("R-42", "fail", |it| mute(it, "cron(odd)", true)),
    ("R-42", "fail", |it| mute(it, "cron(5 10 * * *)", false)),
    ("R-42", "pass", |it| mute(it, "cron(0 2 * * *)", false)),
    ("R-42", "unknown", |it| mute(it, "rate(1 day)", false)),
    ("R-42", "unknown", |it| it.look.mutes = why()),
    ("R-42", "unknown", |it| it.look.mutes.as_mut().unwrap().is_cut = true),
    ("R-43", "fail", |it| set_missing(it, MissingData::NotBreaching)),
    ("R-43", "unknown", |it| it.look.alarms = why()),
    ("R-44", "fail", |it| it.alarm("orders-errors").settings.description = None),
    ("R-44", "fail", |it| it.alarm("orders-errors").settings.description = Some("pb-errors-2".to_owned())),
    ("R-44", "unknown", |it| {
        it.facts.playbooks.clear();
        it.facts.unread_playbooks.push("`pb.md`".to_owned());
    }),
    ("R-45", "fail", |it| bound(it, "detect(orders-errors) <= 1m")),
    ("R-45", "warn", |it| bound(it, "detect(orders-errors) <= 3m")),
    ("R-45", "unknown", |it| drop_alarm(it, "orders-errors")),
    ("R-45", "unknown", |it| it.alarm("orders-errors").settings.subject = AlarmSubject::Other),
    ("R-46", "fail", |it| drop(it.look.history.insert("orders-errors".to_owned(), Ok(AlarmHistory::default())))),
    ("R-46", "unknown", |it| drop(it.look.history.insert("orders-errors".to_owned(), why()))),
    ("R-46", "unknown", |it| {
        let cut = AlarmHistory { is_cut: true, ..AlarmHistory::default() };
        it.look.history.insert("orders-errors".to_owned(), Ok(cut));
    }),
    ("R-47", "warn", |it| {
        let rule = "ALARM(orders-errors) OR ALARM(gone)".to_owned();
        it.alarm("orders").settings.subject = AlarmSubject::Composite { rule, suppressor: None };
    }),
    ("R-47", "unknown", |it| it.look.alarms = why()),
    ("R-48", "fail", |it| it.look.dashboards.as_mut().unwrap().0.clear()),
    ("R-48", "unknown", |it| it.look.dashboards = why()),
    ("R-48", "unknown", |it| it.look.dashboards = Ok((std::collections::BTreeMap::new(), true))),
    ("R-49", "fail", |it| drop(it.plan.signals.remove("sold"))),
    ("R-49", "fail", |it| drop(it.look.business.insert("sold".parse().unwrap(), Ok(false)))),
    ("R-49", "unknown", |it| drop(it.look.business.insert("sold".parse().unwrap(), why()))),
    ("R-50", "warn", |it| it.look.canaries.as_mut().unwrap().runs[0].passed = false),
    ("R-50", "fail", |it| {
        it.look.canaries = Ok(CanaryRuns::default());
        it.plan.signals.remove("ok");
    }),
    ("R-50", "unknown", |it| it.look.canaries = why()),
    ("R-51", "warn", |it| it.facts.workload.as_mut().unwrap().kpis = None),
];

/// Sections E to I.
const SYSTEM: &[Case] = &[
    ("R-52", "fail", |it| it.look.log_groups.as_mut().unwrap().groups[0].retention_days = Some(7)),
    ("R-52", "fail", |it| it.look.log_groups.as_mut().unwrap().groups.clear()),
    ("R-52", "warn", |it| it.look.log_groups.as_mut().unwrap().groups[0].retention_days = None),
    ("R-52", "unknown", |it| it.look.log_groups = why()),
    ("R-53", "fail", |it| lines(it, "sold one")),
    ("R-53", "unknown", |it| lines(it, "REPORT RequestId: 1")),
    ("R-53", "unknown", |it| it.look.samples.clear()),
    ("R-54", "fail", |it| lines(it, r#"{"message": "sold"}"#)),
    ("R-54", "pass", |it| lines(it, "[INFO]\t2026\t8f507cfc-xmpl-4697\tx Root=1-5759e988-bd862e3fe1be46a994272793")),
    ("R-54", "unknown", |it| drop(it.look.samples.insert("/aws/lambda/orders".to_owned(), why()))),
    ("R-55", "fail", |it| it.function().keeps_reports = Some(false)),
    ("R-55", "unknown", |it| it.look.functions = why()),
    ("R-58", "fail", |it| lines(it, "key AKIAIOSFODNN7EXAMPLE")),
    ("R-58", "unknown", |it| drop(it.look.samples.insert("/aws/lambda/orders".to_owned(), Ok(Vec::new())))),
    ("R-60", "fail", |it| it.function().is_traced = Some(false)),
    ("R-60", "unknown", |it| it.function().is_traced = None),
    ("R-61", "fail", |it| it.look.traces = Ok(0)),
    ("R-61", "warn", |it| (it.look.traces, it.look.destination) = (Ok(0), Ok(crate::aws::TraceDestination::Logs))),
    ("R-61", "unknown", |it| it.look.traces = why()),
    ("R-65", "fail", |it| {
        it.look.invoke.insert("orders".to_owned(), Ok(Some(InvokeConfiguration::default())));
    }),
    ("R-65", "unknown", |it| drop(it.look.invoke.insert("orders".to_owned(), why()))),
    ("R-66", "fail", |it| queue(it, |queue| queue.visibility_seconds = 29)),
    ("R-66", "fail", |it| queue(it, |queue| queue.dead_letter = None)),
    ("R-66", "unknown", |it| it.look.sources = why()),
    ("R-67", "warn", |it| it.look.sources.as_mut().unwrap().sources[0].reports_failures = false),
    ("R-67", "unknown", |it| it.look.sources = why()),
    ("R-68", "fail", |it| it.look.limit = Ok(2)),
    ("R-68", "unknown", |it| it.look.limit = why()),
    ("R-70", "warn", |it| it.function().runtime = Some("nodejs12.x".to_owned())),
    ("R-70", "unknown", |it| it.look.functions = why()),
    ("R-75", "fail", |it| drop(it.look.versions.insert("orders".to_owned(), Ok((Vec::new(), 2))))),
    ("R-75", "unknown", |it| drop(it.look.versions.insert("orders".to_owned(), why()))),
    ("R-78", "warn", |it| it.look.tags.as_mut().unwrap().tags.clear()),
    ("R-78", "unknown", |it| it.look.tags = why()),
    ("R-79", "fail", |it| drop(it.facts.accounts.insert("dev".to_owned(), ("111122223333".to_owned(), false)))),
    ("R-80", "fail", |it| variable(it, "DB_PASSWORD", "hunter2000")),
    ("R-80", "unknown", |it| it.function().environment = None),
    ("R-85", "fail", |it| it.facts.playbooks.clear()),
    ("R-85", "fail", |it| it.facts.exercised.clear()),
    ("R-85", "unknown", |it| {
        it.facts.playbooks.clear();
        it.facts.unread_playbooks.push("`pb.md`".to_owned());
    }),
    ("R-86", "fail", |it| it.facts.playbooks.iter_mut().for_each(|playbook| playbook.commands.clear())),
    ("R-86", "unknown", |it| {
        it.facts.playbooks.clear();
        it.facts.unread_playbooks.push("`pb.md`".to_owned());
    }),
    ("R-88", "fail", |it| {
        let text = || "late".to_owned();
        it.facts.barriers.push(Barrier { objection: text(), remedy: text() });
    }),
    ("R-88", "warn", |it| it.facts.unsettled.push("L-1".to_owned())),
    ("R-89", "warn", |it| it.facts.previous = None),
    ("R-90", "fail", |it| it.facts.free_bytes = Some(1)),
    ("R-90", "fail", |it| it.look.clock = Ok(Some(TimeDelta::seconds(-3)))),
    ("R-90", "fail", |it| it.facts.not_writable = Some("full".to_owned())),
    ("R-90", "unknown", |it| it.look.clock = why()),
    ("R-90", "unknown", |it| it.facts.free_bytes = None),
];

/// What files and this machine always answer.
const ALWAYS_KNOWN: [&str; 14] =
    ["R-02", "R-06", "R-08", "R-09", "R-11", "R-16", "R-20", "R-22", "R-23", "R-25", "R-51", "R-79", "R-88", "R-89"];

fn stack(name: &str) -> ChangingStack {
    ChangingStack { name: name.to_owned(), state: "UPDATE_IN_PROGRESS".to_owned() }
}

fn component(sample: &mut Sample) -> &mut crate::workspace::Component {
    let workload = sample.facts.workload.as_mut().unwrap();
    workload.components.get_mut(&"orders".parse::<crate::unit::ComponentId>().unwrap()).unwrap()
}

fn subscribed(sample: &mut Sample, subscriptions: Subscriptions) {
    sample.look.subscriptions.insert(TOPIC.to_owned(), Ok(subscriptions));
}

fn bound(sample: &mut Sample, text: &str) {
    sample.plan.hypotheses[0].expect = crate::plan::testing::expectation(text);
}

fn cases() -> impl Iterator<Item = &'static Case> {
    PEOPLE.iter().chain(ALARMS).chain(SYSTEM)
}

#[test]
fn where_everything_is_as_it_should_be_every_check_passes() {
    let sample = Sample::good();
    for check in TABLE {
        let id = check.id.to_string();
        assert_eq!(sample.outcome(&id), Some(Outcome::Pass), "{id}");
    }
}

#[test]
fn each_check_tells_what_is_wrong_and_what_is_not_known() {
    for (id, expected, spoil) in cases() {
        let mut sample = Sample::good();
        spoil(&mut sample);
        let outcome = sample.outcome(id).unwrap_or_else(|| panic!("{id} does not apply"));
        assert_eq!(outcome.name(), *expected, "{id}: {outcome:?}");
    }
}

#[test]
fn every_check_has_a_case_that_is_wrong_and_one_that_is_not_known() {
    for check in TABLE {
        let id = check.id.to_string();
        let of_check: BTreeSet<&str> = cases().filter(|case| case.0 == id).map(|case| case.1).collect();
        assert!(of_check.contains("fail") || of_check.contains("warn"), "{id} never fails");
        assert_eq!(!of_check.contains("unknown"), ALWAYS_KNOWN.contains(&id.as_str()), "{id}");
    }
}

/// Whatever is asked of the account, silence is no answer.
#[test]
fn where_nobody_answers_nothing_passes_that_the_account_would_have_to_tell() {
    let mut sample = Sample::good();
    sample.look = Look::nothing(now(), "no answer");
    for check in TABLE.iter().filter(|check| !ALWAYS_KNOWN.contains(&check.id.to_string().as_str())) {
        let id = check.id.to_string();
        let outcome = sample.outcome(&id);
        let is_of_files = ["R-85", "R-86"].contains(&id.as_str());
        assert!(is_of_files || !matches!(outcome, Some(Outcome::Pass | Outcome::Warn(_))), "{id}: {outcome:?}");
    }
}

#[test]
fn secrets_are_told_by_name_and_place_and_never_by_value() {
    let mut sample = Sample::good();
    variable(&mut sample, "DB_PASSWORD", "hunter2000");
    lines(&mut sample, "password=hunter2000 AKIAIOSFODNN7EXAMPLE");
    let readiness =
        judge((&sample.plan, &sample.environment), &sample.facts, (&sample.look, &sample.scope()), &Asked::default());
    let told = format!("{readiness:?}{}{}", junit("n", &readiness).unwrap(), sarif("s.yaml", &readiness));
    assert!(told.contains("`DB_PASSWORD`") && told.contains("an access key of AWS in 10 of 10 lines"), "{told}");
    assert!(!told.contains("hunter2000") && !told.contains("AKIA"), "{told}");
}

#[test]
fn in_an_account_a_must_that_fails_or_is_not_known_keeps_a_run_from_beginning() {
    let blocks = |spoil: Spoil, kind: Option<EnvironmentKind>, id: &str| {
        let mut sample = Sample::good();
        spoil(&mut sample);
        if let Some(kind) = kind {
            sample.plan.environment.kind = kind;
        }
        sample.result(id).is_some_and(|result| result.blocks)
    };
    let endpoint = || {
        Some(EnvironmentKind::Endpoint {
            url: "http://127.0.0.1:1".to_owned(),
            account: None,
            profile: None,
            role: None,
        })
    };
    let silent: Spoil = |it| it.look.alarms = why();
    let failed: Spoil = |it| drop_alarm(it, "orders-errors");
    let busy: Spoil = |it| it.facts.others.push("run `r` is alive".to_owned());
    assert!(blocks(silent, None, "R-30") && blocks(failed, None, "R-30"));
    assert!(!blocks(failed, endpoint(), "R-30") && !blocks(failed, Some(EnvironmentKind::Sandbox), "R-30"));
    assert!(blocks(busy, endpoint(), "R-09"), "what is about safety counts everywhere");
    assert!(!blocks(|it| drop_alarm(it, "orders-throttles"), None, "R-31"), "a should keeps nobody");
}

#[test]
fn a_waiver_holds_for_what_it_names_until_its_day_and_for_nothing_that_every_run_sees_to() {
    let with = |waiver: &str| {
        let mut sample = Sample::good();
        sample.environment = environment(&format!(", waivers: [{{{waiver}}}]"));
        drop_alarm(&mut sample, "orders-errors");
        sample.facts.others.push("run `r` is alive".to_owned());
        let readiness = judge(
            (&sample.plan, &sample.environment),
            &sample.facts,
            (&sample.look, &sample.scope()),
            &Asked { severity: Some(Severity::Must), ..Asked::default() },
        );
        let result = |id: &str| {
            let id: CheckId = id.parse().unwrap();
            readiness.checks.iter().find(|check| check.id == id).unwrap().clone()
        };
        (result("R-30"), result("R-09"), readiness.waivers)
    };
    let (waived, _, idle) = with("check: R-30, reason: The load balancer has one, by: maria, until: 2026-11-28");
    assert_eq!((waived.result, waived.blocks, waived.waived_by.as_deref()), ("waived", false, Some("maria")));
    assert!(waived.why.unwrap().contains("without that: fail: no alarm watches Errors"));
    assert_eq!(idle, Vec::<String>::new());
    let (late, _, idle) = with("check: R-30, reason: Later, by: maria, until: 2026-11-27");
    assert_eq!((late.result, late.blocks), ("fail", true));
    assert!(idle[0].contains("it held until 2026-11-27"), "{idle:?}");
    let (_, alone, idle) = with("check: R-09, reason: We know, by: maria");
    assert_eq!((alone.result, alone.blocks), ("fail", true));
    assert!(idle[0].contains("every run sees to it by itself"), "{idle:?}");
}

#[test]
fn what_a_run_sees_to_by_itself_is_not_asked_twice() {
    let mut sample = Sample::good();
    sample.look.account = why();
    sample.look.stacks = why();
    sample.alarm("orders-throttles").state = AlarmState::Alarm;
    let readiness = judge(
        (&sample.plan, &sample.environment),
        &sample.facts,
        (&sample.look, &sample.scope()),
        &Asked::before_run(),
    );
    let asked: Vec<String> = readiness.checks.iter().map(|check| check.id.to_string()).collect();
    let expected = ["R-02", "R-04", "R-06", "R-11", "R-12", "R-13", "R-20", "R-23", "R-30", "R-40", "R-41", "R-42"];
    assert_eq!(asked, expected);
    let barriers = readiness.barriers();
    let objections: Vec<&str> = barriers.iter().map(|barrier| barrier.objection.as_str()).collect();
    let expected = [
        "R-12 fails (no alarm on the targets is in ALARM, and none that is expected lacks data): `orders-throttles` is in ALARM",
        "R-13 is not known (no stack of the targets is being changed): throttled",
    ];
    assert_eq!(objections, expected);
}

#[test]
fn the_next_night_tells_what_became_worse_and_what_became_better() {
    let directory = tempfile::tempdir().unwrap();
    let judged = |sample: &Sample| {
        judge((&sample.plan, &sample.environment), &sample.facts, (&sample.look, &sample.scope()), &Asked::default())
    };
    let (good, mut bad) = (Sample::good(), Sample::good());
    drop_alarm(&mut bad, "orders-throttles");
    bad.look.limit = why();
    assert_eq!(read_kept(directory.path(), &bad.plan).unwrap(), None);
    let path = keep(directory.path(), &bad.plan, &judged(&bad)).unwrap();
    assert!(path.ends_with("readiness/drill-it.json"));
    let kept: Kept = read_kept(directory.path(), &good.plan).unwrap().unwrap();
    let told: Vec<(String, bool)> = shifts(&kept, &judged(&good))
        .into_iter()
        .map(|Shift { id, is_worse, .. }| (id.to_string(), is_worse))
        .collect();
    assert_eq!(told, ["R-31", "R-35", "R-68"].map(|id| (id.to_owned(), false)));
    keep(directory.path(), &good.plan, &judged(&good)).unwrap();
    let kept = read_kept(directory.path(), &good.plan).unwrap().unwrap();
    let worse = shifts(&kept, &judged(&bad));
    assert_eq!((worse.len(), worse[0].before, worse[0].after, worse[0].is_worse), (3, "pass", "fail", true));
    std::fs::write(&path, "{}").unwrap();
    assert!(read_kept(directory.path(), &good.plan).is_err(), "what is broken is no last result");
}

#[test]
fn what_is_missing_is_written_down_and_what_is_not_known_is_not() {
    let mut sample = Sample::good();
    let files =
        |sample: &Sample| snippets((&sample.plan, &sample.environment), &sample.facts, (&sample.look, &sample.scope()));
    assert!(files(&sample).is_empty());
    for alarm in ["orders-errors", "orders-duration", "orders-iteratorage", "age", "dead"] {
        drop_alarm(&mut sample, alarm);
    }
    sample.look.log_groups.as_mut().unwrap().groups[0].retention_days = None;
    sample.function().is_traced = Some(false);
    let told = files(&sample);
    let names: Vec<&str> = told.keys().map(String::as_str).collect();
    assert_eq!(names, ["alarms.yaml", "log-groups.yaml", "tracing.yaml"]);
    let alarms: serde_json::Value = serde_yaml::from_str(&told["alarms.yaml"]).unwrap();
    let resources = alarms["Resources"].as_object().unwrap();
    assert_eq!(resources.len(), 5, "{resources:#?}");
    let duration = &resources["OrdersDurationAlarm"]["Properties"];
    assert_eq!((&duration["Threshold"], &duration["ExtendedStatistic"]), (&4_000.0.into(), &"p99".into()));
    assert_eq!(duration["AlarmActions"][0], TOPIC, "those are told whom other alarms tell");
    assert!(told["tracing.yaml"].contains("Mode: Active"));
    sample.look.alarms = why();
    sample.look.log_groups = why();
    assert_eq!(files(&sample).keys().collect::<Vec<_>>(), ["tracing.yaml"]);
    let mut slow = Sample::good();
    bound(&mut slow, "detect(orders-errors) <= 4m");
    assert!(files(&slow)["alarms-mended.yaml"].contains("DatapointsToAlarm: 1"), "{:?}", files(&slow));
}

#[test]
fn other_programs_see_no_pass_where_there_is_none() {
    let mut sample = Sample::good();
    sample.environment = environment(", waivers: [{check: R-32, reason: Later, by: maria}]");
    drop_alarm(&mut sample, "orders-errors");
    drop_alarm(&mut sample, "orders-duration");
    sample.look.limit = why();
    sample.plan.notify = None;
    let readiness =
        judge((&sample.plan, &sample.environment), &sample.facts, (&sample.look, &sample.scope()), &Asked::default());
    let xml = junit("drill.it", &readiness).unwrap();
    for (id, mark) in [("R-30", "<failure"), ("R-35", "<error"), ("R-32", "<skipped")] {
        let case = xml.split("<testcase").find(|case| case.contains(&format!("\"{id} "))).unwrap();
        assert!(case.contains(mark), "{case}");
    }
    let log = sarif("scenarios/drill.yaml", &readiness);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let of = |id: &str| results.iter().find(|result| result["ruleId"] == id).unwrap();
    assert_eq!((&of("R-30")["level"], &of("R-35")["level"]), (&"error".into(), &"note".into()));
    assert_eq!((&of("R-25")["level"], &of("R-32")["level"]), (&"note".into(), &"note".into()));
    assert_eq!(of("R-32")["suppressions"][0]["justification"], "Later (maria)");
    assert!(results.iter().all(|result| result["ruleId"] != "R-31"), "a pass is no finding");
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
}

/// A gateway in the way, a proxy that wants a login, a service that is too busy: nothing of it is a pass.
#[tokio::test]
async fn no_answer_that_is_none_becomes_a_pass() {
    let html = "<html><body>login</body></html>";
    for reply in [Reply::new(200, html), Reply::new(503, html), Reply::new(429, ""), Reply::new(200, ""), Reply::Break]
    {
        let server = Server::start([reply.clone()]).await;
        let aws = Aws::made_up_at(&server, FakeFunctions::new([]));
        let mut sample = Sample::good();
        sample.plan.environment.kind =
            EnvironmentKind::Endpoint { url: server.url.clone(), account: None, profile: None, role: None };
        let survey = Survey::made_up(aws, None);
        let scope = sample.scope();
        sample.look = Look::take(&survey, &sample.plan, &sample.environment, &scope, (Depth::All, now())).await;
        for check in TABLE {
            let id = check.id.to_string();
            // What an emulator without an account is not asked, and what files tell.
            if ALWAYS_KNOWN.contains(&id.as_str()) || ["R-01", "R-03", "R-85", "R-86", "R-90"].contains(&id.as_str()) {
                continue;
            }
            let outcome = sample.outcome(&id);
            assert!(!matches!(outcome, Some(Outcome::Pass)), "{id}: {outcome:?} from {reply:?}");
        }
    }
}

#[tokio::test]
async fn whoever_is_in_another_account_asks_nothing_of_it() {
    let caller = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>999999999999</Account><Arn>arn:aws:iam::999999999999:user/x</Arn>\
                  </GetCallerIdentityResult></GetCallerIdentityResponse>";
    let date = now().format("date: %a, %d %b %Y %H:%M:%S GMT\r\n").to_string();
    let server = Server::start([Reply::Answer { status: 200, headers: date, body: caller.to_owned() }]).await;
    let aws = Aws::made_up_at(&server, FakeFunctions::new([]));
    let survey = Survey::made_up(aws, Some(crate::fault::AccountGuard::new("it", "111122223333")));
    let mut sample = Sample::good();
    let scope = sample.scope();
    sample.look = Look::take(&survey, &sample.plan, &sample.environment, &scope, (Depth::All, now())).await;
    assert_eq!(sample.outcome("R-01").map(|outcome| outcome.name()), Some("fail"), "{:?}", sample.outcome("R-01"));
    let Some(Outcome::Unknown(why)) = sample.outcome("R-30") else { panic!("{:?}", sample.outcome("R-30")) };
    assert!(why.contains("nothing is asked") && why.contains("999999999999"), "{why}");
    let sent = server.recorded();
    assert!(sent.iter().all(|it| it.body.contains("Action=GetCallerIdentity")), "{sent:?}");
}
