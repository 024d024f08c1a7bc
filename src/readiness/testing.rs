//! An account and a workspace in which everything is as it should be, for tests to spoil.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::facts::Facts;
use super::judge::{Asked, CheckResult, judge};
use super::look::{Look, Scope};
use super::outcome::Outcome;
use crate::aws::{
    AlarmHistory, AlarmHistoryEntry, AlarmHistoryKind, AlarmList, AlarmReading, CanaryRun, CanaryRuns, CredentialsEnd,
    EnvironmentVariables, FunctionList, InvokeConfiguration, ListedFunction, ListedSource, LogGroup, LogGroups,
    MuteList, QueueSettings, SourceList, Subscriptions, TaggedResources, TraceDestination,
};
use crate::document::SourceFile;
use crate::fault::{AwsResource, FaultSpec};
use crate::plan::testing::{Sketch, expectation, load_spec, variable};
use crate::plan::{AlarmPlan, ChangePlan, EnvironmentKind, HypothesisPlan, Plan, TargetPlan};
use crate::playbook;
use crate::run::{PermissionVerdict, Permissions, Permitted};
use crate::scenario::{Covers, Mode};
use crate::unit::{AlarmRule, AlarmSettings, AlarmState, AlarmSubject, CheckId, MetricName, MissingData, Severity};
use crate::workspace::{Environment, Workspace};

pub(super) const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:pager";
const QUEUE: &str = "arn:aws:sqs:eu-west-1:111122223333:jobs";
const STREAM: &str = "arn:aws:kinesis:eu-west-1:111122223333:stream/clicks";

/// All that checks judge by.
pub(super) struct Sample {
    pub(super) plan: Plan,
    pub(super) environment: Environment,
    pub(super) facts: Facts,
    pub(super) look: Look,
}

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-28T10:00:00Z".parse().unwrap()
}

impl Sample {
    /// Everything is as it should be.
    pub(super) fn good() -> Self {
        Self { plan: plan(), environment: environment(""), facts: facts(), look: look() }
    }

    pub(super) fn scope(&self) -> Scope {
        Scope::of(&self.plan, self.facts.workload.as_ref())
    }

    /// What came of one check; none where it does not apply.
    pub(super) fn result(&self, id: &str) -> Option<CheckResult> {
        let id: CheckId = id.parse().unwrap();
        let asked = Asked { only: [id].into(), ..Asked::default() };
        let readiness = judge((&self.plan, &self.environment), &self.facts, (&self.look, &self.scope()), &asked);
        readiness.checks.into_iter().next()
    }

    pub(super) fn outcome(&self, id: &str) -> Option<Outcome> {
        self.result(id).map(|result| result.outcome)
    }

    pub(super) fn alarm(&mut self, name: &str) -> &mut AlarmReading {
        self.look.alarms.as_mut().unwrap().alarms.get_mut(name).unwrap()
    }

    pub(super) fn function(&mut self) -> &mut ListedFunction {
        &mut self.look.functions.as_mut().unwrap().functions[0]
    }
}

pub(super) fn environment(more: &str) -> Environment {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "gameday: 1\nenvironments:\n  it: {{account: '111122223333', region: eu-west-1, class: production, \
         approvals: {{need: 2, from: [owner, lead]}}, require_tags: {{game-day: 'yes'}}{more}}}\n"
    );
    std::fs::write(directory.path().join("gameday.yaml"), text).unwrap();
    Workspace::discover(directory.path()).unwrap().environment("it").unwrap().clone()
}

fn change(name: &str, spec: serde_json::Value) -> ChangePlan {
    let spec: FaultSpec = serde_json::from_value(spec).unwrap();
    let kind = spec.kind().unwrap();
    let (key, target) = (kind.key().to_owned(), kind.target().clone());
    ChangePlan { kind: key, target, spec, ..variable(name, "orders", "A") }
}

fn plan() -> Plan {
    let mut plan = Sketch::new(Mode::Drill)
        .phase("broken", 600)
        .person("facilitator", true, false)
        .person("responder", true, false)
        .plan();
    plan.environment.name = "it".to_owned();
    plan.environment.kind = EnvironmentKind::Account {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        profile: None,
        role: None,
    };
    let function = TargetPlan::Lambda { function: "orders".to_owned(), alias: Some("live".to_owned()), url: None };
    plan.targets.insert("orders".parse().unwrap(), function);
    plan.targets.insert("stock".parse().unwrap(), TargetPlan::Resource(AwsResource::Table("stock".to_owned())));
    let experiment = json!({"target": "orders", "template": "EXT4mJzrL8Ck7vW"});
    for change in [
        change("none", json!({"lambda_concurrency": {"target": "orders", "reserved": 0}})),
        change("fis", json!({"fis_experiment": experiment})),
    ] {
        plan.changes.insert(change.fault.clone(), change);
    }
    plan.loads.insert("users".parse().unwrap(), load_spec("1m", "abort"));
    plan.signals = serde_yaml::from_str(
        "sold: {level: business, cloudwatch: {namespace: Shop, metric: Orders, stat: sum}}\n\
         ok: {level: ux, load: {of: users, stat: success_ratio}}\n",
    )
    .unwrap();
    plan.hypotheses = vec![HypothesisPlan {
        id: "H1".parse().unwrap(),
        text: "It is seen".to_owned(),
        expect: expectation("detect(orders-errors) <= 10m"),
        severity: Severity::High,
        known_gap: None,
        faults: std::collections::BTreeSet::new(),
    }];
    plan.alarms = Some(AlarmPlan { expected: vec!["orders-errors".parse().unwrap()], ..AlarmPlan::default() });
    plan.components = BTreeMap::from([("orders".parse().unwrap(), ["orders".parse().unwrap()].into())]);
    plan.scenario.covers = Some(Covers { components: vec!["orders".parse().unwrap()], ..Covers::default() });
    plan.notify = Some(serde_json::from_value(json!({"slack": "SLACK_URL", "events": []})).unwrap());
    plan
}

const WORKLOAD: &str = "gameday: 1
purpose: Sells
stakeholders: [{name: Shoppers}]
teams: {team-shop: {}}
components:
  orders: {owner: team-shop, value: All, priority: 1, risks: [R1], lambda: {function: orders}}
risks: {R1: {component: orders, text: Falls, likelihood: 2, impact: 3}}
kpis: {team: [{name: Open issues}]}
";

fn playbook(id: &str, kind: &str) -> playbook::Playbook {
    let text = format!(
        "---\nid: {id}\nkind: {kind}\ntitle: Back\nowner: team-shop\nalarms: [orders-errors]\ncomponents: [orders]\n---\n\
         # Back\n\n## 1. Do\n- [ ] Look `id:look`\n\n```sh {{name=back}}\naws lambda update-alias\n```\n"
    );
    let mut playbook = playbook::check(&Arc::new(SourceFile::new(format!("playbooks/{id}.md"), text))).unwrap();
    playbook.warnings.clear();
    playbook
}

fn facts() -> Facts {
    let week = now() - TimeDelta::days(7);
    Facts {
        workload: Some(serde_yaml::from_str(WORKLOAD).unwrap()),
        accounts: BTreeMap::from([("it".to_owned(), ("111122223333".to_owned(), true))]),
        playbooks: vec![playbook("pb-errors", "playbook"), playbook("rb-back", "runbook")],
        exercised: BTreeMap::from([("pb-errors".parse().unwrap(), week)]),
        rehearsed: ["lambda_concurrency", "fis_experiment"].map(|kind| (kind.to_owned(), week)).into(),
        previous: Some("2026-11-21-100000-drill".to_owned()),
        free_bytes: Some(1 << 40),
        ..Facts::default()
    }
}

/// An alarm on a metric, for which two of two minutes count.
pub(super) fn alarm(name: &str, (namespace, metric): (&str, &str), dimension: Option<(&str, &str)>) -> AlarmReading {
    let dimensions = dimension.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let metric = MetricName { namespace: namespace.to_owned(), name: metric.to_owned(), dimensions };
    let rule = AlarmRule {
        evaluation_periods: 2,
        datapoints_to_alarm: 2,
        threshold: Some(500.0),
        comparison: "GreaterThanThreshold".to_owned(),
        missing: MissingData::Breaching,
    };
    AlarmReading {
        name: name.to_owned(),
        state: AlarmState::Ok,
        transitioned_at: now(),
        is_exact: true,
        reason: String::new(),
        settings: AlarmSettings {
            description: Some("see playbooks/pb-errors.md".to_owned()),
            actions_enabled: true,
            actions: vec![TOPIC.to_owned()],
            configured_at: None,
            subject: AlarmSubject::Metric { metric, statistic: "Sum".to_owned(), period_seconds: 60, rule },
        },
    }
}

fn composite() -> AlarmReading {
    let subject = AlarmSubject::Composite { rule: "ALARM(orders-errors)".to_owned(), suppressor: None };
    let reading = alarm("orders", ("", ""), None);
    AlarmReading { settings: AlarmSettings { subject, ..reading.settings }, ..reading }
}

fn alarms() -> BTreeMap<String, AlarmReading> {
    let function = Some(("FunctionName", "orders"));
    let of_function = ["Errors", "Throttles", "Duration", "AsyncEventAge", "IteratorAge"]
        .map(|metric| alarm(&format!("orders-{}", metric.to_lowercase()), ("AWS/Lambda", metric), function));
    let others = [
        alarm("concurrency", ("AWS/Lambda", "ConcurrentExecutions"), None),
        alarm("age", ("AWS/SQS", "ApproximateAgeOfOldestMessage"), Some(("QueueName", "jobs"))),
        alarm("dead", ("AWS/SQS", "ApproximateNumberOfMessagesVisible"), Some(("QueueName", "dead"))),
        alarm("throttled", ("AWS/DynamoDB", "ThrottledRequests"), Some(("TableName", "stock"))),
        composite(),
    ];
    of_function.into_iter().chain(others).map(|alarm| (alarm.name.clone(), alarm)).collect()
}

fn orders() -> ListedFunction {
    ListedFunction {
        name: "orders".to_owned(),
        arn: "arn:aws:lambda:eu-west-1:111122223333:function:orders".to_owned(),
        runtime: Some("python3.13".to_owned()),
        timeout_seconds: Some(5),
        modified_at: Some(now() - TimeDelta::days(3)),
        is_traced: Some(true),
        logs_json: None,
        keeps_reports: Some(true),
        log_group: "/aws/lambda/orders".to_owned(),
        dead_letter: None,
        environment: Some(EnvironmentVariables(BTreeMap::from([("STAGE".to_owned(), "production".to_owned())]))),
    }
}

fn source(arn: &str) -> ListedSource {
    ListedSource {
        function_arn: "arn:aws:lambda:eu-west-1:111122223333:function:orders:live".to_owned(),
        source_arn: arn.to_owned(),
        retries_max: Some(3),
        bisects: true,
        reports_failures: true,
    }
}

fn tags() -> TaggedResources {
    let own = [("game-day", "yes"), ("owner", "team-shop"), ("aws:cloudformation:stack-name", "shop")];
    let own: BTreeMap<String, String> = own.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let arns = ["lambda:eu-west-1:111122223333:function:orders", "dynamodb:eu-west-1:111122223333:table/stock"];
    TaggedResources { tags: arns.map(|arn| (format!("arn:aws:{arn}"), own.clone())).into(), is_cut: false }
}

fn permissions() -> Permissions {
    let permitted = Permitted {
        action: "lambda:PutFunctionConcurrency".to_owned(),
        resource: "arn:1".to_owned(),
        is_for_undo: true,
        verdict: PermissionVerdict::Allowed,
        why: None,
    };
    Permissions { principal: "arn:role".to_owned(), permissions: vec![permitted] }
}

fn look() -> Look {
    let orders_name = || "orders".to_owned();
    let line = r#"{"level": "INFO", "xray_trace_id": "1-5", "message": "sold"}"#.to_owned();
    let rang =
        AlarmHistoryEntry { at: now() - TimeDelta::days(9), kind: AlarmHistoryKind::Action, summary: String::new() };
    let queue = QueueSettings {
        arn: QUEUE.to_owned(),
        visibility_seconds: 30,
        dead_letter: Some(QUEUE.replace("jobs", "dead")),
    };
    let invoke = InvokeConfiguration { on_failure: Some(TOPIC.to_owned()), ..InvokeConfiguration::default() };
    let canary = CanaryRun { canary: "door".to_owned(), passed: true, ended_at: Some(now() - TimeDelta::minutes(5)) };
    let group = LogGroup { name: "/aws/lambda/orders".to_owned(), retention_days: Some(30), stored_bytes: None };
    Look {
        region: "eu-west-1".to_owned(),
        account: Ok(Some("111122223333".to_owned())),
        clock: Ok(Some(TimeDelta::zero())),
        credentials: Ok(Some(CredentialsEnd::Renewed)),
        permissions: Ok(Some(permissions())),
        lever: Ok(Some(false)),
        stacks: Ok(Vec::new()),
        tags: Ok(tags()),
        functions: Ok(FunctionList { functions: vec![orders()], is_cut: false }),
        sources: Ok(SourceList { sources: vec![source(QUEUE), source(STREAM)], is_cut: false }),
        limit: Ok(1_000),
        invoke: BTreeMap::from([(orders_name(), Ok(Some(invoke)))]),
        versions: BTreeMap::from([(orders_name(), Ok((vec!["live".to_owned()], 2)))]),
        queues: BTreeMap::from([("jobs".to_owned(), Ok(queue))]),
        alarms: Ok(AlarmList { alarms: alarms(), is_cut: false }),
        mutes: Ok(MuteList::default()),
        subscriptions: BTreeMap::from([(TOPIC.to_owned(), Ok(Subscriptions { confirmed: 1, ..Default::default() }))]),
        history: BTreeMap::from([(
            "orders-errors".to_owned(),
            Ok(AlarmHistory { entries: vec![rang], is_cut: false }),
        )]),
        dashboards: Ok((BTreeMap::from([("shop".to_owned(), r#"["orders", "stock"]"#.to_owned())]), false)),
        canaries: Ok(CanaryRuns { runs: vec![canary], is_cut: false }),
        business: BTreeMap::from([("sold".parse().unwrap(), Ok(true))]),
        durations: BTreeMap::from([(orders_name(), Ok(Some(120.0)))]),
        log_groups: Ok(LogGroups { groups: vec![group], is_cut: false }),
        samples: BTreeMap::from([("/aws/lambda/orders".to_owned(), Ok(vec![line; 20]))]),
        traces: Ok(3),
        destination: Ok(TraceDestination::XRay),
        ..Look::nothing(now(), "")
    }
}

/// How long a run of the sample lasts.
pub(super) const LASTS: Duration = Duration::from_secs(600);
