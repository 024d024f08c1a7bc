//! Setting the stage: the sandbox, the connection to AWS, the fault proxy, and the look at every target before a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::aws::{Aws, AwsError, Connection};
use crate::event::ProcessKind;
use crate::fault::{FaultEnvironment, FaultTarget, Occasion, obstacle};
use crate::plan::{Plan, TargetPlan};
use crate::proxy::{AdminClient, AdminError, ProxyError, ProxyProcess, SocketPathError};
use crate::sandbox::{Sandbox, SandboxError, SandboxOptions};
use crate::unit::{Failpoints, ProxyName, RuntimeDirectoryError, TargetId};
use crate::workspace::{Environment, EnvironmentKind};

/// How long the proxy keeps its toxics without a sign of life from the run.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// How often the run gives that sign.
pub(super) const LEASE_RENEWAL: Duration = Duration::from_secs(1);
/// How long a proxy whose run died goes on as a plain pass-through.
const PROXY_TIME_LIMIT: Duration = Duration::from_secs(2 * 3_600);
/// How long a proxy lives whose run died before it ever gave a sign of life: no log may know of it.
const PROXY_START_LIMIT: Duration = Duration::from_secs(60);
/// How long the proxy may take to end after it was told to.
const PROXY_END_WAIT: Duration = Duration::from_secs(5);

/// Why the stage could not be set. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The sandbox does not start.
    #[error("failed to start the sandbox")]
    Sandbox(#[from] SandboxError),
    /// The fault proxy does not start.
    #[error("failed to start the fault proxy")]
    Proxy(#[from] ProxyError),
    /// There is no path for its socket.
    #[error("failed to find a place for the fault proxy's socket")]
    ProxySocket(#[from] SocketPathError),
    /// There is no private directory for sockets.
    #[error("failed to find a place for sockets")]
    Directory(#[from] RuntimeDirectoryError),
    /// The fault proxy does not serve a target.
    #[error("the fault proxy cannot serve target `{target}`")]
    ProxyTarget {
        /// The target.
        target: TargetId,
        /// Why not.
        #[source]
        source: AdminError,
    },
    /// The caller could not be told.
    #[error("failed to ask AWS who we are")]
    Identity(#[source] AwsError),
    /// Another account than the environment's.
    #[error("the caller is in account `{found}`, and environment `{environment}` is account `{expected}`")]
    WrongAccount {
        /// The environment.
        environment: String,
        /// Its account.
        expected: String,
        /// The caller's.
        found: String,
    },
    /// A target is not there, or cannot be read.
    #[error("target `{target}` is not ready")]
    Target {
        /// The target.
        target: TargetId,
        /// Why not.
        #[source]
        source: Box<AwsError>,
    },
    /// A target is not in a state to be changed.
    #[error("target `{target}` is not ready: {why}")]
    NotReady {
        /// The target.
        target: TargetId,
        /// Why not.
        why: String,
    },
    /// A text names a URL that no target has.
    #[error("`${{{0}}}` stands for no URL: give its target a `url`, or the function a function URL")]
    NoUrl(String),
}

/// What a run works on, and the processes that serve it.
pub(super) struct Stage {
    /// Where faults work.
    pub(super) faults: FaultEnvironment,
    /// What `${target.url}` stands for.
    urls: BTreeMap<TargetId, String>,
    /// One line for each thing that was looked at.
    pub(super) checks: Vec<String>,
    sandbox: Option<Sandbox>,
    proxy: Option<ProxyProcess>,
}

/// What setting the stage needs to know.
pub(super) struct StageOptions<'a> {
    /// The `gameday` program.
    pub(super) gameday: &'a Path,
    /// The workspace's folder.
    pub(super) workspace: &'a Path,
    /// Where the proxy's socket goes, by name.
    pub(super) short_name: &'a str,
    /// Seeds the proxy's generators.
    pub(super) seed: u64,
    /// Where a crash test ends the process.
    pub(super) failpoints: &'a Failpoints,
}

impl Stage {
    /// Starts what the environment and the plan need, and looks at every target. `started` is told of each process that
    /// must be known to recovery, before anything is changed.
    pub(super) async fn set(
        plan: &Plan,
        environment: &Environment,
        options: &StageOptions<'_>,
        mut started: impl FnMut(ProcessKind, u32, String),
    ) -> Result<Self, StageError> {
        let sandbox = match environment.kind() {
            EnvironmentKind::Sandbox(spec) => {
                let sandbox_options = SandboxOptions::new(options.gameday, options.workspace);
                let sandbox = Sandbox::start(spec.clone(), sandbox_options).await?;
                started(ProcessKind::Sandbox, std::process::id(), sandbox.endpoint());
                Some(sandbox)
            }
            EnvironmentKind::Endpoint(_) | EnvironmentKind::Account(_) => None,
        };
        let connection = connection(environment, sandbox.as_ref().map(Sandbox::endpoint));
        let aws = Aws::connect(&connection).await.with_failpoints(options.failpoints.clone());
        let mut stage = Self {
            faults: FaultEnvironment {
                aws: aws.clone(),
                proxy: None,
                targets: targets(plan),
                shell: connection.shell(),
                is_embedded: sandbox.is_some(),
                occasion: Occasion::default(),
            },
            urls: BTreeMap::new(),
            checks: Vec::new(),
            sandbox,
            proxy: None,
        };
        // From here on something runs: it is ended again when the stage cannot be set as a whole.
        match stage.complete(plan, environment, &aws, options, started).await {
            Ok(()) => Ok(stage),
            Err(error) => {
                stage.clear().await;
                Err(error)
            }
        }
    }

    async fn complete(
        &mut self,
        plan: &Plan,
        environment: &Environment,
        aws: &Aws,
        options: &StageOptions<'_>,
        started: impl FnMut(ProcessKind, u32, String),
    ) -> Result<(), StageError> {
        self.check_account(environment, aws).await?;
        self.check_functions(plan, environment).await?;
        self.start_proxies(plan, options, started).await
    }

    async fn check_account(&mut self, environment: &Environment, aws: &Aws) -> Result<(), StageError> {
        let EnvironmentKind::Account(binding) = environment.kind() else { return Ok(()) };
        let found = aws.caller_account().await.map_err(StageError::Identity)?;
        if found != binding.account {
            return Err(StageError::WrongAccount {
                environment: environment.name.clone(),
                expected: binding.account.clone(),
                found,
            });
        }
        self.checks.push(format!("the caller is in account {found}"));
        Ok(())
    }

    async fn check_functions(&mut self, plan: &Plan, environment: &Environment) -> Result<(), StageError> {
        for (target, spec) in &plan.targets {
            let TargetPlan::Lambda { function, alias, url } = spec else { continue };
            let functions = Arc::clone(&self.faults.aws.functions);
            let fail = |source| StageError::Target { target: target.clone(), source: Box::new(source) };
            let configuration = functions.configuration(function).await.map_err(fail)?;
            if let Some(why) = obstacle(&configuration) {
                return Err(StageError::NotReady { target: target.clone(), why: why.to_owned() });
            }
            if !environment.require_tags.is_empty() {
                let tags = functions.tags(&configuration.arn).await.map_err(fail)?;
                let missing = environment.require_tags.iter().find(|(key, value)| tags.get(*key) != Some(value));
                if let Some((key, value)) = missing {
                    let why = format!("it does not carry the tag `{key}: {value}` that the environment asks for");
                    return Err(StageError::NotReady { target: target.clone(), why });
                }
            }
            if let Some(url) = self.find_url(function, alias.as_deref(), url.as_deref()).await {
                self.urls.insert(target.clone(), url);
            }
            self.checks.push(format!("function {function} is there, timeout {} s", configuration.timeout_seconds));
        }
        Ok(())
    }

    async fn find_url(&self, function: &str, alias: Option<&str>, given: Option<&str>) -> Option<String> {
        if let Some(url) = given {
            return Some(url.trim_end_matches('/').to_owned());
        }
        if let Some(sandbox) = &self.sandbox {
            let name = alias.map_or_else(|| function.to_owned(), |alias| format!("{function}:{alias}"));
            return sandbox.function_url(&name);
        }
        // Not every function has a URL, and not every emulator knows the call: a text that needs one will say so.
        self.faults.aws.functions.url(function, alias).await.ok().flatten()
    }

    async fn start_proxies(
        &mut self,
        plan: &Plan,
        options: &StageOptions<'_>,
        mut started: impl FnMut(ProcessKind, u32, String),
    ) -> Result<(), StageError> {
        let proxies: Vec<_> = plan
            .targets
            .iter()
            .filter_map(|(target, spec)| match spec {
                TargetPlan::Proxy(spec) => Some((target, spec)),
                TargetPlan::Lambda { .. } | TargetPlan::Resource(_) => None,
            })
            .collect();
        if proxies.is_empty() {
            return Ok(());
        }
        let socket = crate::proxy::socket_path(options.short_name)?;
        let process = ProxyProcess::spawn(options.gameday, &socket, options.seed, Some(PROXY_START_LIMIT)).await?;
        started(ProcessKind::Proxy, process.pid(), socket.display().to_string());
        let client = process.client();
        self.proxy = Some(process);
        self.faults.proxy = Some(client.clone().with_failpoints(options.failpoints.clone()));
        for (target, spec) in proxies {
            let fail = |source| StageError::ProxyTarget { target: target.clone(), source };
            client.create_proxy(&proxy_name(target), spec).await.map_err(fail)?;
            self.checks.push(format!("the fault proxy serves {target} on {}", spec.listen));
            self.urls.insert(target.clone(), format!("http://{}", spec.listen));
        }
        Ok(())
    }

    /// What a dotted placeholder such as `checkout-fn.url` stands for.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        let target = name.strip_suffix(".url")?;
        self.urls.get(target).cloned()
    }

    /// A text with every `${target.url}` filled in.
    pub(super) fn fill(&self, text: &str) -> Result<String, StageError> {
        let mut rest = text;
        let mut filled = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, behind)) = after.split_once('}') else { break };
            filled.push_str(before);
            filled.push_str(&self.resolve(name).ok_or_else(|| StageError::NoUrl(name.to_owned()))?);
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// Ends what was started. Faults must be undone before.
    pub(super) async fn clear(&mut self) {
        if let Some(mut process) = self.proxy.take() {
            // One that does not answer ends by its time limit, as a plain pass-through.
            if process.client().shutdown().await.is_ok() {
                tokio::time::timeout(PROXY_END_WAIT, process.wait()).await.ok();
            }
        }
        if let Some(sandbox) = self.sandbox.take() {
            sandbox.stop().await;
        }
    }
}

/// Where the environment's control plane is; `embedded` is the endpoint of the embedded sandbox.
pub(super) fn connection(environment: &Environment, embedded: Option<String>) -> Connection {
    match environment.kind() {
        EnvironmentKind::Sandbox(_) => Connection::Endpoint(embedded.unwrap_or_default()),
        EnvironmentKind::Endpoint(url) => Connection::Endpoint(url.clone()),
        EnvironmentKind::Account(binding) => {
            Connection::Account { region: binding.region.clone(), profile: binding.profile.clone() }
        }
    }
}

/// A proxy has its target's name.
fn proxy_name(target: &TargetId) -> ProxyName {
    ProxyName::from(target)
}

/// What the plan's targets are called where faults work.
pub(super) fn targets(plan: &Plan) -> BTreeMap<TargetId, FaultTarget> {
    let of = |(target, spec): (&TargetId, &TargetPlan)| {
        let fault_target = match spec {
            TargetPlan::Lambda { function, alias, .. } => {
                FaultTarget::Function { name: function.clone(), alias: alias.clone() }
            }
            TargetPlan::Resource(resource) => FaultTarget::Resource(resource.clone()),
            TargetPlan::Proxy(_) => FaultTarget::Proxy(proxy_name(target)),
        };
        (target.clone(), fault_target)
    };
    plan.targets.iter().map(of).collect()
}

/// Renews the proxy's lease until it is dropped. A proxy that does not hear from the run any more drops its toxics.
pub(super) async fn renew_lease(client: AdminClient) {
    let mut interval = tokio::time::interval(LEASE_RENEWAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // A renewal that fails is tried again in a second; the lease spans five.
        client.lease(LEASE, Some(PROXY_TIME_LIMIT)).await.ok();
    }
}

/// Where recovery finds a run's fault proxy.
pub(super) fn proxy_client(socket: &str) -> AdminClient {
    AdminClient::unix(PathBuf::from(socket))
}
