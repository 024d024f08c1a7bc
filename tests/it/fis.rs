//! The fault `fis_experiment` on the sandbox's FIS with a real function, and on moto's, which somebody else wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use aws_sdk_fis::types::{SafetyLeverStatusInput, UpdateSafetyLeverStateInput};
use gameday::aws::{ActionsMode, Aws, Connection, ExperimentStatus, NewTemplate};
use gameday::event::{Armed, EventLog, FaultIdentity};
use gameday::fault::{
    CommandPlace, FaultEnvironment, FaultError, FaultKind, FaultTarget, FisExperiment, Occasion, Permits, Reverted,
    Undo,
};
use gameday::sandbox::Sandbox;
use gameday::unit::Clock;
use serde_json::{Value, json};

use crate::peers::{python, start_moto, stop};
use crate::recorder::Recorder;
use crate::sandbox::{aws_config, client, eventually, start, try_invoke};
use crate::support::{Workspace, free_port};

/// A probe, and an FIS that acts at once.
const PROBE: &str = "{functions: {probe: {demo: probe, timeout: 2s}}, fis: {propagation_ms: 0}}";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:probe";

/// Where faults work, as a process of its own sees it.
async fn environment(endpoint: &str, token: &str, alias: Option<&str>) -> FaultEnvironment {
    let target = FaultTarget::Function { name: "probe".to_owned(), alias: alias.map(str::to_owned) };
    FaultEnvironment {
        account: None,
        aws: Aws::connect(&Connection::Endpoint(endpoint.to_owned())).await,
        proxy: None,
        proxies: Permits::default(),
        targets: BTreeMap::from([("checkout".parse().expect("a name"), target)]),
        shell: String::new(),
        is_embedded: false,
        occasion: Occasion { token: token.to_owned(), lasts: Duration::from_secs(600) },
        commands: CommandPlace::default(),
    }
}

fn fault(yaml: &str) -> FaultKind {
    FaultKind::FisExperiment(serde_yaml::from_str::<FisExperiment>(yaml).expect("a good fault"))
}

/// Three invocations in ten fail.
fn errors() -> FaultKind {
    let parameters = r#"{invocationPercentage: "30", preventExecution: "true"}"#;
    let action = format!(r#"{{id: "aws:lambda:invocation-error", parameters: {parameters}}}"#);
    fault(&format!("{{target: checkout, role: fis, duration: 10m, action: {action}}}"))
}

fn armed() -> Armed {
    let directory = tempfile::tempdir().expect("a folder");
    let log = EventLog::create(directory.path(), Clock::start()).expect("a log");
    let identity = FaultIdentity { step: "001-fault".to_owned(), fault: "fault".parse().expect("a name") };
    log.arm(&identity, b"{}").expect("an undo on disk").0
}

/// What a fresh process reads.
fn reread(undo: &Undo) -> Undo {
    serde_json::from_str(&serde_json::to_string(undo).expect("JSON")).expect("an undo")
}

/// The template that an inline action is to be made into.
fn new_template(undo: &Undo) -> NewTemplate {
    let undo = serde_json::to_value(undo).expect("JSON");
    serde_json::from_value(undo["fis_experiment"]["begins"]["action"].clone()).expect("a template")
}

/// How many of some invocations fail.
async fn failures(sandbox: &Sandbox, count: u32) -> u32 {
    let lambda = client(sandbox).await;
    let mut failures = 0;
    for _ in 0..count {
        let invoked = try_invoke(&lambda, "probe", json!({"do": "echo"})).await.expect("an answer");
        failures += u32::from(invoked.error.is_some());
    }
    failures
}

#[tokio::test]
async fn an_experiment_fails_its_share_until_another_process_undoes_it() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-001", None).await;
    let undo = errors().prepare(&here).await.expect("it is ready");
    assert_eq!(
        undo.text().change,
        "FIS experiment on function `probe`: `aws:lambda:invocation-error` for PT10M at most"
    );
    assert_eq!(here.aws.fis.templates("gameday-run-001").await, Ok(Vec::new()), "preparing changes nothing");

    undo.inject(&here, &armed()).await.expect("it runs");
    eventually("some invocation fails", async || failures(&sandbox, 1).await == 1).await;
    let hits = failures(&sandbox, 600).await;
    assert!((150..=210).contains(&hits), "{hits} of 600 were hit");
    // An answer was lost, and the injection is tried again: there is one experiment still.
    undo.inject(&here, &armed()).await.expect("it runs");
    assert_eq!(here.aws.fis.experiments("gameday-run-001").await.expect("a list").len(), 1);

    let elsewhere = environment(&sandbox.endpoint(), "gameday", None).await;
    assert_eq!(reread(&undo).revert(&elsewhere).await.expect("undone"), Reverted::Restored);
    assert_eq!(failures(&sandbox, 100).await, 0);
    let left = elsewhere.aws.fis.experiments("gameday-run-001").await.expect("a list");
    assert!(left.iter().all(|experiment| experiment.status == ExperimentStatus::Stopped), "{left:?}");
    assert_eq!(elsewhere.aws.fis.templates("gameday-run-001").await, Ok(Vec::new()));
    assert_eq!(reread(&undo).revert(&elsewhere).await.expect("undone"), Reverted::AsBefore);
    // What has ended can be asked to stop.
    assert_eq!(elsewhere.aws.fis.stop(&left[0].id).await, Ok(()));
    sandbox.stop().await;
}

#[tokio::test]
async fn an_experiment_makes_the_calls_that_it_names() {
    let sandbox = start(PROBE).await;
    let recorder = Recorder::before(&sandbox.endpoint()).await;
    let here = environment(&recorder.endpoint(), "gameday-run-010", None).await;
    let template = new_template(&errors().prepare(&here).await.expect("it is ready"));
    let id = here.aws.fis.create_template("somebody", &template).await.expect("a template");
    let mut all = BTreeSet::new();
    let of_somebodys = fault(&format!("{{target: checkout, template: {id}}}"));
    for (token, fault) in [("gameday-run-011", errors()), ("gameday-run-012", of_somebodys)] {
        let here = environment(&recorder.endpoint(), token, None).await;
        recorder.take();
        let undo = fault.prepare(&here).await.expect("it is ready");
        undo.inject(&here, &armed()).await.expect("it runs");
        let (called, named) = (recorder.take(), fault.calls());
        assert!(called.iter().all(|call| named.inject.contains(&call.as_str())), "{called:?}");
        assert_eq!(undo.revert(&here).await.expect("undone"), Reverted::Restored);
        let undone = recorder.take();
        assert!(undone.iter().all(|call| named.undo.contains(&call.as_str())), "{undone:?}");
        all.extend(called.into_iter().chain(undone));
    }
    // Of other targets, and what FIS asks for by itself.
    let unseen =
        ["dynamodb:DescribeTable", "fis:TagResource", "iam:CreateServiceLinkedRole", "iam:GetRole", "iam:PassRole"];
    let named = errors().calls().inject;
    let not_called: Vec<&str> = named.iter().copied().filter(|call| !all.contains(*call)).collect();
    assert_eq!(not_called, unseen);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_crash_between_the_template_and_the_start_leaves_a_template_that_the_undo_finds() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-002", None).await;
    let undo = errors().prepare(&here).await.expect("it is ready");
    let template = new_template(&undo);
    let id = here.aws.fis.create_template("gameday-run-002", &template).await.expect("a template");
    assert_eq!(here.aws.fis.create_template("gameday-run-002", &template).await.as_ref(), Ok(&id), "one, by its token");
    let others = here.aws.fis.create_template("gameday-run-003", &template).await.expect("a template");

    assert_eq!(reread(&undo).revert(&here).await.expect("undone"), Reverted::Restored);
    assert_eq!(here.aws.fis.has_template(&id).await, Ok(false));
    assert_eq!(here.aws.fis.has_template(&others).await, Ok(true), "what another change made is left alone");
    assert_eq!(reread(&undo).revert(&here).await.expect("undone"), Reverted::AsBefore);
    sandbox.stop().await;
}

#[tokio::test]
async fn a_template_of_somebodys_is_started_and_kept() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-004", None).await;
    let template = new_template(&errors().prepare(&here).await.expect("it is ready"));
    let id = here.aws.fis.create_template("somebody", &template).await.expect("a template");

    let undo = fault(&format!("{{target: checkout, template: {id}}}")).prepare(&here).await.expect("it is ready");
    undo.inject(&here, &armed()).await.expect("it runs");
    eventually("some invocation fails", async || failures(&sandbox, 1).await == 1).await;
    assert_eq!(undo.revert(&here).await.expect("undone"), Reverted::Restored);
    assert_eq!(failures(&sandbox, 50).await, 0);
    assert_eq!(here.aws.fis.has_template(&id).await, Ok(true));
    assert_eq!(undo.revert(&here).await.expect("undone"), Reverted::AsBefore);

    let missing = fault("{target: checkout, template: EXTnobody}").prepare(&here).await;
    assert!(matches!(missing, Err(FaultError::Unsafe { .. })), "{missing:?}");
    sandbox.stop().await;
}

#[tokio::test]
async fn an_alias_alone_is_hit_where_the_target_has_one() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-005", Some("live")).await;
    let target = new_template(&errors().prepare(&here).await.expect("it is ready")).target.expect("a target");
    assert_eq!((target.arn.as_str(), target.key.as_str()), (FUNCTION, "Functions"));
    assert_eq!(target.parameters, BTreeMap::from([("functionQualifier".to_owned(), "live".to_owned())]));
    sandbox.stop().await;
}

#[tokio::test]
async fn nothing_is_prepared_while_the_safety_lever_is_engaged() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-006", None).await;
    assert_eq!(here.aws.fis.is_lever_engaged().await, Ok(false));
    engage_lever(&sandbox).await;
    assert_eq!(here.aws.fis.is_lever_engaged().await, Ok(true));
    let refused = errors().prepare(&here).await.expect_err("the lever is engaged");
    assert!(matches!(refused, FaultError::Unsafe { .. }) && refused.to_string().contains("lever"), "{refused}");
    sandbox.stop().await;
}

async fn engage_lever(sandbox: &Sandbox) {
    let state = UpdateSafetyLeverStateInput::builder().status(SafetyLeverStatusInput::Engaged).reason("a drill");
    let fis = aws_sdk_fis::Client::new(&aws_config(&sandbox.endpoint()).await);
    let pull = fis.update_safety_lever_state().id("default").state(state.build().expect("a state"));
    pull.send().await.expect("it is engaged");
}

/// Nobody waits for what has ended: it is an error at once.
#[tokio::test]
async fn an_experiment_that_does_not_run_says_why_and_its_template_is_taken_away() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-009", None).await;
    let undo = errors().prepare(&here).await.expect("it is ready");
    engage_lever(&sandbox).await;
    let error = undo.inject(&here, &armed()).await.expect_err("it is cancelled");
    let FaultError::Ended { found, .. } = &error else { panic!("{error:?}") };
    assert!(found.contains("is cancelled") && found.contains("safety lever"), "{found}");
    assert_eq!(here.aws.fis.experiments("gameday-run-009").await.expect("a list").len(), 1);
    assert_eq!(undo.revert(&here).await.expect("undone"), Reverted::Restored);
    assert_eq!(here.aws.fis.templates("gameday-run-009").await, Ok(Vec::new()));
    sandbox.stop().await;
}

#[tokio::test]
async fn a_preview_finds_the_targets_and_hits_none() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "gameday-run-007", None).await;
    let template = new_template(&errors().prepare(&here).await.expect("it is ready"));
    preview(&here.aws, &template).await;
    assert_eq!(failures(&sandbox, 50).await, 0);
    sandbox.stop().await;
}

/// Looks for the targets of a template, and leaves nothing behind.
async fn preview(aws: &Aws, template: &NewTemplate) {
    let fis = &aws.fis;
    let id = fis.create_template("preview", template).await.expect("a template");
    let experiment = fis.start(&id, "preview", ActionsMode::SkipAll).await.expect("an experiment");
    eventually("it has looked", async || {
        fis.experiment(&experiment.id).await.expect("it").status == ExperimentStatus::Completed
    })
    .await;
    let resolved = fis.resolved_targets(&experiment.id).await.expect("targets");
    let [found] = resolved.as_slice() else { panic!("{resolved:?}") };
    assert_eq!((found.resource_type.as_str(), found.target.as_str()), ("aws:lambda:function", "target"));
    assert_eq!(found.information.get("arn").map(String::as_str), Some(FUNCTION));
    fis.delete_template(&id).await.expect("deleted");
    fis.delete_template(&id).await.expect("gone is well");
}

/// A scenario with an experiment of a single action, and one of a template.
const PREVIEWED: &str = r#"
gameday: 1
id: previewed
title: Experiments
owner: team-shop
environments: {allow: [local, sandbox]}
targets: {probe: {lambda: {function: probe, url: "http://127.0.0.1:9"}}}
hypotheses: [{id: H1, text: "Somebody looks", expect: "mark(seen)"}]
faults:
  errors:
    fis_experiment:
      target: probe
      role: fis
      action: {id: "aws:lambda:invocation-error", parameters: {preventExecution: "true"}}
  theirs: {fis_experiment: {target: probe, template: TEMPLATE}}
timeline: [{phase: broken, for: 1m, do: [{at: 0s, fault: errors}, {at: 0s, fault: theirs}]}]
"#;

/// Nothing of a look is left: the ids of the templates of looks.
async fn left_by_looks(aws: &Aws) -> Vec<String> {
    aws.fis.templates_where(&|token| token.starts_with("gameday-preview-")).await.expect("a list")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_with_a_preview_names_what_experiments_would_hit_and_leaves_nothing() {
    let sandbox = start(PROBE).await;
    let here = environment(&sandbox.endpoint(), "somebody", None).await;
    let template = new_template(&errors().prepare(&here).await.expect("it is ready"));
    let theirs = here.aws.fis.create_template("somebody", &template).await.expect("a template");
    // What a look that was killed has left long ago.
    here.aws.fis.create_template("gameday-preview-1000-errors-1", &template).await.expect("a template");
    let workspace = Workspace::empty();
    let settings =
        "gameday: 1\nenvironments:\n  local: {endpoint: ENDPOINT}\n  sandbox: {functions: {probe: {demo: probe}}}\n";
    workspace.write("gameday.yaml", &settings.replace("ENDPOINT", &sandbox.endpoint()));
    workspace.write("scenarios/previewed.yaml", &PREVIEWED.replace("TEMPLATE", &theirs));
    let arguments = ["plan", "scenarios/previewed.yaml", "--env", "local", "--preview"];

    let output = tokio::task::block_in_place(|| workspace.gameday(&arguments));
    assert_eq!(output.code(), 0, "{output:#?}");
    let (plan, preview) = output.stdout.split_once("preview of FIS experiments").expect("a preview");
    assert!(plan.contains("phase broken"), "{plan}");
    for part in ["errors (EXP", "theirs (EXP", &format!("target: aws:lambda:function {FUNCTION}")] {
        assert!(preview.contains(part), "`{part}` is not in {preview}");
    }
    assert_eq!(failures(&sandbox, 50).await, 0, "its actions are skipped");
    assert_eq!(left_by_looks(&here.aws).await, Vec::<String>::new());
    assert_eq!(here.aws.fis.has_template(&theirs).await, Ok(true));

    let json = tokio::task::block_in_place(|| workspace.gameday(&[&arguments[..], &["--json"]].concat()));
    let json: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(json["scenario"]["id"], "previewed");
    assert_eq!(json["preview"][0]["resources"][0]["information"]["arn"], FUNCTION);

    // A look that is broken off takes its template away as well.
    let running = workspace.start(&arguments);
    eventually("a template", async || !left_by_looks(&here.aws).await.is_empty()).await;
    running.signal(rustix::process::Signal::INT);
    let output = tokio::task::block_in_place(|| running.wait());
    assert_eq!(left_by_looks(&here.aws).await, Vec::<String>::new(), "{output:#?}");
    assert!(output.code() == 7 && output.stdout.contains("broken off"), "{output:#?}");

    engage_lever(&sandbox).await;
    let refused = tokio::task::block_in_place(|| workspace.gameday(&arguments));
    assert!(refused.code() == 7 && refused.stdout.contains("safety lever"), "{refused:#?}");
    sandbox.stop().await;

    // The embedded sandbox is started for a look, and knows no template of theirs.
    let arguments = ["plan", "scenarios/previewed.yaml", "--preview"];
    let output = tokio::task::block_in_place(|| workspace.gameday(&arguments));
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(output.stdout.contains("errors (EXP") && output.stdout.contains("theirs: NOT ready"), "{output:#?}");
}

/// The undo of an inline action as it stands in its file.
fn undo_file(token: &str) -> Undo {
    let file: Value = json!({"fis_experiment": {
        "token": token,
        "on": "function `probe`",
        "begins": {"action": {
            "role_arn": "arn:aws:iam::000000000000:role/fis",
            "action": "aws:lambda:invocation-error",
            "parameters": {"duration": "PT2M", "preventExecution": "true"},
            "target": {"key": "Functions", "resource_type": "aws:lambda:function", "arn": FUNCTION, "parameters": {}},
        }},
    }});
    serde_json::from_value(file).expect("an undo")
}

/// moto 5.2.5 has no safety lever, so that nothing can be prepared on it; and an experiment there takes one step of its
/// life whenever it is looked at.
#[test]
fn an_experiment_is_made_stopped_and_deleted_on_moto() {
    let Some(mut python) = python("FIS on moto") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let moto = start_moto(&mut python, &workspace, port);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let here = environment(&format!("http://127.0.0.1:{port}"), "gameday", None).await;
        let fis = &here.aws.fis;
        let undo = undo_file("gameday-run-008");
        assert_eq!(undo.revert(&here).await.expect("undone"), Reverted::AsBefore);
        undo.inject(&here, &armed()).await.expect("it runs");
        let found = fis.experiments("gameday-run-008").await.expect("a list");
        let [experiment] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(experiment.status, ExperimentStatus::Running);
        let [template] = fis.templates("gameday-run-008").await.expect("a list").try_into().expect("one template");
        assert_eq!(reread(&undo).revert(&here).await.expect("undone"), Reverted::Restored);
        assert_eq!(fis.experiment(&experiment.id).await.expect("it").status, ExperimentStatus::Stopped);
        assert_eq!(fis.has_template(&template).await, Ok(false));
        assert_eq!(undo.revert(&here).await.expect("undone"), Reverted::AsBefore);
        assert_eq!(fis.stop(&experiment.id).await, Ok(()), "it has ended");
        preview(&here.aws, &new_template(&undo)).await;
        assert!(fis.experiment("EXPnobody").await.expect_err("no experiment").is_not_found());
    });
    stop(moto);
}
