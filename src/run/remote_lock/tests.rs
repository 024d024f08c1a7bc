//! The lock, with parameters in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, mpsc};

use async_trait::async_trait;

use super::unlock::take_away;
use super::*;
use crate::aws::{Parameter, ParameterKind};
use crate::event::{EventLog, LOG_FORMAT, LockState};
use crate::unit::Secret;

const NAME: &str = "/gameday/staging";

/// Parameters with their versions, which AWS counts from 1 again after a deletion.
#[derive(Default)]
struct FakeParameters {
    there: Mutex<BTreeMap<String, (String, u64)>>,
    /// How the next writes end: none did not arrive, and true arrived although the answer was lost.
    troubles: Mutex<Vec<bool>>,
    is_down: Mutex<bool>,
}

fn error(operation: &'static str, code: &str) -> AwsError {
    AwsError {
        service: "ssm",
        operation,
        code: code.to_owned(),
        message: "so says the fake".to_owned(),
        retryable: false,
        request_id: None,
    }
}

impl FakeParameters {
    fn held(&self) -> Option<Held> {
        self.there.lock().unwrap().get(NAME).and_then(|(text, _)| Held::read(text))
    }

    fn put(&self, text: &str) {
        self.there.lock().unwrap().insert(NAME.to_owned(), (text.to_owned(), 1));
    }

    fn check(&self, operation: &'static str) -> Result<(), AwsError> {
        if *self.is_down.lock().unwrap() { Err(error(operation, "Unreachable")) } else { Ok(()) }
    }
}

#[async_trait]
impl ParameterControl for FakeParameters {
    async fn read(&self, name: &str) -> Result<Option<Parameter>, AwsError> {
        self.check("GetParameter")?;
        let there = self.there.lock().unwrap();
        let found = there.get(name).cloned();
        Ok(found.map(|(text, version)| Parameter { value: Secret::new(text), kind: ParameterKind::String, version }))
    }

    async fn write(&self, name: &str, text: &str, overwrite: bool) -> Result<u64, AwsError> {
        self.check("PutParameter")?;
        let mut there = self.there.lock().unwrap();
        let version = there.get(name).map_or(0, |(_, version)| *version);
        if version > 0 && !overwrite {
            return Err(error("PutParameter", "ParameterAlreadyExists"));
        }
        there.insert(name.to_owned(), (text.to_owned(), version + 1));
        match self.troubles.lock().unwrap().pop() {
            Some(true) => Err(error("PutParameter", "ParameterAlreadyExists")),
            Some(false) => Err(error("PutParameter", "Unreachable")),
            None => Ok(version + 1),
        }
    }

    async fn remove(&self, name: &str) -> Result<(), AwsError> {
        self.check("DeleteParameter")?;
        self.there.lock().unwrap().remove(name);
        Ok(())
    }
}

/// A run that wants the lock.
struct Machine {
    recorder: Recorder,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new(run: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(EventLog::create(folder.path(), Clock::start()).unwrap());
        let started = EventKind::RunStarted {
            format: LOG_FORMAT,
            run: run.parse().unwrap(),
            scenario: "shop".parse().unwrap(),
            title: String::new(),
            environment: "staging".to_owned(),
            version: String::new(),
            seed: 1,
            plan_sha256: String::new(),
            process: 1,
        };
        recorder.record(started).unwrap();
        Self { recorder, _folder: folder }
    }

    async fn take(&self, parameters: &Arc<FakeParameters>) -> Result<RemoteLock, RemoteLockError> {
        let parameters = Arc::clone(parameters) as Arc<dyn ParameterControl>;
        RemoteLock::take(parameters, ("staging", NAME), "export AWS_REGION=eu-west-1", &self.recorder).await
    }

    /// Writes its lock as a run does that is alive.
    fn take_again(&self, parameters: &FakeParameters) {
        let held = Held { dirty: false, expires: expiry(), ..parameters.held().unwrap() };
        parameters.put(&text(&held));
        self.recorder.record(EventKind::LockTaken { expires_at: held.expires }).unwrap();
    }

    fn lock(&self) -> LockProgress {
        self.recorder.recording().state().lock.clone().unwrap()
    }
}

fn refusal(outcome: Result<RemoteLock, RemoteLockError>) -> String {
    outcome.map(drop).unwrap_err().to_string()
}

fn expired(parameters: &FakeParameters) {
    let held = Held { expires: Clock::start().now() - TimeDelta::seconds(1), ..parameters.held().unwrap() };
    parameters.put(&text(&held));
}

#[tokio::test(start_paused = true)]
async fn one_run_has_it_and_the_other_is_told_who_until_it_is_released() {
    let parameters = Arc::<FakeParameters>::default();
    let (first, second) = (Machine::new("first"), Machine::new("second"));
    let lock = first.take(&parameters).await.unwrap();
    assert_eq!(first.lock().state, LockState::Taken);
    let held = parameters.held().unwrap();
    assert_eq!((held.run.as_str(), held.dirty, held.is_expired()), ("first", false, false));
    assert!(held.expires - held.since >= TimeDelta::seconds(899));
    let told = refusal(second.take(&parameters).await);
    for text in ["run `first`", held.holder.as_str(), "wait for its end", "`gameday recover first`"] {
        assert!(told.contains(text), "{text}: {told}");
    }
    assert!(!told.contains("--unlock"), "{told}");
    assert_eq!(second.lock().state, LockState::Released, "nothing of its own is left");
    lock.end(&first.recorder, true).await;
    assert_eq!((first.lock().state, parameters.held()), (LockState::Released, None));
    second.take(&parameters).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_answer_was_lost_is_ours_and_what_is_no_lock_is_left_alone() {
    let parameters = Arc::<FakeParameters>::default();
    parameters.troubles.lock().unwrap().push(true);
    Machine::new("first").take(&parameters).await.unwrap();
    for foreign in ["", "calm", "{\"format\": 2}", "{\"run\": \"a b; rm\", \"format\": 1}"] {
        parameters.put(foreign);
        let told = refusal(Machine::new("second").take(&parameters).await);
        assert!(told.contains("is no lock"), "{told}");
        let outcome = take_away(&*parameters, ("staging", NAME), "first").await;
        assert!(matches!(outcome, Err(UnlockError::Foreign(_))), "{outcome:?}");
    }
    assert_eq!(parameters.there.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn it_is_renewed_while_the_run_lives_and_the_run_is_told_when_it_is_not_ours_any_more() {
    let parameters = Arc::<FakeParameters>::default();
    let machine = Machine::new("first");
    let lock = machine.take(&parameters).await.unwrap();
    let (sender, lost) = mpsc::channel();
    let keeping = tokio::spawn(lock.keep(machine.recorder.clone(), move |found| sender.send(found).unwrap()));
    let version = || parameters.there.lock().unwrap().get(NAME).map(|(_, version)| *version);
    tokio::time::sleep(RENEWAL * 3 + RENEWAL / 2).await;
    assert_eq!(version(), Some(4));
    // AWS is away for a while: told once.
    *parameters.is_down.lock().unwrap() = true;
    tokio::time::sleep(RENEWAL * 2).await;
    assert!(machine.lock().error.unwrap().contains("Unreachable"));
    *parameters.is_down.lock().unwrap() = false;
    tokio::time::sleep(RENEWAL).await;
    assert_eq!((version(), machine.lock().error), (Some(5), None));
    // Somebody took the parameter away, and nobody took the lock.
    parameters.there.lock().unwrap().clear();
    tokio::time::sleep(RENEWAL).await;
    assert_eq!(version(), Some(1));
    assert!(lost.try_recv().is_err());
    // Another run has it.
    parameters.there.lock().unwrap().clear();
    Machine::new("second").take(&parameters).await.unwrap();
    keeping.await.unwrap();
    assert!(lost.try_recv().unwrap().contains("run `second`"));
    assert_eq!(machine.lock().state, LockState::Lost);
    let events = crate::event::read_log(machine.recorder.log().directory()).unwrap().events;
    let failed = events.iter().filter(|event| matches!(event.kind, EventKind::LockFailed { .. })).count();
    assert_eq!(failed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_dirty_run_keeps_it_and_a_recovery_of_it_releases_it_and_no_other() {
    let parameters = Arc::<FakeParameters>::default();
    let machine = Machine::new("first");
    let lock = machine.take(&parameters).await.unwrap();
    let keeping = tokio::spawn(lock.clone().keep(machine.recorder.clone(), |_| {}));
    lock.end(&machine.recorder, false).await;
    assert_eq!((machine.lock().state, parameters.held().unwrap().dirty), (LockState::Kept, true));
    keeping.await.expect("it is not renewed any more");
    assert!(parameters.held().unwrap().dirty);
    let told = refusal(Machine::new("second").take(&parameters).await);
    assert!(told.contains("NOT undone") && told.contains("`gameday recover first`"), "{told}");
    let LockProgress { ticket, .. } = machine.lock();
    // A recovery that undoes not everything either marks it once more.
    machine.take_again(&parameters);
    keep_dirty(&*parameters, &machine.lock(), "first", &machine.recorder).await;
    assert_eq!((machine.lock().state, parameters.held().unwrap().dirty), (LockState::Kept, true));
    release(&*parameters, NAME, "another", "", &Machine::new("other").recorder).await;
    assert!(parameters.held().is_some());
    release(&*parameters, NAME, &ticket, "", &machine.recorder).await;
    assert_eq!((machine.lock().state, parameters.held()), (LockState::Released, None));
}

#[tokio::test(start_paused = true)]
async fn an_expired_lock_is_taken_from_nobody_until_a_person_names_the_run() {
    let parameters = Arc::<FakeParameters>::default();
    Machine::new("first").take(&parameters).await.unwrap();
    let of = ("staging", NAME);
    let outcome = take_away(&*parameters, of, "first").await;
    assert!(matches!(&outcome, Err(UnlockError::Refused(why)) if why.contains("wait for its end")), "{outcome:?}");
    expired(&parameters);
    let told = refusal(Machine::new("second").take(&parameters).await);
    assert!(told.contains("may have left its faults on") && told.contains("--env staging --unlock first"), "{told}");
    assert!(matches!(take_away(&*parameters, of, "another").await, Err(UnlockError::Refused(_))));
    assert_eq!(take_away(&*parameters, of, "first").await.unwrap().run.as_str(), "first");
    assert!(matches!(take_away(&*parameters, of, "first").await, Err(UnlockError::NotLocked(_))));
    Machine::new("second").take(&parameters).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_can_not_be_released_is_told_with_a_command() {
    let parameters = Arc::<FakeParameters>::default();
    let machine = Machine::new("first");
    let lock = machine.take(&parameters).await.unwrap();
    *parameters.is_down.lock().unwrap() = true;
    lock.end(&machine.recorder, true).await;
    let left = machine.lock();
    assert!(left.may_be_ours() && left.error.unwrap().contains("Unreachable"));
    assert_eq!(left.by_hand.last().unwrap(), "aws ssm delete-parameter --name /gameday/staging");
    assert!(machine.recorder.recording().state().has_remains());
    // What can not be asked for is not had.
    let outcome = Machine::new("second").take(&parameters).await;
    assert!(matches!(outcome, Err(RemoteLockError::Aws { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_a_folder_is_not_recovered_while_its_lock_says_that_the_run_lives() {
    let parameters = Arc::<FakeParameters>::default();
    let machine = Machine::new("first");
    machine.take(&parameters).await.unwrap();
    let (lock, copy) = (machine.lock(), tempfile::tempdir().unwrap());
    let check = async |folder: &Path| check_holder(&*parameters, &lock, ("first", folder)).await;
    check(machine.recorder.log().directory()).await.expect("the folder itself");
    let Err(error @ HolderError::Alive { .. }) = check(copy.path()).await else { panic!("it may be alive") };
    let told = error.to_string();
    assert!(told.contains("--despite-lock") && told.contains(&lock.holder), "{told}");
    *parameters.is_down.lock().unwrap() = true;
    assert!(matches!(check(copy.path()).await, Err(HolderError::Unknown { .. })));
    check(machine.recorder.log().directory()).await.expect("nobody needs to be asked");
    *parameters.is_down.lock().unwrap() = false;
    keep_dirty(&*parameters, &machine.lock(), "first", &machine.recorder).await;
    check(copy.path()).await.expect("it has ended");
    machine.take_again(&parameters);
    expired(&parameters);
    check(copy.path()).await.expect("it was not heard of any more");
    parameters.there.lock().unwrap().clear();
    check(copy.path()).await.expect("there is no lock");
    // Another run is under way in the environment: not even the folder itself is recovered behind its back.
    Machine::new("second").take(&parameters).await.unwrap();
    for folder in [copy.path(), machine.recorder.log().directory()] {
        let Err(error @ HolderError::Taken { .. }) = check(folder).await else { panic!("the second run lives") };
        assert!(error.to_string().contains("run `second`"), "{error}");
    }
    expired(&parameters);
    check(copy.path()).await.expect("neither lives");
}

#[tokio::test(start_paused = true)]
async fn a_dirty_mark_is_made_anew_where_the_lock_was_taken_away_and_never_over_anothers() {
    let parameters = Arc::<FakeParameters>::default();
    let machine = Machine::new("first");
    let lock = machine.take(&parameters).await.unwrap();
    parameters.there.lock().unwrap().clear();
    lock.end(&machine.recorder, false).await;
    assert_eq!((machine.lock().state, parameters.held().unwrap().dirty), (LockState::Kept, true));
    parameters.there.lock().unwrap().clear();
    Machine::new("second").take(&parameters).await.unwrap();
    keep_dirty(&*parameters, &machine.lock(), "first", &machine.recorder).await;
    assert_eq!(machine.lock().state, LockState::Lost);
    assert_eq!((parameters.held().unwrap().run.as_str(), parameters.held().unwrap().dirty), ("second", false));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_recovered_elsewhere_has_its_lock_no_more() {
    let parameters = Arc::<FakeParameters>::default();
    let machine = Machine::new("first");
    let lock = machine.take(&parameters).await.unwrap();
    let (sender, lost) = mpsc::channel();
    let keeping = tokio::spawn(lock.keep(machine.recorder.clone(), move |found| sender.send(found).unwrap()));
    let held = Held { dirty: true, ..parameters.held().unwrap() };
    parameters.put(&text(&held));
    keeping.await.unwrap();
    assert!(lost.try_recv().unwrap().contains("marked as dirty"));
    assert!(parameters.held().unwrap().dirty, "it is not written over");
}
