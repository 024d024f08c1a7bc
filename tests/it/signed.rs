//! Signed requests against an emulator that somebody else wrote: each call does what it says, and its signature is right.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use chrono::{DateTime, TimeDelta, Utc};
use gameday::aws::{
    Aws, Connection, Decision, ParameterKind, Schedule, ScheduleControl, Scheduled, Simulated, TableStatus,
};
use gameday::unit::Secret;
use serde_json::{Value, json};

use crate::peers::{python, script, start_ministack, start_moto, stop};
use crate::support::{Workspace, free_port};

const SERVICES: &str = "dynamodb,events,iam,scheduler,sqs,ssm,sts";
/// Where the test that runs as a user of its own finds out that it is meant to: `right` or `wrong` for its secret.
const SECRET_VARIABLE: &str = "GAMEDAY_TEST_SECRET";

/// Makes what the calls are about, and a user; the id and the secret of its key.
pub(crate) fn create_surroundings(workspace: &Workspace, endpoint: &str) -> (String, String) {
    let mut python = python("creating roles, a queue, a table and rules").expect("there is one");
    let output = workspace.start_command(python.arg(script("create_surroundings.py")).arg(endpoint)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    let key: Value = serde_json::from_str(&output.stdout).expect("a key as JSON");
    let text = |name: &str| key[name].as_str().expect("text").to_owned();
    (text("id"), text("secret"))
}

/// Runs a future as a task of its own, as the program does with its calls.
fn block_on(future: impl Future<Output = ()> + Send + 'static) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async { tokio::spawn(future).await.expect("no panic") });
}

#[test]
fn every_signed_call_does_on_ministack_what_it_says() {
    let Some(mut python) = python("signed calls on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(&mut python, &workspace, port, SERVICES);
    create_surroundings(&workspace, &endpoint);
    block_on(async move {
        let aws = Aws::connect(&Connection::Endpoint(endpoint)).await;
        exercise(&aws).await;
        exercise_simulation(&aws).await;
        exercise_maximum(&aws).await;
    });
    stop(ministack);
}

/// moto 5.2.5 has no SimulatePrincipalPolicy, and does not hear of a table's maximum.
#[test]
fn every_signed_call_does_on_moto_what_it_says() {
    let Some(mut python) = python("signed calls on moto") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let moto = start_moto(&mut python, &workspace, port);
    create_surroundings(&workspace, &endpoint);
    block_on(async move { exercise(&Aws::connect(&Connection::Endpoint(endpoint)).await).await });
    stop(moto);
}

/// With `AUTH=true` MiniStack verifies the signatures of users, though not of the key `test`, and looks at their policies.
#[test]
fn ministack_verifies_the_signature_of_every_signed_call() {
    let Some(mut python) = python("signatures on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(python.env("AUTH", "true"), &workspace, port, SERVICES);
    let (id, secret) = create_surroundings(&workspace, &endpoint);
    // Credentials come from the environment, which a process can only give to another.
    let as_user = |which: &str, secret: &str| {
        let mut command = Command::new(std::env::current_exe().expect("this binary"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command
            .args(["--ignored", "--exact", "signed::a_user_of_the_environment", "--nocapture"])
            .stdin(Stdio::null())
            .env(SECRET_VARIABLE, which)
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", &id)
            .env("AWS_SECRET_ACCESS_KEY", secret)
            // What is for one service goes before what is for all.
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        for service in
            ["DYNAMODB", "EVENTBRIDGE", "IAM", "RESOURCE_GROUPS_TAGGING_API", "SCHEDULER", "SQS", "SSM", "STS"]
        {
            command.env(format!("AWS_ENDPOINT_URL_{service}"), &endpoint);
        }
        let output = workspace.start_command(&mut command).wait();
        assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
        assert!(output.stdout.contains("1 passed"), "{}", output.stdout);
    };
    as_user("right", &secret);
    as_user("wrong", "not-the-secret");
    stop(ministack);
}

#[test]
#[ignore = "run by another test, with credentials in its environment"]
fn a_user_of_the_environment() {
    let Ok(which) = std::env::var(SECRET_VARIABLE) else { return };
    let connection = Connection::Account { region: "us-east-1".to_owned(), profile: None };
    block_on(async move {
        let aws = Aws::connect(&connection).await;
        if which == "right" {
            exercise(&aws).await;
            exercise_simulation(&aws).await;
            exercise_maximum(&aws).await;
        } else {
            assert_refused(&aws).await;
        }
    });
}

/// Every service refuses a signature that was made with another secret, and still tells the time.
async fn assert_refused(aws: &Aws) {
    let schedule = aws.scheduler.get("undo", "default").await.map(drop);
    let table = aws.dynamodb.table("orders").await.map(drop);
    let rule = aws.events.rule("nightly", None).await.map(drop);
    let role = aws.iam.role_arn("shop").await.map(drop);
    let queue = aws.sqs.queue_url("orders").await.map(drop);
    let parameter = aws.ssm.parameter("/shop/mode").await.map(drop);
    for refused in [schedule, table, rule, role, queue, parameter] {
        let error = refused.expect_err("a wrong signature");
        let codes = ["InvalidSignatureException", "SignatureDoesNotMatch"];
        assert!(codes.contains(&error.code.as_str()) && !error.retryable, "{error}");
    }
    assert_clock(aws).await;
}

async fn assert_clock(aws: &Aws) {
    let time = aws.service_time().await.expect("an answer");
    assert!(time.clock_error().abs() < TimeDelta::seconds(2), "{time:?}");
}

/// Every call once at least, and what it changed read back.
async fn exercise(aws: &Aws) {
    assert_clock(aws).await;
    exercise_iam(aws).await;
    exercise_sqs(aws).await;
    exercise_dynamodb(aws).await;
    exercise_events(aws).await;
    exercise_ssm(aws).await;
    exercise_scheduler(aws.scheduler.as_ref()).await;
    exercise_tags(aws).await;
}

/// The tags of each kind of thing that can be a target, as an environment's `require_tags` asks for them.
async fn exercise_tags(aws: &Aws) {
    let tagged = BTreeMap::from([("game-day".to_owned(), "yes".to_owned())]);
    assert_eq!(aws.iam.role_tags("shop").await, Ok(tagged.clone()));
    let queues =
        [aws.sqs.queue_url("orders").await, aws.sqs.queue_url("payments").await].map(|url| url.expect("a queue"));
    assert_eq!(aws.sqs.tags(&queues[0]).await, Ok(tagged.clone()));
    assert_eq!(aws.sqs.tags(&queues[1]).await, Ok(BTreeMap::new()));
    let table = aws.dynamodb.table("orders").await.expect("a table");
    assert_eq!(aws.dynamodb.tags(&table.arn).await, Ok(tagged.clone()));
    let rule = aws.events.rule("nightly", None).await.expect("a rule");
    assert_eq!(aws.events.tags(&rule.arn).await, Ok(tagged));
    aws.ssm.put_parameter("/shop/tagged", &Secret::new("a"), ParameterKind::String, true).await.expect("a parameter");
    assert_eq!(aws.ssm.tags("/shop/tagged").await, Ok(BTreeMap::new()));
    aws.ssm.delete_parameter("/shop/tagged").await.expect("an answer");
}

fn as_json(text: Option<String>) -> Option<Value> {
    text.map(|text| serde_json::from_str(&text).expect("a JSON document"))
}

/// A policy that forbids sending, and forgets itself in 2099.
fn deny() -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "gameday", "Effect": "Deny", "Action": "sqs:SendMessage", "Resource": "*",
            "Condition": {"DateLessThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}},
        }],
    })
}

async fn exercise_iam(aws: &Aws) {
    let iam = &aws.iam;
    let with_path = iam.role_arn("courier").await.expect("a role");
    assert!(with_path.starts_with("arn:aws:iam::") && with_path.ends_with(":role/team/courier"), "{with_path}");
    assert!(iam.role_arn("nobody").await.expect_err("no role").is_not_found());

    assert_eq!(iam.role_policy("shop", "gameday+r-1").await, Ok(None));
    iam.put_role_policy("shop", "gameday+r-1", &deny().to_string()).await.expect("a policy");
    assert_eq!(as_json(iam.role_policy("shop", "gameday+r-1").await.expect("an answer")), Some(deny()));
    for _ in 0..2 {
        iam.delete_role_policy("shop", "gameday+r-1").await.expect("an answer");
        assert_eq!(iam.role_policy("shop", "gameday+r-1").await, Ok(None));
    }
}

async fn exercise_simulation(aws: &Aws) {
    let iam = &aws.iam;
    let arn = iam.role_arn("shop").await.expect("a role");
    let queue = "arn:aws:sqs:us-east-1:000000000000:orders";
    let simulate = async || {
        let simulated = iam.simulate(&arn, &["sqs:SendMessage", "sqs:PurgeQueue"], &[queue], &[]).await;
        simulated.expect("a simulation")
    };
    let of = |action: &str, decision| Simulated {
        action: action.to_owned(),
        resource: queue.to_owned(),
        decision,
        missing_keys: Vec::new(),
    };
    let purge = of("sqs:PurgeQueue", Decision::ImplicitDeny);
    assert_eq!(simulate().await, [of("sqs:SendMessage", Decision::Allowed), purge.clone()]);
    iam.put_role_policy("shop", "gameday", &deny().to_string()).await.expect("a policy");
    assert_eq!(simulate().await, [of("sqs:SendMessage", Decision::ExplicitDeny), purge]);
    iam.delete_role_policy("shop", "gameday").await.expect("an answer");
}

async fn exercise_sqs(aws: &Aws) {
    let sqs = &aws.sqs;
    let url = sqs.queue_url("orders").await.expect("a queue");
    assert!(url.ends_with("/orders"), "{url}");
    assert!(sqs.queue_url("nobodys").await.expect_err("no queue").is_not_found());
    let arn = sqs.arn(&url).await.expect("an ARN");
    assert!(arn.starts_with("arn:aws:sqs:us-east-1:") && arn.ends_with(":orders"), "{arn}");
    assert_eq!(sqs.policy(&url).await, Ok(None));
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "gameday", "Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}],
    });
    sqs.set_policy(&url, Some(&policy.to_string())).await.expect("a policy");
    assert_eq!(as_json(sqs.policy(&url).await.expect("an answer")), Some(policy));
    sqs.set_policy(&url, None).await.expect("no policy");
    assert_eq!(sqs.policy(&url).await, Ok(None));
}

async fn exercise_dynamodb(aws: &Aws) {
    let table = aws.dynamodb.table("orders").await.expect("a table");
    assert!(table.arn.ends_with(":table/orders"), "{table:?}");
    assert_eq!((table.status, table.on_demand), (TableStatus::Active, true));
    assert_eq!((table.max_read, table.max_write), (None, None));
    assert!(aws.dynamodb.table("nobodys").await.expect_err("no table").is_not_found());
}

async fn exercise_maximum(aws: &Aws) {
    let dynamodb = &aws.dynamodb;
    let before = dynamodb.table("orders").await.expect("a table");
    dynamodb.set_on_demand_maximum("orders", Some(Some(1)), Some(Some(2))).await.expect("a maximum");
    let limited = dynamodb.table("orders").await.expect("a table");
    assert_eq!((limited.max_read, limited.max_write), (Some(1), Some(2)));
    dynamodb.set_on_demand_maximum("orders", Some(None), Some(None)).await.expect("no maximum");
    assert_eq!(dynamodb.table("orders").await, Ok(before));
}

async fn exercise_events(aws: &Aws) {
    let events = &aws.events;
    for (name, bus) in [("nightly", None), ("paid", Some("shop"))] {
        let before = events.rule(name, bus).await.expect("a rule");
        assert!(before.is_enabled && !before.matches_all_management_events, "{before:?}");
        assert!(before.arn.starts_with("arn:aws:events:") && before.arn.ends_with(name), "{before:?}");
        events.disable_rule(name, bus).await.expect("disabled");
        assert!(!events.rule(name, bus).await.expect("a rule").is_enabled);
        events.enable_rule(name, bus).await.expect("enabled");
        assert_eq!(events.rule(name, bus).await, Ok(before));
    }
    assert!(events.rule("paid", None).await.expect_err("no rule").is_not_found());
}

async fn exercise_ssm(aws: &Aws) {
    let ssm = &aws.ssm;
    for (kind, name) in [
        (ParameterKind::String, "/shop/mode"),
        (ParameterKind::StringList, "/shop/modes"),
        (ParameterKind::SecureString, "/shop/key"),
    ] {
        assert_eq!(ssm.parameter(name).await, Ok(None));
        let (first, second) = (Secret::new("a,b ü+%"), Secret::new("c"));
        assert_eq!(ssm.put_parameter(name, &first, kind, false).await, Ok(1));
        let parameter = ssm.parameter(name).await.expect("an answer").expect("a parameter");
        assert_eq!((&parameter.value, parameter.kind, parameter.version), (&first, kind, 1));
        let error = ssm.put_parameter(name, &second, kind, false).await.expect_err("it exists");
        assert_eq!((error.code.as_str(), error.retryable), ("ParameterAlreadyExists", false));
        assert_eq!(ssm.put_parameter(name, &second, kind, true).await, Ok(2));
        for _ in 0..2 {
            assert_eq!(ssm.delete_parameter(name).await, Ok(()));
            assert_eq!(ssm.parameter(name).await, Ok(None));
        }
    }
}

async fn exercise_scheduler(scheduler: &dyn ScheduleControl) {
    let at: DateTime<Utc> = "2099-12-15T14:00:05Z".parse().expect("a moment");
    let schedule = Schedule {
        name: "undo".to_owned(),
        group: "default".to_owned(),
        at,
        target_arn: "arn:aws:scheduler:::aws-sdk:ssm:putParameter".to_owned(),
        role_arn: "arn:aws:iam::000000000000:role/shop".to_owned(),
        input: Secret::new(r#"{"Name": "/shop/mode", "Value": "calm"}"#),
    };
    let scheduled = |schedule: &Schedule| Ok(Some(Scheduled { schedule: schedule.clone(), is_enabled: true }));
    assert_eq!(scheduler.get("undo", "default").await, Ok(None));
    scheduler.create(&schedule, "run-1_undo").await.expect("a schedule");
    assert_eq!(scheduler.get("undo", "default").await, scheduled(&schedule));
    let error = scheduler.create(&schedule, "another").await.expect_err("it exists");
    assert_eq!((error.code.as_str(), error.retryable), ("ConflictException", false));
    let later = Schedule { at: at + TimeDelta::minutes(5), input: Secret::new("{}"), ..schedule };
    scheduler.update(&later).await.expect("replaced");
    assert_eq!(scheduler.get("undo", "default").await, scheduled(&later));
    for _ in 0..2 {
        assert_eq!(scheduler.delete("undo", "default").await, Ok(()));
        assert_eq!(scheduler.get("undo", "default").await, Ok(None));
    }
    assert!(scheduler.update(&later).await.expect_err("no schedule").is_not_found());
}
