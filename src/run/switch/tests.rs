//! Switches around the ledger, with a scheduler in memory.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;

use super::super::ledger;
use super::*;
use crate::aws::{AwsError, Scheduled};
use crate::event::{EventLog, undo_path};
use crate::fault::testing::{FakeFunctions, FunctionState, PUT_CONCURRENCY, Trouble};
use crate::fault::{LambdaConcurrency, LambdaEnvironment, LambdaTimeout, Variables};

/// What a fake scheduler is told, and what it has.
#[derive(Default)]
struct FakeSchedules {
    there: Mutex<BTreeMap<String, Schedule>>,
    told: Mutex<Vec<String>>,
    troubles: Mutex<VecDeque<(&'static str, &'static str)>>,
    /// Whether the next creation is tried twice, since its answer is lost.
    loses_answer: Mutex<bool>,
}

impl FakeSchedules {
    fn fail(&self, operation: &'static str, code: &'static str) {
        self.troubles.lock().unwrap().push_back((operation, code));
    }

    fn begin(&self, operation: &'static str) -> Result<(), AwsError> {
        self.told.lock().unwrap().push(operation.to_owned());
        let mut troubles = self.troubles.lock().unwrap();
        let Some(at) = troubles.iter().position(|(of, _)| *of == operation) else { return Ok(()) };
        let (_, code) = troubles.remove(at).unwrap();
        Err(error(operation, code))
    }

    fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    fn only(&self) -> Option<Schedule> {
        let there = self.there.lock().unwrap();
        assert!(there.len() <= 1);
        there.values().next().cloned()
    }
}

fn error(operation: &'static str, code: &str) -> AwsError {
    AwsError {
        service: "scheduler",
        operation,
        code: code.to_owned(),
        message: "so says the fake".to_owned(),
        retryable: false,
        request_id: None,
    }
}

#[async_trait]
impl ScheduleControl for FakeSchedules {
    async fn create(&self, schedule: &Schedule, client_token: &str) -> Result<(), AwsError> {
        if std::mem::take(&mut *self.loses_answer.lock().unwrap()) {
            self.there.lock().unwrap().insert(schedule.name.clone(), schedule.clone());
            self.fail("create", "ConflictException");
        }
        assert!(
            client_token.len() <= 64 && client_token.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        );
        self.begin("create")?;
        self.there.lock().unwrap().insert(schedule.name.clone(), schedule.clone());
        Ok(())
    }

    async fn update(&self, schedule: &Schedule) -> Result<(), AwsError> {
        self.begin("update")?;
        match self.there.lock().unwrap().get_mut(&schedule.name) {
            Some(there) => {
                *there = schedule.clone();
                Ok(())
            }
            None => Err(error("update", "ResourceNotFoundException")),
        }
    }

    async fn get(&self, name: &str, _group: &str) -> Result<Option<Scheduled>, AwsError> {
        let there = self.there.lock().unwrap();
        Ok(there.get(name).map(|schedule| Scheduled { schedule: schedule.clone(), is_enabled: true }))
    }

    async fn delete(&self, name: &str, _group: &str) -> Result<(), AwsError> {
        self.begin("delete")?;
        self.there.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A run with one function, `checkout`, of which 7 are reserved.
struct Bench {
    functions: Arc<FakeFunctions>,
    schedules: Arc<FakeSchedules>,
    environment: FaultEnvironment,
    recorder: Recorder,
    switches: Switches,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new(is_required: bool) -> Self {
        let state = FunctionState { reserved: Some(7), ..FunctionState::with(&[("KEY", "secret-1")]) };
        let functions = FakeFunctions::checkout(state);
        let schedules = Arc::<FakeSchedules>::default();
        let mut environment = functions.environment();
        environment.aws.scheduler = Arc::clone(&schedules) as Arc<dyn ScheduleControl>;
        environment.occasion.token = "gameday-run-001-it.s".to_owned();
        let folder = tempfile::tempdir().unwrap();
        let log = EventLog::create(folder.path(), Clock::start()).unwrap();
        let recorder = Recorder::new(log);
        recorder.record(started()).unwrap();
        let role_arn = "arn:aws-cn:iam::123456789012:role/undo".to_owned();
        let settings = DeadmanSwitch { role_arn, group: "drills".to_owned(), is_required };
        let resources =
            ["checkout", "same-checkout"].map(|name| (name.parse().unwrap(), "function `checkout`".to_owned()));
        let switches = Switches::with(Some(settings), resources.into(), recorder.clone());
        Self { functions, schedules, environment, recorder, switches, _folder: folder }
    }

    async fn inject(&self, kind: &FaultKind, ttl: Option<Duration>) -> Result<Undo, String> {
        let mut kept = None;
        let keep = |undo| kept = Some(undo);
        let outcome =
            ledger::inject(&self.recorder, &self.environment, &identity(), (kind, ttl), &self.switches, keep).await;
        outcome.map(|()| kept.unwrap()).map_err(|error| error_chain(&error))
    }

    async fn revert(&self, undo: &Undo) {
        ledger::revert(&self.recorder, &self.environment, &identity(), undo).await;
    }

    fn fault(&self) -> FaultProgress {
        self.recorder.recording().state().faults[0].clone()
    }

    fn switch(&self) -> SwitchProgress {
        self.fault().switch.expect("a switch")
    }

    /// Lets so many seconds pass in a run that walks its timeline.
    async fn live(&self, seconds: u64) {
        for _ in 0..seconds {
            self.switches.beat();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    fn now(&self) -> DateTime<Utc> {
        self.recorder.log().clock().now()
    }
}

fn started() -> EventKind {
    EventKind::RunStarted {
        format: crate::event::LOG_FORMAT,
        run: "run".parse().unwrap(),
        scenario: "shop".parse().unwrap(),
        title: String::new(),
        environment: "account".to_owned(),
        version: String::new(),
        seed: 1,
        plan_sha256: String::new(),
        process: 1,
    }
}

fn identity() -> FaultIdentity {
    FaultIdentity { step: "001-it".to_owned(), fault: "it".parse().unwrap() }
}

fn throttle() -> FaultKind {
    FaultKind::LambdaConcurrency(LambdaConcurrency { target: "checkout".parse().unwrap(), reserved: 0 })
}

fn variable() -> FaultKind {
    let set = Variables::from([("KEY".to_owned(), "blue".to_owned())]);
    let target = "checkout".parse().unwrap();
    FaultKind::LambdaEnvironment(LambdaEnvironment { target, set, unset: std::collections::BTreeSet::new() })
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_set_before_its_fault_and_deleted_after_the_undo() {
    let bench = Bench::new(false);
    let undo = bench.inject(&throttle(), None).await.unwrap();
    let schedule = bench.schedules.only().unwrap();
    assert_eq!(schedule.target_arn, "arn:aws-cn:scheduler:::aws-sdk:lambda:putFunctionConcurrency");
    assert_eq!((schedule.group.as_str(), schedule.role_arn.ends_with("undo")), ("drills", true));
    let input: serde_json::Value = serde_json::from_str(schedule.input.reveal()).unwrap();
    assert_eq!(input, serde_json::json!({"FunctionName": "checkout", "ReservedConcurrentExecutions": 7}));
    let early = (later(bench.now(), GRACE) - schedule.at).num_seconds();
    assert!((0..=1).contains(&early), "{early} s");
    assert_eq!(
        (bench.switch().state, bench.switch().call.as_str()),
        (SwitchState::Set, "lambda:PutFunctionConcurrency")
    );
    bench.revert(&undo).await;
    assert_eq!(bench.schedules.told(), ["create", "delete"]);
    assert_eq!((bench.schedules.only(), bench.switch().state), (None, SwitchState::Deleted));
    let kinds: Vec<String> = crate::event::read_log(bench.recorder.log().directory())
        .unwrap()
        .events
        .iter()
        .map(|event| serde_json::to_value(&event.kind).unwrap().as_object().unwrap().keys().next().unwrap().clone())
        .collect();
    let expected = [
        "run_started",
        "fault_intended",
        "fault_armed",
        "switch_intended",
        "switch_set",
        "fault_applied",
        "fault_reverting",
        "fault_restored",
        "switch_deleted",
    ];
    assert_eq!(kinds, expected);
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_put_off_for_as_long_as_the_timeline_is_walked() {
    let bench = Bench::new(false);
    let undo = bench.inject(&throttle(), None).await.unwrap();
    bench.live(1_000).await;
    let ahead = bench.schedules.only().unwrap().at - bench.now();
    assert!(ahead > TimeDelta::seconds(150) && ahead <= TimeDelta::seconds(300), "{ahead}");
    let pushed = bench.switch().pushed_count;
    assert!((8..=17).contains(&pushed), "{pushed} signs of life in 1000 s");
    assert_eq!(bench.switch().fires_at, bench.schedules.only().unwrap().at);
    // The engine hangs: other tasks of the run do not keep the switch from firing.
    tokio::time::sleep(Duration::from_secs(16)).await;
    let at = bench.schedules.only().unwrap().at;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.schedules.only().unwrap().at, at);
    assert!(at < bench.now());
    bench.live(130).await;
    bench.revert(&undo).await;
    let told = bench.schedules.told().len();
    bench.live(300).await;
    assert_eq!(bench.schedules.told().len(), told, "nothing is put off after the undo");
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_outlives_its_time_is_undone_by_aws_although_the_run_lives() {
    let bench = Bench::new(false);
    let applied = bench.now();
    bench.inject(&throttle(), Some(Duration::from_secs(120))).await.unwrap();
    bench.live(1_500).await;
    let at = bench.schedules.only().unwrap().at;
    assert!(at <= later(applied, Duration::from_secs(421)), "{}", at - applied);
    assert!(at >= later(applied, Duration::from_secs(418)), "{}", at - applied);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_be_put_off_is_told_once_and_tried_again() {
    let bench = Bench::new(false);
    for _ in 0..3 {
        bench.schedules.fail("update", "AccessDeniedException");
    }
    bench.inject(&throttle(), None).await.unwrap();
    bench.live(200).await;
    let told = |bench: &Bench| {
        let events = crate::event::read_log(bench.recorder.log().directory()).unwrap().events;
        events.iter().filter(|event| matches!(event.kind, EventKind::SwitchFailed { .. })).count()
    };
    assert_eq!(told(&bench), 1);
    assert!(bench.switch().pushed_count > 0 && bench.switch().error.is_none());
    // AWS has carried it out, or somebody took it away.
    bench.schedules.there.lock().unwrap().clear();
    bench.live(300).await;
    assert_eq!(told(&bench), 2);
    assert!(bench.switch().error.unwrap().contains("is gone"));
}

#[tokio::test(start_paused = true)]
async fn without_its_switch_a_fault_is_injected_and_told_of_or_is_not_injected_where_one_is_required() {
    for is_required in [false, true] {
        let bench = Bench::new(is_required);
        bench.schedules.fail("create", "AccessDeniedException");
        let outcome = bench.inject(&throttle(), None).await;
        assert_eq!(outcome.is_err(), is_required, "{outcome:?}");
        assert_eq!(bench.functions.calls(PUT_CONCURRENCY), u32::from(!is_required));
        assert_eq!(bench.switch().state, SwitchState::Refused);
        assert!(bench.switch().error.unwrap().contains("AccessDeniedException"));
        let text = std::fs::read(undo_path(bench.recorder.log().directory(), "001-it")).unwrap();
        let sha256 = crate::unit::sha256_hex(&text);
        let path = undo_path(bench.recorder.log().directory(), "001-it");
        bench.revert(&ledger::UndoFile::read(&path, &sha256).unwrap().undo).await;
        assert_eq!(bench.schedules.told(), ["create"], "there is nothing to delete, and to wait for");
        assert_eq!(bench.functions.state().reserved, Some(7));
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_call_undoes_has_no_schedule_and_is_not_injected_where_one_is_required() {
    let bench = Bench::new(false);
    bench.inject(&variable(), None).await.unwrap();
    assert_eq!((bench.schedules.told().len(), bench.fault().switch), (0, None));
    let bench = Bench::new(true);
    let error = bench.inject(&variable(), None).await.unwrap_err();
    assert!(error.contains("may be secrets") && !error.contains("secret-1"), "{error}");
    assert_eq!(bench.functions.changing_calls(), 0);
    // Nothing to undo needs no switch.
    let bench = Bench::new(true);
    let as_it_is = LambdaTimeout { target: "checkout".parse().unwrap(), timeout: "30s".parse().unwrap() };
    bench.inject(&FaultKind::LambdaTimeout(as_it_is), None).await.unwrap();
    assert_eq!(bench.schedules.told().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_undone_keeps_its_switch_and_what_others_changed_does_not() {
    let bench = Bench::new(false);
    let undo = bench.inject(&throttle(), None).await.unwrap();
    bench.functions.always(Trouble::Throttled);
    for _ in 0..2 {
        bench.revert(&undo).await;
    }
    assert_eq!((bench.fault().state, bench.switch().state), (FaultState::Stuck, SwitchState::Left));
    assert_eq!(bench.schedules.told().iter().filter(|it| *it == "delete").count(), 0);
    assert!(promise(&bench.switch()).unwrap().contains("lambda:PutFunctionConcurrency"));
    bench.functions.calm();
    bench.functions.change(|state| state.reserved = Some(9));
    bench.revert(&undo).await;
    assert_eq!((bench.fault().state, bench.switch().state), (FaultState::Drifted, SwitchState::Deleted));
    assert_eq!(bench.schedules.only(), None);
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_could_not_be_deleted_is_told_with_a_command_and_deleted_by_the_next_recovery() {
    let bench = Bench::new(false);
    let undo = bench.inject(&throttle(), None).await.unwrap();
    bench.schedules.fail("delete", "AccessDeniedException");
    bench.revert(&undo).await;
    let switch = bench.switch();
    assert_eq!((bench.fault().state, switch.state), (FaultState::Restored, SwitchState::Undeleted));
    assert!(bench.fault().is_switch_left_over());
    let command = format!("aws scheduler delete-schedule --name {} --group-name drills", switch.schedule);
    assert_eq!(switch.by_hand.last(), Some(&command));
    clear(&bench.recorder, &bench.environment).await;
    assert!(!bench.fault().is_switch_left_over());
    assert_eq!(bench.schedules.only(), None);
}

#[tokio::test(start_paused = true)]
async fn a_switch_whose_answer_was_lost_is_set() {
    let bench = Bench::new(true);
    *bench.schedules.loses_answer.lock().unwrap() = true;
    let undo = bench.inject(&throttle(), None).await.unwrap();
    assert_eq!(bench.switch().state, SwitchState::Set);
    bench.live(200).await;
    assert!(bench.switch().pushed_count > 0, "it is put off");
    bench.revert(&undo).await;
    assert_eq!(bench.schedules.only(), None);
}

#[tokio::test(start_paused = true)]
async fn no_fault_is_injected_where_the_switch_of_an_earlier_one_may_still_undo_it() {
    let bench = Bench::new(false);
    let undo = bench.inject(&throttle(), None).await.unwrap();
    (0..2).for_each(|_| bench.schedules.fail("delete", "AccessDeniedException"));
    bench.revert(&undo).await;
    let (target, calls) = ("checkout".parse().unwrap(), bench.functions.changing_calls());
    let error = bench.inject(&throttle(), None).await.unwrap_err();
    assert!(error.contains("could not be deleted, and may still fire at"), "{error}");
    assert_eq!(bench.functions.changing_calls(), calls);
    bench.schedules.fail("delete", "AccessDeniedException");
    let same = bench.switches.clear_target(&bench.environment, &"same-checkout".parse().unwrap()).await;
    assert!(matches!(same, Err(SwitchError::Ahead { .. })), "another name for the same function");
    let elsewhere = bench.switches.clear_target(&bench.environment, &"another".parse().unwrap()).await;
    elsewhere.expect("nothing of it is there");
    bench.switches.clear_target(&bench.environment, &target).await.expect("it is deleted by now");
    assert_eq!(bench.schedules.only(), None);
}

#[tokio::test(start_paused = true)]
async fn a_switch_that_has_fired_is_in_nobodys_way() {
    let bench = Bench::new(false);
    let undo = bench.inject(&throttle(), None).await.unwrap();
    (0..2).for_each(|_| bench.schedules.fail("delete", "AccessDeniedException"));
    bench.revert(&undo).await;
    assert!(may_fire(&bench.switch(), bench.now()));
    tokio::time::sleep(GRACE + CARRIED_OUT).await;
    assert!(!may_fire(&bench.switch(), bench.now()));
    bench.switches.clear_target(&bench.environment, &"checkout".parse().unwrap()).await.expect("it has fired");
}

#[test]
fn names_are_what_scheduler_takes_and_differ_by_run_step_and_machine() {
    let long = "gameday-2026-11-10-100000-a-very-long-scenario-name-that-goes-on-001-it.s";
    let names = [
        name(long, "001-it.s", "here"),
        name(long, "002-it.s", "here"),
        name(long, "001-it.s", "there"),
        name("gameday", "001-it.s", "here"),
    ];
    for (index, one) in names.iter().enumerate() {
        assert!(one.len() <= 64 && one.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{one}");
        assert_eq!(names.iter().position(|other| other == one), Some(index));
        let interval = interval(one).as_secs();
        assert!((60..=120).contains(&interval), "{interval}");
    }
}
