//! One function: its versions, their configurations, and the pool of warm environments of each.
//!
//! Owns: which environment serves an invocation, and when one is too old to. Must not know: HTTP, the account's limits.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::Bytes;
use tokio::time::Instant;
use uuid::Uuid;

use super::alias::{Alias, AliasChange, AliasError, Aliases};
use super::asynchronous::UNQUALIFIED;
use super::concurrency::ACCOUNT_LIMIT;
use super::configuration::{Change, Configuration, Latest, UpdateError};
use super::context::Context;
use super::environment::{Ending, Environment, Invoked, Start, StartError};
use super::event_invoke::EventInvokes;
use super::logs::PlatformLog;
use super::name::Version;
use super::output::Tail;
use super::program::Program;
use super::provisioned::ProvisionedConfigs;
use super::runtime_api::{Delivery, trace_id};
use super::spec::FunctionSpec;
use super::url_config::UrlConfigs;
use super::version::{DeleteError, Versions};

/// What is asked of a function.
#[derive(Debug, Clone)]
pub(super) struct Invocation {
    pub request_id: String,
    pub version: Version,
    pub invoked_arn: String,
    pub payload: Bytes,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub request_id: String,
    pub version: Version,
    pub payload: Bytes,
    /// Whether the payload is an error, which Lambda answers with status 200 and a header.
    pub failed: bool,
    /// The last 4 KB of output.
    pub log: Vec<u8>,
    /// How long the handler had it; `None` when no process took it.
    pub duration: Option<Duration>,
}

/// A version as the control API shows it.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub version: Version,
    pub configuration: Configuration,
    pub revision: String,
    pub is_updating: bool,
}

#[derive(Debug)]
struct State {
    latest: Latest,
    versions: Versions,
    aliases: Aliases,
    idle: BTreeMap<Version, Vec<Environment>>,
}

impl State {
    /// Lets an update take effect that is due. Idle environments of the old configuration end here, by being dropped.
    fn settle(&mut self) {
        if self.latest.settle(Instant::now()) {
            self.idle.remove(&Version::Latest);
        }
    }

    /// What a version runs with, and the generation of that. `None`: there is no such version.
    fn serving(&self, version: Version) -> Option<(&Configuration, u64)> {
        match version {
            Version::Latest => Some((self.latest.serving(), self.latest.generation())),
            Version::Published(number) => self.versions.get(number).map(|published| (&published.configuration, 0)),
        }
    }

    fn shown(&self, version: Version) -> Option<Shown> {
        let (configuration, revision, is_updating) = match version {
            Version::Latest => (self.latest.shown(), self.latest.revision(), self.latest.is_updating()),
            Version::Published(number) => {
                let published = self.versions.get(number)?;
                (&published.configuration, published.revision.as_str(), false)
            }
        };
        Some(Shown { version, configuration: configuration.clone(), revision: revision.to_owned(), is_updating })
    }
}

/// One function of the sandbox.
#[derive(Debug)]
pub(super) struct Function {
    pub name: String,
    pub program: Program,
    pub tags: BTreeMap<String, String>,
    pub event_invokes: EventInvokes,
    pub provisioned: ProvisionedConfigs,
    pub urls: UrlConfigs,
    pub log: PlatformLog,
    update_window: Duration,
    cold_start: Duration,
    pub context: Arc<Context>,
    output: Arc<Tail>,
    state: Mutex<State>,
}

impl Function {
    /// A function with the versions that its aliases name; all have the specification's configuration.
    pub(super) fn new(name: &str, spec: &FunctionSpec, program: Program, context: Arc<Context>) -> Self {
        let configuration = Configuration {
            description: String::new(),
            handler: program.handler.clone(),
            timeout_seconds: spec.timeout_seconds(),
            memory_mb: spec.memory,
            environment: spec.environment.clone(),
            layers: spec.layers.clone(),
            modified: context.clock.origin(),
        };
        let state = State {
            versions: Versions::new(spec.aliases.values().copied(), &configuration),
            aliases: Aliases::new(context.function_arn(name), &spec.aliases),
            latest: Latest::new(configuration),
            idle: BTreeMap::new(),
        };
        let event_invokes = EventInvokes::default();
        if let Some(spec) = &spec.event_invoke {
            let event_invoke = spec.event_invoke(|queue| context.queue_arn(queue));
            event_invokes.put(UNQUALIFIED, event_invoke, context.clock.origin());
        }
        Self {
            name: name.to_owned(),
            program,
            tags: spec.tags.clone(),
            event_invokes,
            provisioned: ProvisionedConfigs::default(),
            urls: UrlConfigs::default(),
            log: PlatformLog { format: spec.log_format, level: spec.system_log_level },
            update_window: Duration::from_millis(spec.update_ms),
            cold_start: Duration::from_millis(spec.cold_start_ms),
            context,
            output: Arc::default(),
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().expect("invariant: nobody panics while holding a function's state");
        state.settle();
        state
    }

    /// The function's ARN without a qualifier.
    pub(super) fn arn(&self) -> String {
        self.context.function_arn(&self.name)
    }

    /// The name of the log group that its environments write to.
    pub(super) fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.name)
    }

    /// The version that a qualifier names: a number, `$LATEST` or an alias. `None`: there is none.
    ///
    /// Of an alias that leads to two versions it is the main one; see [`Function::route`].
    pub(super) fn version(&self, qualifier: Option<&str>) -> Option<Version> {
        let Some(text) = qualifier.filter(|text| *text != "$LATEST") else { return Some(Version::Latest) };
        let state = self.state();
        let version = match state.aliases.get(text) {
            Some(alias) => alias.version,
            None => Version::Published(text.parse().ok()?),
        };
        state.serving(version).is_some().then_some(version)
    }

    /// The version that the next invocation with this qualifier gets; an alias with weights decides each time anew.
    pub(super) fn route(&self, qualifier: Option<&str>) -> Option<Version> {
        let routed = qualifier.and_then(|qualifier| self.state().aliases.route(qualifier));
        routed.or_else(|| self.version(qualifier))
    }

    /// Every version, `$LATEST` first.
    pub(super) fn versions(&self) -> Vec<Version> {
        let state = self.state();
        std::iter::once(Version::Latest).chain(state.versions.numbers().map(Version::Published)).collect()
    }

    /// A version as the control API shows it. `None`: there is none.
    pub(super) fn shown(&self, version: Version) -> Option<Shown> {
        self.state().shown(version)
    }

    /// Publishes `$LATEST`; the answer shows the version.
    pub(super) fn publish(&self, description: Option<String>, revision: Option<&str>) -> Result<Shown, UpdateError> {
        let mut state = self.state();
        if state.latest.is_updating() {
            return Err(UpdateError::InProgress(self.arn()));
        }
        if revision.is_some_and(|revision| revision != state.latest.revision()) {
            return Err(UpdateError::StaleRevision);
        }
        let State { versions, latest, .. } = &mut *state;
        let number = versions.publish(latest.serving(), description);
        Ok(state.shown(Version::Published(number)).expect("invariant: a version that was published is there"))
    }

    /// Deletes a published version that no alias leads to. Its idle environments end here, by being dropped.
    pub(super) fn delete_version(&self, number: u32) -> Result<(), DeleteError> {
        let mut state = self.state();
        let aliases = state.aliases.that_reference(number);
        if !aliases.is_empty() {
            return Err(DeleteError::Referenced(aliases));
        }
        state.idle.remove(&Version::Published(number));
        self.event_invokes.delete(&number.to_string());
        if state.versions.remove(number) {
            Ok(())
        } else {
            Err(DeleteError::Missing(format!("{}:{number}", self.arn())))
        }
    }

    /// An alias. `None`: there is none of this name.
    pub(super) fn alias(&self, name: &str) -> Option<Alias> {
        self.state().aliases.get(name).cloned()
    }

    /// All aliases, by name.
    pub(super) fn aliases(&self) -> Vec<(String, Alias)> {
        self.state().aliases.iter().map(|(name, alias)| (name.to_owned(), alias.clone())).collect()
    }

    pub(super) fn create_alias(&self, name: &str, change: AliasChange) -> Result<Alias, AliasError> {
        let State { aliases, versions, .. } = &mut *self.state();
        aliases.create(name, change, versions)
    }

    pub(super) fn update_alias(&self, name: &str, change: AliasChange) -> Result<Alias, AliasError> {
        let State { aliases, versions, .. } = &mut *self.state();
        aliases.update(name, change, versions)
    }

    pub(super) fn delete_alias(&self, name: &str) {
        self.state().aliases.delete(name);
        self.event_invokes.delete(name);
        self.urls.forget(name);
    }

    /// Changes the configuration of `$LATEST`, which takes effect after the update window; the answer shows it under way.
    pub(super) fn update(&self, change: Change) -> Result<Shown, UpdateError> {
        let mut state = self.state();
        state.latest.update(change, &self.arn(), Instant::now(), self.update_window, self.context.clock.now())?;
        Ok(state.shown(Version::Latest).expect("invariant: $LATEST is always there"))
    }

    /// The last 4 KB that the function's processes wrote.
    pub(super) fn output(&self) -> Vec<u8> {
        self.output.bytes()
    }

    /// Handles one invocation; the caller holds its slot. `None`: the sandbox stops.
    ///
    /// An environment is taken out of the pool to be used, and put back only after a good end.
    pub(super) async fn handle(&self, invocation: &Invocation) -> Option<Outcome> {
        let trace_id = trace_id(&invocation.request_id, self.context.clock.now());
        loop {
            let (environment, is_fresh) = match self.take_idle(invocation.version) {
                Some(environment) => (environment, false),
                None => match self.start(invocation.version, &invocation.request_id, Some(&trace_id)).await {
                    Ok(environment) => (environment, true),
                    Err(StartError::Stopping) => return None,
                    Err(StartError::Init { payload, log }) => return Some(outcome(invocation, payload, true, log)),
                    Err(StartError::System(error)) => {
                        let text = format!("the sandbox could not start a process: {error}");
                        let payload = serde_json::json!({"errorType": "Sandbox.StartError", "errorMessage": text});
                        return Some(outcome(invocation, payload.to_string().into(), true, Vec::new()));
                    }
                },
            };
            let delivery = Delivery {
                request_id: invocation.request_id.clone(),
                trace_id: trace_id.clone(),
                invoked_arn: invocation.invoked_arn.clone(),
                timeout: environment.timeout(),
                payload: invocation.payload.clone(),
                fault: self.context.fis.fault(&invocation.invoked_arn),
            };
            match environment.invoke(delivery).await {
                Invoked::Ended { ending: Ending { payload, failed, log, duration }, reusable } => {
                    if let Some(environment) = reusable {
                        self.put_back(invocation.version, *environment);
                    }
                    let outcome = outcome(invocation, payload, failed, log);
                    return Some(Outcome { duration: Some(duration), ..outcome });
                }
                Invoked::Stopping => return None,
                // A warm process that had died in the pool: the caller is not to know.
                Invoked::NotDelivered if !is_fresh => {}
                Invoked::NotDelivered => {
                    let text = "the process ended before it took the invocation";
                    let payload = serde_json::json!({"errorType": "Runtime.ExitError", "errorMessage": text});
                    return Some(outcome(invocation, payload.to_string().into(), true, Vec::new()));
                }
            }
        }
    }

    fn take_idle(&self, version: Version) -> Option<Environment> {
        let mut state = self.state();
        let idle = state.idle.get_mut(&version)?;
        // The one used last is the warmest. A dead one is dropped.
        std::iter::from_fn(|| idle.pop()).find_map(|mut environment| environment.is_alive().then_some(environment))
    }

    fn put_back(&self, version: Version, environment: Environment) {
        let mut state = self.state();
        let generation = state.serving(version).map(|(_, generation)| generation);
        let is_current = generation == Some(environment.generation);
        let processes = self.context.environments.load(Ordering::Relaxed);
        let limit = usize::try_from(ACCOUNT_LIMIT).unwrap_or(usize::MAX);
        if is_current && processes <= limit && !self.context.stopping.is_cancelled() {
            state.idle.entry(version).or_default().push(environment);
        }
        // Otherwise it is dropped, which kills it.
    }

    async fn start(
        &self,
        version: Version,
        request_id: &str,
        trace_id: Option<&str>,
    ) -> Result<Environment, StartError> {
        let began = Instant::now();
        tokio::select! {
            () = tokio::time::sleep(self.cold_start) => {}
            () = self.context.stopping.cancelled() => return Err(StartError::Stopping),
        }
        let serving = self.state().serving(version).map(|(serving, generation)| (serving.clone(), generation));
        let Some((configuration, generation)) = serving else {
            let text = format!("version {version} was deleted");
            return Err(StartError::System(io::Error::other(text)));
        };
        let start = Start {
            function: &self.name,
            version: version.to_string(),
            program: &self.program,
            configuration: &configuration,
            generation,
            log: self.log,
            log_group: self.log_group(),
            output: Arc::clone(&self.output),
            request_id,
            trace_id,
            began,
        };
        Environment::start(&self.context, start).await
    }

    /// Waits as long as an update takes; says whether the sandbox still runs then.
    pub(super) async fn wait_for_window(&self) -> bool {
        tokio::select! {
            () = tokio::time::sleep(self.update_window) => true,
            () = self.context.stopping.cancelled() => false,
        }
    }

    /// Starts an environment that waits in the pool.
    ///
    /// # Errors
    /// Why there is none, as a text for a person.
    pub(super) async fn start_idle(&self, version: Version) -> Result<(), String> {
        match self.start(version, &Uuid::new_v4().to_string(), None).await {
            Ok(mut environment) => {
                environment.was_ahead();
                self.put_back(version, environment);
                Ok(())
            }
            Err(StartError::Init { payload, .. }) => Err(String::from_utf8_lossy(&payload).into_owned()),
            Err(StartError::System(error)) => Err(error.to_string()),
            Err(StartError::Stopping) => Err("the sandbox stops".to_owned()),
        }
    }

    /// How many environments of a version wait in the pool.
    pub(super) fn idle_count(&self, version: Version) -> usize {
        self.state().idle.get(&version).map_or(0, Vec::len)
    }

    /// Ends idle environments of a version until only `count` are left, by dropping them.
    pub(super) fn cool(&self, version: Version, count: u32) {
        if let Some(idle) = self.state().idle.get_mut(&version) {
            idle.truncate(usize::try_from(count).unwrap_or(usize::MAX));
        }
    }

    /// Ends all idle environments and waits until their processes are gone.
    pub(super) async fn end_idle(&self) {
        let idle = self.drain_idle();
        // All at once first, and only then one wait after the other.
        idle.iter().for_each(Environment::kill);
        for environment in idle {
            environment.end().await;
        }
    }

    /// Takes every idle environment; dropping them kills them.
    pub(super) fn drain_idle(&self) -> Vec<Environment> {
        let idle = std::mem::take(&mut self.state().idle);
        idle.into_values().flatten().collect()
    }
}

fn outcome(invocation: &Invocation, payload: Bytes, failed: bool, log: Vec<u8>) -> Outcome {
    Outcome {
        request_id: invocation.request_id.clone(),
        version: invocation.version,
        payload,
        failed,
        log,
        duration: None,
    }
}
