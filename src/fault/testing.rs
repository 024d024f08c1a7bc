//! The fake control plane: functions in memory behind [`FunctionControl`], as hostile as AWS can be.
//!
//! Owns: the functions' configurations, what goes wrong with calls ([`Trouble`], by script or by seed), a second writer
//! who changes things between any two calls, and the counts of both. Must not know: what a fault does.
//!
//! AWS, as it is faked: `RevisionId` changes when an update is taken and again when it is done; in between a second
//! update answers 409, and a stale revision answers 412. Reserved concurrency has neither lock nor revision. Time is
//! tokio's, which tests pause.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::change::{FaultEnvironment, Occasion};
use super::{FaultKind, FaultTarget, Undo};
use crate::aws::{
    Aws, AwsError, EnvironmentVariables, FunctionConfiguration, FunctionControl, FunctionUpdate, UpdateProgress,
};
use crate::event::{Armed, EventLog, FaultIdentity};
use crate::unit::Clock;

mod hand;
mod trouble;

pub(crate) use hand::Hand;
pub(crate) use trouble::Trouble;
use trouble::{CONFLICT, NOT_FOUND, STALE};

pub(crate) const GET_CONFIGURATION: &str = "GetFunctionConfiguration";
pub(crate) const UPDATE_CONFIGURATION: &str = "UpdateFunctionConfiguration";
pub(crate) const GET_CONCURRENCY: &str = "GetFunctionConcurrency";
pub(crate) const PUT_CONCURRENCY: &str = "PutFunctionConcurrency";
pub(crate) const DELETE_CONCURRENCY: &str = "DeleteFunctionConcurrency";
const LIST_TAGS: &str = "ListTags";
const GET_URL: &str = "GetFunctionUrlConfig";

/// Which setting of a function: what the second writer wrote is kept by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Field {
    Timeout,
    Memory,
    Layers,
    Concurrency,
    Variable(String),
}

/// A setting's value as text; none where it is not there.
pub(crate) type Value = Option<String>;

/// A function as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionState {
    pub(crate) timeout_seconds: u32,
    pub(crate) memory_mb: u32,
    pub(crate) layers: Vec<String>,
    /// None: `Environment.Error`.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    pub(crate) reserved: Option<u32>,
    pub(crate) tags: BTreeMap<String, String>,
    /// Whether AWS cannot carry out any update: `LastUpdateStatus` is `Failed`.
    pub(crate) is_failed: bool,
}

impl FunctionState {
    /// 30 s, nothing reserved, no tags, and these variables.
    pub(crate) fn with(variables: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self {
            timeout_seconds: 30,
            memory_mb: 512,
            layers: Vec::new(),
            environment: Some(variables.iter().map(owned).collect()),
            reserved: None,
            tags: BTreeMap::new(),
            is_failed: false,
        }
    }

    pub(crate) fn value(&self, field: &Field) -> Value {
        match field {
            Field::Timeout => Some(self.timeout_seconds.to_string()),
            Field::Memory => Some(self.memory_mb.to_string()),
            Field::Layers => Some(self.layers.join(" ")),
            Field::Concurrency => self.reserved.map(|reserved| reserved.to_string()),
            Field::Variable(name) => self.environment.as_ref()?.get(name).cloned(),
        }
    }
}

struct Function {
    state: FunctionState,
    revision: u64,
    busy_until: Option<Instant>,
    /// Whether our last call about the reservation was a read that we got the answer of.
    was_reservation_read: bool,
}

impl Function {
    /// The update that is under way ends, which changes the revision once more.
    fn settle(&mut self) {
        if self.busy_until.is_some_and(|until| Instant::now() >= until) {
            self.busy_until = None;
            self.revision += 1;
        }
    }

    fn begin_update(&mut self, takes: Duration) {
        self.revision += 1;
        self.busy_until = Some(Instant::now() + takes);
        self.settle();
    }
}

/// What goes wrong with calls that no script is for.
#[derive(Debug, Clone, Copy)]
enum Hostility {
    Quiet,
    Always(Trouble),
    Percent(u32),
}

/// The second writer: called before each call with the operation and the function that it is about.
type SecondWriter = Box<dyn FnMut(&'static str, &str, &mut Hand<'_>) + Send>;

struct Plane {
    functions: BTreeMap<String, Function>,
    update_takes: Duration,
    random: ChaCha8Rng,
    hostility: Hostility,
    scripts: BTreeMap<&'static str, VecDeque<Trouble>>,
    calls: BTreeMap<&'static str, u32>,
    written: BTreeMap<(String, Field), Value>,
    raced: BTreeSet<String>,
}

/// The control plane.
pub(crate) struct FakeFunctions {
    plane: Mutex<Plane>,
    writer: Mutex<Option<SecondWriter>>,
}

impl FakeFunctions {
    /// Functions by name; an update takes half a second, and all goes well.
    pub(crate) fn new(functions: impl IntoIterator<Item = (String, FunctionState)>) -> Arc<Self> {
        let function = |(name, state): (String, FunctionState)| {
            (name, Function { state, revision: 1, busy_until: None, was_reservation_read: false })
        };
        Arc::new(Self {
            plane: Mutex::new(Plane {
                functions: functions.into_iter().map(function).collect(),
                update_takes: Duration::from_millis(500),
                random: ChaCha8Rng::seed_from_u64(0),
                hostility: Hostility::Quiet,
                scripts: BTreeMap::new(),
                calls: BTreeMap::new(),
                written: BTreeMap::new(),
                raced: BTreeSet::new(),
            }),
            writer: Mutex::new(None),
        })
    }

    /// One function `checkout`.
    pub(crate) fn checkout(state: FunctionState) -> Arc<Self> {
        Self::new([("checkout".to_owned(), state)])
    }

    fn plane(&self) -> MutexGuard<'_, Plane> {
        self.plane.lock().unwrap()
    }

    /// How long an update is under way.
    pub(crate) fn updates_take(&self, takes: Duration) {
        self.plane().update_takes = takes;
    }

    /// The next calls of an operation go wrong so, one after another.
    pub(crate) fn script(&self, operation: &'static str, troubles: impl IntoIterator<Item = Trouble>) {
        self.plane().scripts.entry(operation).or_default().extend(troubles);
    }

    /// Every call goes wrong so.
    pub(crate) fn always(&self, trouble: Trouble) {
        self.plane().hostility = Hostility::Always(trouble);
    }

    /// So many calls in a hundred go wrong, each in its own way, by the seed that also moves the second writer.
    pub(crate) fn hostile(&self, seed: u64, percent: u32) {
        let mut plane = self.plane();
        plane.random = ChaCha8Rng::seed_from_u64(seed);
        plane.hostility = Hostility::Percent(percent);
    }

    /// Somebody else, who is asked before each call.
    pub(crate) fn second_writer(&self, writer: impl FnMut(&'static str, &str, &mut Hand<'_>) + Send + 'static) {
        *self.writer.lock().unwrap() = Some(Box::new(writer));
    }

    /// Nothing goes wrong any more, and nobody else writes.
    pub(crate) fn calm(&self) {
        *self.writer.lock().unwrap() = None;
        let mut plane = self.plane();
        plane.hostility = Hostility::Quiet;
        plane.scripts.clear();
    }

    /// What was read up to now does not count as fresh any more: for a test, between one step and the next.
    pub(crate) fn forget_reads(&self) {
        self.plane().functions.values_mut().for_each(|function| function.was_reservation_read = false);
    }

    /// A function as it is; none where it was deleted.
    pub(crate) fn find(&self, function: &str) -> Option<FunctionState> {
        self.plane().functions.get(function).map(|function| function.state.clone())
    }

    /// The function `checkout` as it is.
    pub(crate) fn state(&self) -> FunctionState {
        self.find("checkout").unwrap()
    }

    /// Changes the function `checkout` behind everybody's back.
    pub(crate) fn change(&self, change: impl FnOnce(&mut FunctionState)) {
        let mut plane = self.plane();
        let function = plane.functions.get_mut("checkout").unwrap();
        change(&mut function.state);
        function.revision += 1;
    }

    /// What the second writer wrote last to each setting. A reservation that we overwrote right after reading another one
    /// is not in it: Lambda has no lock for it.
    pub(crate) fn written(&self) -> BTreeMap<(String, Field), Value> {
        self.plane().written.clone()
    }

    /// How often an operation was called.
    pub(crate) fn calls(&self, operation: &'static str) -> u32 {
        self.plane().calls.get(operation).copied().unwrap_or_default()
    }

    /// How often anything was called that may change something, whatever came of it.
    pub(crate) fn changing_calls(&self) -> u32 {
        [UPDATE_CONFIGURATION, PUT_CONCURRENCY, DELETE_CONCURRENCY].map(|operation| self.calls(operation)).iter().sum()
    }

    /// Where faults work: each function is a target of its own name.
    pub(crate) fn environment(self: &Arc<Self>) -> FaultEnvironment {
        let target = |name: &String| (name.parse().unwrap(), FaultTarget::Function { name: name.clone(), alias: None });
        FaultEnvironment {
            shell: String::new(),
            account: None,
            aws: Aws::made_up(Arc::clone(self) as Arc<dyn FunctionControl>),
            proxy: None,
            proxies: crate::fault::Permits::default(),
            targets: self.plane().functions.keys().map(target).collect(),
            is_embedded: false,
            occasion: Occasion::default(),
            commands: crate::fault::CommandPlace::default(),
        }
    }

    /// Prepares a fault and injects it.
    pub(crate) async fn injected(self: &Arc<Self>, kind: &FaultKind) -> Undo {
        let environment = self.environment();
        let undo = kind.prepare(&environment).await.unwrap();
        undo.inject(&environment, &armed()).await.unwrap();
        undo
    }

    /// One call: the second writer, what goes wrong, and between them the work itself.
    async fn call<T>(
        &self,
        operation: &'static str,
        function: &str,
        work: impl FnOnce(&mut Plane) -> Result<T, &'static str>,
    ) -> Result<T, AwsError> {
        let trouble = self.plane().begin(operation);
        let slow = if let Some(Trouble::Slow(slow)) = trouble { slow } else { Duration::ZERO };
        tokio::time::sleep(slow).await;
        let outcome = {
            let mut writer = self.writer.lock().unwrap();
            let mut plane = self.plane();
            if let Some(writer) = writer.as_mut() {
                writer(operation, function, &mut Hand { plane: &mut plane });
            }
            if let Some((code, retryable)) = trouble.and_then(Trouble::refusal) {
                plane.unread(operation, function);
                return Err(error(operation, code, retryable));
            }
            plane.functions.values_mut().for_each(Function::settle);
            work(&mut plane)
        };
        tokio::time::sleep(slow).await;
        match (outcome, trouble.and_then(Trouble::lie)) {
            // What refuses the call gets through: only a success is hidden.
            (Err(code), _) => Err(error(operation, code, code == CONFLICT)),
            (Ok(_), Some((code, retryable))) => {
                self.plane().unread(operation, function);
                Err(error(operation, code, retryable))
            }
            (Ok(value), None) => Ok(value),
        }
    }
}

fn error(operation: &'static str, code: &str, retryable: bool) -> AwsError {
    AwsError {
        service: "lambda",
        operation,
        code: code.to_owned(),
        message: "so says the fake".to_owned(),
        retryable,
        request_id: None,
    }
}

impl Plane {
    /// Counts a call, and draws what goes wrong with it.
    fn begin(&mut self, operation: &'static str) -> Option<Trouble> {
        *self.calls.entry(operation).or_default() += 1;
        if let Some(trouble) = self.scripts.get_mut(operation).and_then(VecDeque::pop_front) {
            return Some(trouble);
        }
        match self.hostility {
            Hostility::Quiet => None,
            Hostility::Always(trouble) => Some(trouble),
            Hostility::Percent(percent) => {
                (self.random.random_range(0..100) < percent).then(|| Trouble::any(&mut self.random))
            }
        }
    }

    /// A call without an answer is no fresh read, and a write that was tried uses one up.
    fn unread(&mut self, operation: &'static str, function: &str) {
        if let GET_CONCURRENCY | PUT_CONCURRENCY | DELETE_CONCURRENCY = operation {
            self.raced.remove(function);
            if let Some(found) = self.functions.get_mut(function) {
                found.was_reservation_read = false;
            }
        }
    }

    fn function(&mut self, name: &str) -> Result<&mut Function, &'static str> {
        self.functions.get_mut(name).ok_or(NOT_FOUND)
    }
}

#[async_trait]
impl FunctionControl for FakeFunctions {
    async fn configuration(&self, function: &str) -> Result<FunctionConfiguration, AwsError> {
        let read = |plane: &mut Plane| {
            let found = plane.function(function)?;
            let is_busy = found.busy_until.is_some();
            Ok(FunctionConfiguration {
                state: crate::aws::FunctionState::Active,
                arn: arn(function),
                timeout_seconds: found.state.timeout_seconds,
                memory_mb: found.state.memory_mb,
                layers: found.state.layers.clone(),
                code_sha256: String::new(),
                log_group: None,
                environment: found.state.environment.clone().map(EnvironmentVariables),
                revision: Some(found.revision.to_string()),
                progress: match (is_busy, found.state.is_failed) {
                    (true, _) => UpdateProgress::InProgress,
                    (false, true) => UpdateProgress::Failed,
                    (false, false) => UpdateProgress::Successful,
                },
            })
        };
        self.call(GET_CONFIGURATION, function, read).await
    }

    async fn update_configuration(
        &self,
        function: &str,
        update: &FunctionUpdate,
        revision: Option<&str>,
    ) -> Result<(), AwsError> {
        let write = |plane: &mut Plane| {
            let takes = plane.update_takes;
            let found = plane.function(function)?;
            if found.busy_until.is_some() {
                return Err(CONFLICT);
            }
            if revision.is_some_and(|revision| revision != found.revision.to_string()) {
                return Err(STALE);
            }
            if let Some(seconds) = update.timeout_seconds {
                found.state.timeout_seconds = seconds;
            }
            found.state.memory_mb = update.memory_mb.unwrap_or(found.state.memory_mb);
            if let Some(layers) = &update.layers {
                found.state.layers.clone_from(layers);
            }
            if let Some(EnvironmentVariables(variables)) = &update.environment {
                found.state.environment = Some(variables.clone());
            }
            found.begin_update(takes);
            Ok(())
        };
        self.call(UPDATE_CONFIGURATION, function, write).await
    }

    async fn reserved_concurrency(&self, function: &str) -> Result<Option<u32>, AwsError> {
        let read = |plane: &mut Plane| {
            plane.raced.remove(function);
            let found = plane.function(function)?;
            found.was_reservation_read = true;
            Ok(found.state.reserved)
        };
        self.call(GET_CONCURRENCY, function, read).await
    }

    async fn reserve_concurrency(&self, function: &str, reserved: Option<u32>) -> Result<(), AwsError> {
        let write = |plane: &mut Plane| {
            let found = plane.function(function)?;
            found.state.reserved = reserved;
            found.was_reservation_read = false;
            if plane.raced.remove(function) {
                plane.written.remove(&(function.to_owned(), Field::Concurrency));
            }
            Ok(())
        };
        let operation = if reserved.is_some() { PUT_CONCURRENCY } else { DELETE_CONCURRENCY };
        self.call(operation, function, write).await
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let function = arn.rsplit(':').next().unwrap_or_default();
        self.call(LIST_TAGS, function, |plane| Ok(plane.function(function)?.state.tags.clone())).await
    }

    async fn url(&self, function: &str, _alias: Option<&str>) -> Result<Option<String>, AwsError> {
        self.call(GET_URL, function, |plane| plane.function(function).map(|_| None)).await
    }
}

fn arn(function: &str) -> String {
    format!("arn:aws:lambda:us-east-1:000000000000:function:{function}")
}

/// A fault's undo is on disk: what an injection asks for.
pub(crate) fn armed() -> Armed {
    let directory = tempfile::tempdir().unwrap();
    let clock = Clock::with_origin(chrono::DateTime::UNIX_EPOCH);
    let log = EventLog::create(directory.path(), clock).unwrap();
    let identity = FaultIdentity { step: "001-fault".to_owned(), fault: "fault".parse().unwrap() };
    log.arm(&identity, b"{}").unwrap().0
}

mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_revision_changes_when_an_update_is_taken_and_again_when_it_is_done() {
        let fake = FakeFunctions::checkout(FunctionState::with(&[]));
        let update = FunctionUpdate { timeout_seconds: Some(3), ..FunctionUpdate::default() };
        let before = fake.configuration("checkout").await.unwrap();
        fake.update_configuration("checkout", &update, before.revision.as_deref()).await.unwrap();
        let during = fake.configuration("checkout").await.unwrap();
        assert_eq!(during.progress, UpdateProgress::InProgress);
        let busy = fake.update_configuration("checkout", &update, during.revision.as_deref()).await.unwrap_err();
        assert_eq!((busy.code.as_str(), busy.retryable), (CONFLICT, true));
        tokio::time::sleep(Duration::from_millis(500)).await;
        let after = fake.configuration("checkout").await.unwrap();
        assert_eq!(after.progress, UpdateProgress::Successful);
        let revisions: BTreeSet<_> = [before.revision, during.revision.clone(), after.revision].into();
        assert_eq!(revisions.len(), 3);
        let stale = fake.update_configuration("checkout", &update, during.revision.as_deref()).await.unwrap_err();
        assert!(stale.is_stale());
        assert!(fake.tags(&arn("checkout")).await.unwrap().is_empty());
        assert!(fake.url("gone", None).await.unwrap_err().is_not_found());
    }
}
