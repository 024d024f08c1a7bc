//! What every fault owes, whatever its kind and whoever plays AWS: the same checks for each, on each.
//!
//! A kind joins by a row in one of the lists, and by a line in [`state_of`] where it changes what is not read there yet.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::Duration;

use gameday::aws::{Aws, Connection, ParameterKind};
use gameday::event::{Armed, EventLog, FaultIdentity};
use gameday::fault::{
    AwsResource, Calls, CommandPlace, Cover, FaultEnvironment, FaultError, FaultKind, FaultSpec, FaultTarget, Occasion,
    Permits, Reverted, Switch, Undo,
};
use gameday::unit::{Clock, Secret, TargetId};
use serde_json::{Value, json};

use crate::deadman::{Thrower, assert_can_be_scheduled};
use crate::peers::{create_functions, python, script, start_ministack, start_moto, stop};
use crate::recorder::Recorder;
use crate::signed::create_surroundings;
use crate::support::{Workspace, free_port};

const SERVICES: &str = "dynamodb,events,iam,lambda,logs,scheduler,sqs,ssm,sts";
/// The only target of every row.
const TARGET: &str = "it";
/// The account of the sandbox, and of MiniStack.
const SANDBOX_ACCOUNT: &str = "000000000000";
/// The account of moto.
const MOTO_ACCOUNT: &str = "123456789012";
/// Which change each fault of this test is.
const TOKEN: &str = "gameday-contract-001-it";

/// One fault, and what somebody else makes of the same settings.
pub(crate) struct Row {
    pub(crate) on: FaultTarget,
    pub(crate) kind: &'static str,
    pub(crate) fault: Value,
    /// The parameters of a fault that stands for somebody else; none where the settings have no third value.
    pub(crate) other: Option<Value>,
}

/// A row whose settings somebody else can give a third value.
fn row(on: FaultTarget, kind: &'static str, fault: Value, other: Value) -> Row {
    Row { on, kind, fault, other: Some(other) }
}

fn function(name: &str) -> FaultTarget {
    FaultTarget::Function { name: name.to_owned(), alias: None }
}

fn resource(of: impl FnOnce(String) -> AwsResource, name: &str) -> FaultTarget {
    FaultTarget::Resource(of(name.to_owned()))
}

/// Faults on functions that every emulator has.
fn function_rows(name: &str) -> Vec<Row> {
    let on = || function(name);
    vec![
        row(on(), "lambda_concurrency", json!({"reserved": 0}), json!({"reserved": 1})),
        row(on(), "lambda_timeout", json!({"timeout": "2s"}), json!({"timeout": "3s"})),
        row(
            on(),
            "lambda_environment",
            json!({"set": {"COLOUR": "blue", "ADDED": ""}, "unset": ["OTHER"]}),
            json!({"set": {"COLOUR": "grey", "ADDED": "1", "OTHER": "theirs"}}),
        ),
        row(
            on(),
            "lambda_endpoint",
            json!({"service": "sqs", "url": "http://10.0.1.7:1"}),
            json!({"service": "sqs", "url": "http://10.0.1.8:1"}),
        ),
        row(on(), "lambda_proxy", json!({"url": "http://10.0.1.7:1"}), json!({"url": "http://10.0.1.8:1"})),
        row(on(), "lambda_memory", json!({"mb": 192}), json!({"mb": 320})),
    ]
}

/// A fault on asynchronous events, which somebody else can change where a second Put replaces the first.
fn asynchronous_row(name: &str, can_replace: bool) -> Row {
    let other = json!({"retries": 1, "max_age": "2m"});
    let fault = json!({"retries": 0, "max_age": "1m"});
    Row { on: function(name), kind: "lambda_async", fault, other: can_replace.then_some(other) }
}

/// Faults on a function that has all that a function can have: layers by name, a mapping, the alias `live`, and a URL.
fn configured_rows(name: &str, account: &str) -> Vec<Row> {
    let layer = |name: &str| format!("arn:aws:lambda:us-east-1:{account}:layer:{name}:1");
    let live = || FaultTarget::Function { name: name.to_owned(), alias: Some("live".to_owned()) };
    let alone = |on, kind, fault| Row { on, kind, fault, other: None };
    vec![
        row(function(name), "lambda_layer", json!({"add": layer("slow")}), json!({"add": layer("other")})),
        alone(function(name), "lambda_layer", json!({"remove": "second"})),
        alone(function(name), "lambda_event_source", json!({"enabled": false})),
        row(
            function(name),
            "lambda_event_source",
            json!({"batch_size": 1, "maximum_concurrency": 2}),
            json!({"batch_size": 2, "maximum_concurrency": 3}),
        ),
        alone(function(name), "lambda_function_url", json!({"auth": "iam"})),
        alone(live(), "lambda_canary", json!({"weight": "30%", "with": {"timeout": "1s", "set": {"COLOUR": "blue"}}})),
    ]
}

/// Provisioned concurrency, which moto does not have.
fn provisioned_row(name: &str) -> Row {
    let live = FaultTarget::Function { name: name.to_owned(), alias: Some("live".to_owned()) };
    row(live, "lambda_provisioned_concurrency", json!({"provisioned": 2}), json!({"provisioned": 3}))
}

/// What the sandbox alone keeps of asynchronous events: no defaults where nothing is said, and a destination by itself.
fn sandbox_rows(name: &str) -> Vec<Row> {
    let live = FaultTarget::Function { name: name.to_owned(), alias: Some("live".to_owned()) };
    vec![
        row(live, "lambda_async", json!({"max_age": "1m"}), json!({"max_age": "2m"})),
        Row { on: function(name), kind: "lambda_async", fault: json!({"on_failure": "remove"}), other: None },
    ]
}

/// Faults on what surrounds functions, as far as every emulator has it.
fn surrounding_rows() -> Vec<Row> {
    let role = || resource(AwsResource::Role, "courier");
    let queue = |name| resource(AwsResource::Queue, name);
    let parameter = |name| resource(AwsResource::Parameter, name);
    let rule = |name: &str, bus: Option<&str>| {
        let on = AwsResource::Rule { name: name.to_owned(), bus: bus.map(str::to_owned) };
        Row { on: FaultTarget::Resource(on), kind: "event_rule", fault: json!({"enabled": false}), other: None }
    };
    let sending = || json!({"actions": ["SendMessage"]});
    let couriers = json!({"actions": ["ReceiveMessage", "DeleteMessage"], "principal": "team/courier"});
    vec![
        row(
            role(),
            "iam_deny",
            json!({"actions": ["sqs:SendMessage", "s3:*"]}),
            json!({"actions": ["sqs:PurgeQueue"]}),
        ),
        row(queue("orders"), "sqs_deny", json!({}), sending()),
        row(queue("payments"), "sqs_deny", couriers, sending()),
        rule("nightly", None),
        rule("paid", Some("shop")),
        row(parameter("/shop/mode"), "ssm_parameter", json!({"value": "panic"}), json!({"value": "theirs"})),
        row(parameter("/shop/modes"), "ssm_parameter", json!({"value": "x,y"}), json!({"value": "theirs"})),
    ]
}

/// Faults on a table, which has a maximum on MiniStack alone.
fn table_rows() -> Vec<Row> {
    let table = || resource(AwsResource::Table, "orders");
    vec![
        row(table(), "dynamodb_throttle", json!({"read": 1}), json!({"read": 7})),
        row(table(), "dynamodb_throttle", json!({"read": 1, "write": 1}), json!({"read": 5, "write": 6})),
    ]
}

/// A fault of a row from its parameters.
fn kind(row: &Row, parameters: &Value) -> FaultKind {
    fault(row.kind, parameters.clone())
}

/// A fault from its parameters, as a file has it.
pub(crate) fn fault(key: &str, mut parameters: Value) -> FaultKind {
    parameters["target"] = TARGET.into();
    let spec: FaultSpec = serde_json::from_value(json!({key: parameters})).expect("a fault");
    let kind = spec.kind().expect("one kind");
    assert_eq!(kind.objections(), [], "{key}");
    kind
}

/// Where faults on `on` work.
pub(crate) fn environment(aws: &Aws, on: &FaultTarget) -> FaultEnvironment {
    let target: TargetId = TARGET.parse().expect("a name");
    FaultEnvironment {
        account: None,
        aws: aws.clone(),
        proxy: None,
        proxies: Permits::default(),
        targets: [(target, on.clone())].into(),
        shell: String::new(),
        is_embedded: false,
        occasion: Occasion { token: TOKEN.to_owned(), lasts: Duration::from_secs(600) },
        commands: CommandPlace::default(),
    }
}

/// What of a target a fault could change.
pub(crate) async fn state_of(aws: &Aws, target: &FaultTarget) -> Value {
    match target {
        FaultTarget::Function { name, alias } => {
            // Not every emulator has all of it.
            let found = aws.functions.configuration(name).await.expect("a configuration");
            let reserved = aws.functions.reserved_concurrency(name).await.expect("an answer");
            json!({
                "timeout": found.timeout_seconds,
                "memory": found.memory_mb,
                "layers": found.layers,
                "variables": found.environment.expect("variables").0,
                "reserved": reserved,
                "asynchronous": format!("{:?}", aws.lambda.invoke_configuration(name, alias.as_deref()).await.ok()),
                "mappings": format!("{:?}", aws.lambda.event_sources(name).await.ok()),
                "signed": aws.lambda.url_needs_signature(name, None).await.ok().flatten(),
                "alias": match alias {
                    Some(alias) => {
                        let found = aws.lambda.alias(name, alias).await.expect("an alias");
                        let provisioned = aws.lambda.provisioned(name, alias).await.ok().flatten();
                        let versions = aws.lambda.versions(name).await.expect("versions");
                        json!([found.version, found.weights, provisioned.map(|it| it.requested), versions.len()])
                    }
                    None => Value::Null,
                },
            })
        }
        FaultTarget::Resource(AwsResource::Role(name)) => {
            let policy = async |policy| aws.iam.role_policy(name, policy).await.expect("an answer");
            json!({"theirs": policy("send").await, "ours": policy(TOKEN).await})
        }
        FaultTarget::Resource(AwsResource::Queue(name)) => {
            let url = aws.sqs.queue_url(name).await.expect("a queue");
            let policy = aws.sqs.policy(&url).await.expect("an answer");
            policy.map_or(Value::Null, |policy| serde_json::from_str(&policy).expect("JSON"))
        }
        FaultTarget::Resource(AwsResource::Table(name)) => {
            format!("{:?}", aws.dynamodb.table(name).await.expect("a table")).into()
        }
        FaultTarget::Resource(AwsResource::Rule { name, bus }) => {
            format!("{:?}", aws.events.rule(name, bus.as_deref()).await.expect("a rule")).into()
        }
        FaultTarget::Resource(AwsResource::Parameter(name)) => {
            let parameter = aws.ssm.parameter(name).await.expect("an answer").expect("a parameter");
            json!([parameter.value.reveal(), parameter.kind.as_str()])
        }
        FaultTarget::Proxy(_)
        | FaultTarget::RemoteProxy { .. }
        | FaultTarget::Resource(
            AwsResource::Topic(_) | AwsResource::Bus(_) | AwsResource::Stream(_) | AwsResource::Other(_),
        ) => {
            panic!("no fault of this test: {target:?}")
        }
    }
}

/// The undo is on disk: what an injection asks for.
pub(crate) fn armed(undo: &Undo) -> Armed {
    let directory = tempfile::tempdir().expect("a folder");
    let log = EventLog::create(directory.path(), Clock::start()).expect("a log");
    let identity = FaultIdentity { step: "001-it".to_owned(), fault: "it".parse().expect("a name") };
    log.arm(&identity, &serde_json::to_vec(undo).expect("JSON")).expect("on disk").0
}

/// Somebody who finds what `undo` injected, and makes of it what `other` injects.
fn foreign(undo: &Undo, other: &Undo) -> Undo {
    let [mut foreign, other] = [undo, other].map(|undo| serde_json::to_value(undo).expect("JSON"));
    let settings = |undo: &Value| -> Vec<Value> {
        let change = undo.as_object().expect("a map").values().next().expect("one kind").clone();
        change["settings"].as_array().expect("a change of settings").clone()
    };
    let theirs = settings(&other);
    let change = foreign.as_object_mut().expect("a map").values_mut().next().expect("one kind");
    for setting in change["settings"].as_array_mut().expect("a change of settings") {
        let name = setting["name"].clone();
        let wanted = theirs.iter().find(|it| it["name"] == name).map(|it| it["injected"].clone());
        setting["before"] = setting["injected"].take();
        setting["injected"] = wanted.unwrap_or_else(|| setting["before"].clone());
    }
    serde_json::from_value(foreign).expect("an undo")
}

/// What AWS is asked for without a call of ours: by services, on our behalf.
const NOT_CALLED: [&str; 4] =
    ["fis:TagResource", "iam:CreateServiceLinkedRole", "iam:PassRole", "lambda:GetLayerVersion"];

/// The calls that faults made, by kind.
#[derive(Default)]
pub(crate) struct Called {
    by_kind: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Called {
    /// Adds the calls that were made since the last look: all of them are those that the fault names.
    fn add(&mut self, row: &Row, recorder: &Recorder, named: impl FnOnce(Calls) -> &'static [&'static str]) {
        let (calls, named) = (recorder.take(), named(kind(row, &row.fault).calls()));
        for call in &calls {
            assert!(named.contains(&call.as_str()), "{}: {call} is called, and not among {named:?}", row.kind);
        }
        self.by_kind.entry(row.kind).or_default().extend(calls);
    }

    /// Every call that the faults of `rows` name was made, but for those in `unseen`.
    fn assert_all(&self, rows: &[Row], unseen: &[(&str, &str)]) {
        for row in rows {
            let called = &self.by_kind[row.kind];
            for call in kind(row, &row.fault).calls().inject {
                let is_unseen = NOT_CALLED.contains(call) || unseen.contains(&(row.kind, call));
                assert_ne!(called.contains(*call), is_unseen, "{}: {call}", row.kind);
            }
        }
    }
}

/// The contract of one fault; `state` reads what its target is.
pub(crate) async fn keep(
    (environment, recorder, called): (&FaultEnvironment, &Recorder, &mut Called),
    row: &Row,
    state: impl AsyncFn() -> Value,
) {
    let what = row.kind;
    let called = std::cell::RefCell::new(called);
    let prepare = async |parameters| {
        let undo = kind(row, parameters).prepare(environment).await.expect(what);
        called.borrow_mut().add(row, recorder, |calls| calls.inject);
        undo
    };
    let inject = async |undo: &Undo| {
        let outcome = undo.inject(environment, &armed(undo)).await;
        called.borrow_mut().add(row, recorder, |calls| calls.inject);
        outcome
    };
    let revert = async |undo: &Undo| {
        let outcome = undo.revert(environment).await.expect(what);
        called.borrow_mut().add(row, recorder, |calls| calls.undo);
        outcome
    };
    // Somebody else finds what we injected, which no undo of ours ever has to put back.
    let revert_theirs = async |undo: &Undo| {
        let outcome = undo.revert(environment).await.expect(what);
        called.borrow_mut().add(row, recorder, |calls| calls.inject);
        outcome
    };

    let before = state().await;
    let undo = prepare(&row.fault).await;
    assert_eq!(state().await, before, "{what}: a look changes nothing");
    assert_eq!(revert(&undo).await, Reverted::AsBefore, "{what}: nothing was changed yet");
    inject(&undo).await.expect(what);
    let during = state().await;
    assert_ne!(during, before, "{what}: it is seen");
    inject(&undo).await.expect(what);
    assert_eq!(state().await, during, "{what}: a second injection changes nothing");
    assert_eq!(revert(&undo).await, Reverted::Restored, "{what}");
    assert_eq!(state().await, before, "{what}: all is as before");
    assert_eq!(revert(&undo).await, Reverted::AsBefore, "{what}: a second undo");
    assert_eq!(state().await, before, "{what}: a second undo changes nothing");

    let undo = prepare(&row.fault).await;
    inject(&undo).await.expect(what);
    let file = serde_json::to_string(&undo).expect("JSON");
    let read: Undo = serde_json::from_str(&file).expect("an undo");
    assert_eq!(read, undo, "{what}");
    assert_eq!(revert(&read).await, Reverted::Restored, "{what}: from the file alone");
    assert_eq!(state().await, before, "{what}: from the file alone");

    let Some(other) = &row.other else { return };
    let (undo, theirs) = (prepare(&row.fault).await, prepare(other).await);
    let foreign = foreign(&undo, &theirs);
    inject(&undo).await.expect(what);
    inject(&foreign).await.expect(what);
    let changed = state().await;
    for _ in 0..2 {
        let outcome = revert(&undo).await;
        assert!(matches!(&outcome, Reverted::Drift(lines) if !lines.is_empty()), "{what}: {outcome:?}");
        assert_eq!(state().await, changed, "{what}: what somebody else wrote is left alone");
    }
    assert_eq!(revert_theirs(&foreign).await, Reverted::Restored, "{what}: they take it back");
    assert_eq!(revert(&undo).await, Reverted::Restored, "{what}: and so do we");
    assert_eq!(state().await, before, "{what}: all is as before");

    let (undo, theirs) = (prepare(&row.fault).await, prepare(other).await);
    inject(&theirs).await.expect(what);
    let changed = state().await;
    let outcome = inject(&undo).await;
    assert!(matches!(outcome, Err(FaultError::Unsafe { .. })), "{what}: changed since it was read: {outcome:?}");
    assert_eq!(state().await, changed, "{what}: what somebody else wrote is not overwritten");
    assert_eq!(revert(&theirs).await, Reverted::Restored, "{what}");
    assert_eq!(state().await, before, "{what}: all is as before");
}

/// The contract of each row, one after the other; faults reach AWS through a gateway that writes down their calls.
async fn keep_all(endpoint: &str, rows: &[Row], unseen: &[(&str, &str)]) {
    let connect = async |endpoint: String| Aws::connect(&Connection::Endpoint(endpoint)).await;
    let recorder = Recorder::before(endpoint).await;
    let (aws, recorded) = (connect(endpoint.to_owned()).await, connect(recorder.endpoint()).await);
    let mut called = Called::default();
    for row in rows {
        let environment = environment(&recorded, &row.on);
        keep((&environment, &recorder, &mut called), row, async || state_of(&aws, &row.on).await).await;
    }
    called.assert_all(rows, unseen);
}

/// On several threads: the sandbox answers while this one waits for what throws the switches.
#[tokio::test(flavor = "multi_thread")]
async fn every_fault_on_a_function_keeps_the_contract_on_the_sandbox() {
    let functions =
        "functions:
  probe:
    demo: probe
    timeout: 7s
    environment: {COLOUR: red, OTHER: secret}
    update_ms: 50
    aliases: {live: 1}
    layers: ['arn:aws:lambda:us-east-1:000000000000:layer:first:1', 'arn:aws:lambda:us-east-1:000000000000:layer:second:4']
    event_sources: [{queue: orders, batch_size: 5, maximum_concurrency: 4}]
    event_invoke: {on_failure: failed}
";
    let sandbox = crate::sandbox::start(functions).await;
    keep_all(&sandbox.endpoint(), &rows(Emulator::Sandbox), &[]).await;
    let aws = Aws::connect(&Connection::Endpoint(sandbox.endpoint())).await;
    throw_switches(&aws, &sandbox.endpoint(), &rows(Emulator::Sandbox), false).await;
    sandbox.stop().await;
}

/// The commands for a stuck undo do the same with AWS's own command line, which `GAMEDAY_TEST_AWS_CLI` names.
async fn undo_by_hand(aws: &Aws, endpoint: &str, rows: &[Row]) {
    let Some(cli) = std::env::var_os("GAMEDAY_TEST_AWS_CLI") else { return };
    let directory = tempfile::tempdir().expect("a folder");
    let file = directory.path().join("it's the undo.json");
    for row in rows {
        let (what, environment) = (row.kind, environment(aws, &row.on));
        let before = state_of(aws, &row.on).await;
        let undo = kind(row, &row.fault).prepare(&environment).await.expect(what);
        undo.inject(&environment, &armed(&undo)).await.expect(what);
        std::fs::write(&file, json!({"format": 1, "undo": undo}).to_string()).expect("a file");
        for command in undo.by_hand(&file) {
            // Version 1 of the command line does not look for SQS where `AWS_ENDPOINT_URL` says.
            let mut shell = Command::new("sh");
            shell
                .arg("-c")
                .arg(format!("aws() {{ \"$AWS_CLI\" --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }}\n{command}"))
                .env("AWS_CLI", &cli);
            shell
                .env("AWS_ENDPOINT_URL", endpoint)
                .env("AWS_REGION", "us-east-1")
                .env("AWS_DEFAULT_REGION", "us-east-1");
            shell.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
            let output = shell.stdin(Stdio::null()).output().expect("a shell");
            assert!(output.status.success(), "{what}: {command}\n{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(state_of(aws, &row.on).await, before, "{what}: all is as before");
        assert_eq!(undo.revert(&environment).await.expect(what), Reverted::AsBefore, "{what}");
    }
}

/// What would undo each fault in AWS itself when nobody of ours is left: it is a call as AWS's service model has it, it can be
/// scheduled, and once it is made everything is as before. A fault that says that it is covered has such a call.
async fn throw_switches(aws: &Aws, endpoint: &str, rows: &[Row], has_scheduler: bool) {
    let Some(mut thrower) = Thrower::start(endpoint) else { return };
    for row in rows {
        let (what, environment) = (row.kind, environment(aws, &row.on));
        let before = state_of(aws, &row.on).await;
        let kind = kind(row, &row.fault);
        let undo = kind.prepare(&environment).await.expect(what);
        let call = match (kind.cover(), undo.switch()) {
            (Cover::Switch(calls), Switch::Call(call)) => {
                assert!(calls.contains(&call.permission().as_str()), "{what}: {}", call.permission());
                call
            }
            (Cover::Expires(_), Switch::Needless) | (Cover::None(_), Switch::None(_)) => continue,
            // Some of what such a fault changes was not there before.
            (Cover::Switch(_), Switch::None(_)) if what == "lambda_async" => continue,
            (cover, switch) => panic!("{what}: {cover:?}, {switch:?}"),
        };
        if has_scheduler {
            assert_can_be_scheduled(aws, &call).await;
        }
        undo.inject(&environment, &armed(&undo)).await.expect(what);
        assert_ne!(state_of(aws, &row.on).await, before, "{what}: it is seen");
        let problems = thrower.throw(call.service, call.action, &call.input);
        assert_eq!(problems, Vec::<String>::new(), "{what}: {}", call.input);
        // A canary's version then serves nobody, and is still there.
        if what == "lambda_canary" {
            assert_eq!(undo.revert(&environment).await.expect(what), Reverted::Restored, "{what}");
        } else {
            assert_eq!(undo.revert(&environment).await.expect(what), Reverted::AsBefore, "{what}");
        }
        assert_eq!(state_of(aws, &row.on).await, before, "{what}: all is as before");
    }
}

/// A parameter of each kind that can be restored, and one that is refused.
pub(crate) async fn create_parameters(aws: &Aws) {
    for (name, value, kind) in [
        ("/shop/mode", "calm", ParameterKind::String),
        ("/shop/modes", "a,b ü", ParameterKind::StringList),
        ("/shop/key", "secret", ParameterKind::SecureString),
    ] {
        aws.ssm.put_parameter(name, &Secret::new(value), kind, false).await.expect("a parameter");
    }
}

/// What could not be restored for certain is refused before anything is changed.
async fn refuse(aws: &Aws) {
    let key = resource(AwsResource::Parameter, "/shop/key");
    let row = row(key, "ssm_parameter", json!({"value": "panic"}), json!({}));
    let outcome = kind(&row, &row.fault).prepare(&environment(aws, &row.on)).await;
    assert!(matches!(outcome, Err(FaultError::Unsafe { .. })), "{outcome:?}");
}

/// Makes what the rows are about on an emulator that somebody else wrote, and keeps the contract there.
fn keep_all_on(endpoint: &str, workspace: &Workspace, rows: &[Row]) {
    create_surroundings(workspace, endpoint);
    create_functions(workspace, endpoint);
    let mut python = python("creating a function with everything").expect("there is one");
    let output = workspace.start_command(python.arg(script("create_configured_function.py")).arg(endpoint)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let aws = Aws::connect(&Connection::Endpoint(endpoint.to_owned())).await;
        create_parameters(&aws).await;
        refuse(&aws).await;
        keep_all(endpoint, rows, &[]).await;
        undo_by_hand(&aws, endpoint, rows).await;
        throw_switches(&aws, endpoint, rows, true).await;
    });
}

/// Who plays AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emulator {
    /// Our own.
    Sandbox,
    /// MiniStack, which runs functions.
    MiniStack,
    /// moto. 5.2.5 has no revisions of functions, does not hear of a table's maximum, and keeps the first of two Puts of what
    /// is said of asynchronous events.
    Moto,
}

/// What keeps the contract where. On foreign emulators `orders` has no reservation and no policy, `payments` has one, and `shop`
/// has all that a function can have.
fn rows(on: Emulator) -> Vec<Row> {
    let rows = match on {
        Emulator::Sandbox => vec![
            function_rows("probe"),
            configured_rows("probe", SANDBOX_ACCOUNT),
            sandbox_rows("probe"),
            vec![provisioned_row("probe"), asynchronous_row("probe", true)],
        ],
        Emulator::MiniStack => vec![
            function_rows("orders"),
            function_rows("payments"),
            configured_rows("shop", SANDBOX_ACCOUNT),
            surrounding_rows(),
            table_rows(),
            vec![provisioned_row("shop"), asynchronous_row("orders", true)],
        ],
        Emulator::Moto => vec![
            function_rows("orders"),
            function_rows("payments"),
            configured_rows("shop", MOTO_ACCOUNT),
            surrounding_rows(),
            vec![asynchronous_row("orders", false)],
        ],
    };
    rows.into_iter().flatten().collect()
}

/// The kinds of fault that keep the contract there.
pub(crate) fn kinds(on: Emulator) -> BTreeSet<&'static str> {
    rows(on).iter().map(|row| row.kind).collect()
}

#[test]
fn every_fault_keeps_the_contract_on_ministack() {
    let Some(mut python) = python("the contract of faults on MiniStack") else { return };
    let (workspace, port) = (Workspace::empty(), free_port());
    let ministack = start_ministack(&mut python, &workspace, port, SERVICES);
    keep_all_on(&format!("http://127.0.0.1:{port}"), &workspace, &rows(Emulator::MiniStack));
    stop(ministack);
}

#[test]
fn every_fault_keeps_the_contract_on_moto() {
    let Some(mut python) = python("the contract of faults on moto") else { return };
    let (workspace, port) = (Workspace::empty(), free_port());
    let moto = start_moto(&mut python, &workspace, port);
    keep_all_on(&format!("http://127.0.0.1:{port}"), &workspace, &rows(Emulator::Moto));
    stop(moto);
}
