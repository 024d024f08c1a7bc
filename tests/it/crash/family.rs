//! A fault of each of the other families, killed at its own steps: on event sources, warm environments and function URLs, a
//! program of a user's, an experiment of FIS, and on what surrounds functions on an emulator that somebody else wrote.
//!
//! What a run does before its first fault is killed elsewhere. Here every second or third step from there to the end is the
//! last one; and the recovery of each is killed as well, each time at another step.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gameday::aws::{Aws, Connection};
use gameday::fault::{AwsResource, FaultTarget};

use super::{FAILPOINT, Stop, state, tell, was_killed};
use crate::contract::{create_parameters, state_of};
use crate::peers::{python, start_ministack};
use crate::signed::create_surroundings;
use crate::support::{Output, Run, Workspace, free_port, gameday};

/// The scenario of a family: its own targets, faults and actions.
struct Family {
    name: &'static str,
    targets: &'static str,
    faults: &'static str,
    actions: &'static str,
    /// What of the account its faults work on.
    on: fn() -> Vec<FaultTarget>,
    /// How many steps lie between two kills.
    stride: usize,
    workers: usize,
}

const SANDBOX: &str = "
functions:
  fed: {demo: probe, event_sources: [{queue: orders, batch_size: 5}]}
  warm: {demo: probe, aliases: {live: 1}}
  open: {demo: probe}
fis: {propagation_ms: 0}
";

fn function(name: &str, alias: Option<&str>) -> FaultTarget {
    FaultTarget::Function { name: name.to_owned(), alias: alias.map(str::to_owned) }
}

const LOCAL: Family = Family {
    name: "event sources, warm environments, function URLs, programs",
    targets: "
  fed: {lambda: {function: fed}}
  warm: {lambda: {function: warm, alias: live}}
  open: {lambda: {function: open}}
  mode: {other: {name: the mode}}",
    faults:
        "
  paused: {lambda_event_source: {target: fed, enabled: false}}
  cold: {lambda_provisioned_concurrency: {target: warm, provisioned: 1}}
  closed: {lambda_function_url: {target: open, auth: iam}}
  own: {exec: {target: mode, inject: [./chaos/mode, inject], undo: [./chaos/mode, undo], check: [./chaos/mode, check]}}",
    actions: "{at: 0s, fault: paused}, {at: 0s, fault: cold}, {at: 0s, fault: closed}, {at: 0s, fault: own}",
    on: || vec![function("fed", None), function("warm", Some("live")), function("open", None)],
    stride: 3,
    workers: 4,
};

const EXPERIMENT: Family = Family {
    name: "experiments of FIS",
    targets: "
  open: {lambda: {function: open}}",
    faults: r#"
  failing:
    fis_experiment:
      target: open
      role: fis
      action: {id: "aws:lambda:invocation-error", parameters: {preventExecution: "true"}}"#,
    actions: "{at: 0s, fault: failing}",
    on: || vec![function("open", None)],
    stride: 2,
    workers: 4,
};

const SURROUNDINGS: Family = Family {
    name: "roles, queues, tables, rules and parameters",
    targets: "
  role: {role: {name: courier}}
  queue: {queue: {name: payments}}
  table: {table: {name: orders}}
  rule: {rule: {name: paid, bus: shop}}
  parameter: {parameter: {name: /shop/mode}}",
    faults: r#"
  denied: {iam_deny: {target: role, actions: ["sqs:SendMessage"]}}
  unused: {sqs_deny: {target: queue, actions: [SendMessage]}}
  slow: {dynamodb_throttle: {target: table, read: 1}}
  still: {event_rule: {target: rule, enabled: false}}
  other: {ssm_parameter: {target: parameter, value: panic}}"#,
    actions: "{at: 0s, fault: denied}, {at: 0s, fault: unused}, {at: 0s, fault: slow}, {at: 0s, fault: still}, {at: 0s, fault: other}",
    on: || {
        [
            AwsResource::Role("courier".to_owned()),
            AwsResource::Queue("payments".to_owned()),
            AwsResource::Table("orders".to_owned()),
            AwsResource::Rule { name: "paid".to_owned(), bus: Some("shop".to_owned()) },
            AwsResource::Parameter("/shop/mode".to_owned()),
        ]
        .map(FaultTarget::Resource)
        .into()
    },
    stride: 3,
    workers: 2,
};

/// A workspace, and what plays AWS for it, which outlives every crash.
struct Scene<'f> {
    family: &'f Family,
    workspace: Workspace,
    aws: Aws,
    runtime: tokio::runtime::Runtime,
    before: String,
    attempt: Cell<usize>,
    _server: Run,
}

impl<'f> Scene<'f> {
    fn on_sandbox(family: &'f Family) -> Self {
        let workspace = Workspace::empty();
        workspace.write("functions.yaml", SANDBOX);
        let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
        let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
        Self::new(family, workspace, &endpoint, sandbox)
    }

    /// None where there is no Python that has the emulator.
    fn on_ministack(family: &'f Family) -> Option<Self> {
        let mut python = python("crashes on MiniStack")?;
        let (workspace, port) = (Workspace::empty(), free_port());
        let server = start_ministack(&mut python, &workspace, port, "dynamodb,events,iam,sqs,ssm,sts");
        let endpoint = format!("http://127.0.0.1:{port}");
        create_surroundings(&workspace, &endpoint);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async {
            create_parameters(&Aws::connect(&Connection::Endpoint(endpoint.clone())).await).await;
        });
        Some(Self::new(family, workspace, &endpoint, server))
    }

    fn new(family: &'f Family, workspace: Workspace, endpoint: &str, server: Run) -> Self {
        workspace.write("chaos/mode", crate::exec::PROGRAM);
        let program = workspace.path().join("chaos/mode");
        std::fs::set_permissions(program, PermissionsExt::from_mode(0o755)).expect("a program");
        workspace.write("mode", "before\n");
        let settings =
            format!("gameday: 1\nenvironments: {{local: {{endpoint: \"{endpoint}\", exec: [./chaos/mode]}}}}\n");
        workspace.write("gameday.yaml", &settings);
        let Family { targets, faults, actions, .. } = family;
        let scenario = format!(
            "gameday: 1\nid: family\ntitle: A family\nowner: team-shop\nenvironments: {{allow: [local]}}\ntargets:{targets}\n\
             hypotheses: [{{id: H1, text: Nobody has to look, expect: mark(seen)}}]\nfaults:{faults}\n\
             timeline: [{{phase: broken, for: 300ms, do: [{actions}]}}]\n"
        );
        workspace.write("scenarios/family.yaml", &scenario);
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let aws = runtime.block_on(Aws::connect(&Connection::Endpoint(endpoint.to_owned())));
        let before = String::new();
        let mut scene = Self { family, workspace, aws, runtime, before, attempt: Cell::new(0), _server: server };
        scene.before = scene.now();
        scene
    }

    /// Everything that the faults could have changed.
    fn now(&self) -> String {
        self.runtime.block_on(async {
            let mut found = vec![std::fs::read_to_string(self.workspace.path().join("mode")).expect("a file")];
            for target in (self.family.on)() {
                found.push(state_of(&self.aws, &target).await.to_string());
                if let FaultTarget::Resource(AwsResource::Role(role)) = &target {
                    let policy = format!("gameday-{}-001-denied", self.run_id());
                    found.push(format!("{:?}", self.aws.iam.role_policy(role, &policy).await.expect("an answer")));
                }
            }
            if self.family.name == EXPERIMENT.name {
                let token = format!("gameday-{}-001-failing", self.run_id());
                let experiments = self.aws.fis.experiments(&token).await.expect("a list");
                let running = experiments.iter().filter(|experiment| !experiment.status.is_end()).count();
                let templates = self.aws.fis.templates_where(&|tag| tag.starts_with("gameday-")).await.expect("a list");
                found.push(format!("{running} experiments, {} templates", templates.len()));
            }
            found.join("\n")
        })
    }

    fn reports(&self) -> PathBuf {
        self.workspace.path().join(format!("attempt-{}", self.attempt.get()))
    }

    /// The folder of the last run.
    fn folder(&self) -> Option<PathBuf> {
        gameday::run::find_runs(&self.reports()).ok()?.pop()
    }

    fn run_id(&self) -> String {
        let folder = self.folder();
        let name = folder.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| "none".to_owned())
    }

    fn run(&self, step: usize) -> Output {
        self.attempt.set(self.attempt.get() + 1);
        let mut command = gameday();
        command.args(["run", "scenarios/family.yaml", "--env", "local", "--no-watchdog", "--reports"]);
        command.arg(self.reports()).env(FAILPOINT, format!("kill:{step}"));
        self.workspace.start_command(&mut command).wait()
    }

    fn recover(&self, failpoint: &str) -> Option<Output> {
        let mut command = gameday();
        command.arg("recover").arg(self.folder()?).env(FAILPOINT, failpoint);
        Some(self.workspace.start_command(&mut command).wait())
    }

    /// Whether a run that is killed at a step has begun with a fault.
    fn has_begun(&self, step: usize) -> bool {
        let killed = was_killed(&self.run(step));
        let has_faults = self
            .folder()
            .is_some_and(|folder| gameday::event::read_log(&folder).is_ok() && !state(&folder).faults.is_empty());
        self.recover("");
        !killed || has_faults
    }

    /// The last step before the first that has a fault.
    fn first_step(&self) -> usize {
        let mut high = 16;
        while !self.has_begun(high) {
            high *= 2;
        }
        let mut low = high / 2;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.has_begun(middle) { high = middle } else { low = middle }
        }
        low
    }

    /// One kill; false where the run ended by itself. Answers whether something was changed.
    fn kill(&self, step: usize) -> Option<(bool, bool)> {
        /// No recovery is so short that it is not killed at most of these steps.
        const RECOVERY_STEPS: usize = 24;
        let name = self.family.name;
        let run = self.run(step);
        if !was_killed(&run) {
            assert_eq!(run.code(), 3, "{name}: nothing is made of a mark that nobody makes: {run:#?}");
            assert_eq!(self.now(), self.before, "{name}");
            return None;
        }
        let is_changed = self.now() != self.before;
        // Steps of one kind do not all meet the same step of the recovery.
        let at = 1 + (step * 7) % RECOVERY_STEPS;
        let first = self.recover(&format!("kill:{at}")).expect("a run");
        let is_killed = was_killed(&first);
        if is_killed {
            let second = self.recover("").expect("a run");
            assert_eq!(second.code(), 0, "{name}: killed at {step}, recovery at {at}: {second:#?}");
        } else {
            assert_eq!(first.code(), 0, "{name}: killed at {step}: {first:#?}");
        }
        assert_eq!(self.now(), self.before, "{name}: killed at {step}, recovery at {at}");
        let state = state(&self.folder().expect("a run"));
        assert_eq!(state.outstanding().count(), 0, "{name}: killed at {step}: {state:#?}");
        Some((is_changed, is_killed))
    }
}

/// Kills a family at its own steps, side by side in scenes of their own; none where a scene cannot be made.
fn kill_all<'f>(family: &'f Family, scene: impl Fn() -> Option<Scene<'f>> + Sync) -> Option<()> {
    let start = gameday::unit::Clock::start();
    let first = scene()?;
    let next = AtomicUsize::new(first.first_step());
    let (is_over, kills) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 3]);
    let work = |scene: Scene<'_>| {
        let _stop = Stop(&is_over);
        while !is_over.load(Ordering::SeqCst) {
            let Some((is_changed, is_killed)) = scene.kill(next.fetch_add(family.stride, Ordering::SeqCst)) else {
                break;
            };
            for (count, is_it) in kills.iter().zip([true, is_changed, is_killed]) {
                count.fetch_add(usize::from(is_it), Ordering::SeqCst);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..family.workers {
            scope.spawn(|| work(scene().expect("a scene")));
        }
        work(first);
    });
    let [kills, changed, recoveries] = kills.map(AtomicUsize::into_inner);
    tell(&format!(
        "{}: a run killed at {kills} of its own steps ({changed} with changes made), and {recoveries} recoveries: all \
         restored, in {} s",
        family.name,
        start.elapsed().as_secs()
    ));
    assert!(kills >= 15 && changed >= 8 && recoveries >= 8, "{}: {kills} {changed} {recoveries}", family.name);
    Some(())
}

#[test]
#[ignore = "half a minute of work: `make crash-test` runs it"]
fn what_feeds_and_opens_a_function_and_a_program_are_undone_wherever_a_run_is_killed() {
    kill_all(&LOCAL, || Some(Scene::on_sandbox(&LOCAL)));
}

#[test]
#[ignore = "half a minute of work: `make crash-test` runs it"]
fn an_experiment_ends_and_leaves_no_template_wherever_a_run_is_killed() {
    kill_all(&EXPERIMENT, || Some(Scene::on_sandbox(&EXPERIMENT)));
}

#[test]
#[ignore = "half a minute of work: `make crash-test` runs it"]
fn what_surrounds_functions_is_as_before_wherever_a_run_is_killed() {
    kill_all(&SURROUNDINGS, || Scene::on_ministack(&SURROUNDINGS));
}
