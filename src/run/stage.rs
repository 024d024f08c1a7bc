//! Setting the stage: the sandbox, the connection to AWS, the fault proxy, and the look at every target before a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::address::addresses;
use super::place::{Place, PlaceError};
use super::readiness::{CallerError, Looked, check_caller};
use super::remote_proxy::{self, RemoteTarget};
use super::targets::{check_resources, missing_tag};
use crate::aws::AwsError;
use crate::event::ProcessKind;
use crate::fault::{CommandPlace, FaultEnvironment, FaultTarget, Occasion, Permits, obstacle};
use crate::load::AwsAddress;
use crate::plan::{ChangePlan, Plan, TargetPlan};
use crate::proxy::{AdminClient, AdminError, ListenScope, ProxyError, ProxyProcess, ProxySpec, SocketPathError, Stats};
use crate::sandbox::{Sandbox, SandboxError, SandboxOptions};
use crate::unit::{AwsAccess, Clock, Failpoints, FileError, ProxyName, RuntimeDirectoryError, TargetId};
use crate::workspace::{Environment, EnvironmentKind};

/// How long the proxy keeps its toxics without a sign of life from the run.
pub(super) const LEASE: Duration = Duration::from_secs(5);
/// How often the run gives that sign.
pub(super) const LEASE_RENEWAL: Duration = Duration::from_secs(1);
/// How long a proxy whose run died goes on as a plain pass-through.
const PROXY_TIME_LIMIT: Duration = Duration::from_secs(2 * 3_600);
/// How long a proxy lives whose run died before it ever gave a sign of life: no log may know of it.
const PROXY_START_LIMIT: Duration = Duration::from_secs(60);
/// Where in a run's folder the authorities are that callers of its proxies must trust.
const AUTHORITIES_FILE: &str = "tls/ca.pem";
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
    /// Nothing may be done there.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The caller, the clock or the credentials are not good for it.
    #[error(transparent)]
    Caller(#[from] CallerError),
    /// A target is not there, or cannot be read.
    #[error("target `{target}` is not ready")]
    Target {
        /// The target.
        target: TargetId,
        /// Why not.
        #[source]
        source: Box<AwsError>,
    },
    /// Nobody answers where the environment should be.
    #[error(
        "target `{target}` is not ready: nothing answers at `{endpoint}`, the endpoint of environment `{environment}`"
    )]
    Unreachable {
        /// The target that was asked for.
        target: TargetId,
        /// Where.
        endpoint: String,
        /// The environment.
        environment: String,
        /// What came instead.
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
    /// The authority of a target's proxy cannot be written down.
    #[error("failed to write down what callers of the fault proxy must trust")]
    Authority(#[from] FileError),
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
    /// Where the targets are that loads call.
    addresses: BTreeMap<TargetId, AwsAddress>,
    /// How the processes that make load connect to AWS.
    reconnect: AwsAccess,
    /// What callers of proxies must trust who come with TLS; none where no proxy has an authority of its own.
    trusted: Option<Trusted>,
    /// One line for each thing that was looked at.
    pub(super) checks: Vec<String>,
    /// One line for each thing that nobody can know.
    pub(super) unknown: Vec<String>,
    /// The fault proxies that somebody else runs.
    pub(super) remote: Vec<RemoteTarget>,
    sandbox: Option<Sandbox>,
    proxy: Option<ProxyProcess>,
}

/// What setting the stage needs to know.
pub(super) struct StageOptions<'a> {
    /// The `gameday` program.
    pub(super) gameday: &'a Path,
    /// The workspace's folder.
    pub(super) workspace: &'a Path,
    /// The run's folder; none for a look, which starts no proxy.
    pub(super) folder: Option<&'a Path>,
    /// Who assumes a role, as CloudTrail shows it.
    pub(super) session: &'a str,
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
        let embedded = sandbox.as_ref().map(Sandbox::endpoint);
        let place = Place::connect(&plan.environment, embedded, options.session, options.failpoints).await;
        let Place { aws, account, shell, reconnect, access } = match place {
            Ok(place) => place,
            Err(error) => {
                if let Some(sandbox) = sandbox {
                    sandbox.stop().await;
                }
                return Err(error.into());
            }
        };
        let mut stage = Self {
            faults: FaultEnvironment {
                aws: match environment.rate {
                    Some(rate) => aws.paced(rate),
                    None => aws,
                },
                account,
                proxy: None,
                proxies: permitted_proxies(environment),
                targets: targets(plan),
                shell,
                is_embedded: sandbox.is_some(),
                occasion: Occasion::default(),
                commands: commands(environment, access, options),
            },
            urls: BTreeMap::new(),
            addresses: BTreeMap::new(),
            reconnect,
            trusted: None,
            checks: Vec::new(),
            unknown: Vec::new(),
            remote: Vec::new(),
            sandbox,
            proxy: None,
        };
        // From here on something runs: it is ended again when the stage cannot be set as a whole.
        match stage.complete(plan, environment, options, started).await {
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
        options: &StageOptions<'_>,
        started: impl FnMut(ProcessKind, u32, String),
    ) -> Result<(), StageError> {
        self.check_caller(plan).await?;
        self.check_functions(plan, environment).await?;
        self.checks.extend(check_resources(&self.faults.aws, plan, &environment.require_tags).await?);
        self.addresses = addresses(&self.faults.aws, plan).await?;
        self.look_at_remote_proxies(plan).await?;
        self.start_proxies(plan, options, started).await
    }

    async fn look_at_remote_proxies(&mut self, plan: &Plan) -> Result<(), StageError> {
        let found = remote_proxy::look(plan, &self.faults).await?;
        self.checks.extend(found.checks);
        self.unknown.extend(found.unknown);
        self.remote = found.targets;
        for (target, spec) in &plan.targets {
            if let TargetPlan::RemoteProxy { url: Some(url), .. } = spec {
                self.urls.insert(target.clone(), url.trim_end_matches('/').to_owned());
            }
        }
        Ok(())
    }

    async fn check_caller(&mut self, plan: &Plan) -> Result<(), StageError> {
        if let Some(guard) = &self.faults.account {
            let now = Clock::start().now();
            let Looked { passed, unknown } = check_caller(&self.faults.aws, guard, plan, now).await?;
            self.checks.extend(passed);
            self.unknown.extend(unknown);
        }
        Ok(())
    }

    async fn check_functions(&mut self, plan: &Plan, environment: &Environment) -> Result<(), StageError> {
        for (target, spec) in &plan.targets {
            let TargetPlan::Lambda { function, alias, url } = spec else { continue };
            let functions = Arc::clone(&self.faults.aws.functions);
            let fail = |source: AwsError| match environment.kind() {
                EnvironmentKind::Endpoint(endpoint) if source.is_unreachable() => StageError::Unreachable {
                    target: target.clone(),
                    endpoint: endpoint.url.clone(),
                    environment: environment.name.clone(),
                    source: Box::new(source),
                },
                EnvironmentKind::Endpoint(_) | EnvironmentKind::Sandbox(_) | EnvironmentKind::Account(_) => {
                    StageError::Target { target: target.clone(), source: Box::new(source) }
                }
            };
            let configuration = functions.configuration(function).await.map_err(fail)?;
            if let Some(why) = obstacle(&configuration) {
                return Err(StageError::NotReady { target: target.clone(), why: why.to_owned() });
            }
            if !environment.require_tags.is_empty() {
                let tags = functions.tags(&configuration.arn).await.map_err(fail)?;
                if let Some(why) = missing_tag(&environment.require_tags, &tags) {
                    return Err(StageError::NotReady { target: target.clone(), why });
                }
            }
            // What nobody uses is not asked for: the caller may lack the permission.
            let is_used = url.is_some() || plan.uses_url(target);
            if is_used && let Some(url) = self.find_url(function, alias.as_deref(), url.as_deref()).await {
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
                TargetPlan::RemoteProxy { .. } | TargetPlan::Lambda { .. } | TargetPlan::Resource(_) => None,
            })
            .collect();
        if proxies.is_empty() {
            return Ok(());
        }
        let socket = crate::proxy::socket_path(options.short_name)?;
        let limit = Some(PROXY_START_LIMIT);
        let process = ProxyProcess::spawn(options.gameday, &socket, options.seed, limit, ListenScope::Loopback).await?;
        started(ProcessKind::Proxy, process.pid(), socket.display().to_string());
        let client = process.client();
        self.proxy = Some(process);
        self.faults.proxy = Some(client.clone().with_failpoints(options.failpoints.clone()));
        let mut trusted = Trusted::default();
        for (target, spec) in proxies {
            let fail = |source| StageError::ProxyTarget { target: target.clone(), source };
            let tls = spec.tls.clone().map(|tls| tls.in_folder(options.workspace));
            let spec = ProxySpec { tls, ..spec.clone() };
            client.create_proxy(&proxy_name(target), &spec).await.map_err(fail)?;
            self.checks.push(format!("the fault proxy serves {target} on {}", spec.listen));
            self.urls.insert(target.clone(), spec.url());
            trusted.add(target, client.authority(&proxy_name(target)).await.map_err(fail)?);
        }
        if let Some(folder) = options.folder.filter(|_| !trusted.authorities.is_empty()) {
            trusted.write(folder)?;
            let (targets, path) = (trusted.targets.join(", "), trusted.path.display());
            self.checks.push(format!("callers of {targets} must trust the authorities in {path}"));
            self.trusted = Some(trusted);
        }
        Ok(())
    }

    /// What loads and probes of our own trust beside the system's authorities, as PEM.
    pub(super) fn authorities(&self) -> Vec<String> {
        let own = self.trusted.iter().flat_map(|trusted| &trusted.authorities);
        own.chain(self.remote.iter().filter_map(|remote| remote.authority.as_ref())).cloned().collect()
    }

    /// Fills in what only the stage knows of the changes that lead functions through the proxy.
    pub(super) fn fill_routes(&self, routes: &mut [ChangePlan]) -> Result<(), StageError> {
        let variables = routes.iter_mut().filter_map(|route| route.spec.lambda_environment.as_mut());
        for value in variables.flat_map(|variables| variables.set.values_mut()) {
            *value = self.fill(value)?;
        }
        Ok(())
    }

    /// What a dotted placeholder such as `checkout-fn.url` or `card-provider.ca` stands for.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        if name.ends_with(".ca") {
            return self.trusted.as_ref().map(|trusted| trusted.path.display().to_string());
        }
        self.urls.get(name.strip_suffix(".url")?).cloned()
    }

    /// Where a target is that a load calls.
    pub(super) fn address(&self, target: &TargetId) -> Option<AwsAddress> {
        self.addresses.get(target).cloned()
    }

    /// How the processes that make load connect to AWS, and the Region for which their requests are signed.
    pub(super) fn reach(&self) -> (&AwsAccess, String) {
        (&self.reconnect, self.faults.aws.region())
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

/// The authorities of the run's proxies, in one file: a variable of a caller can name no more.
#[derive(Debug, Default)]
struct Trusted {
    /// The file in the run's folder.
    path: PathBuf,
    /// Each as PEM.
    authorities: Vec<String>,
    /// Whose authorities they are.
    targets: Vec<String>,
}

impl Trusted {
    fn add(&mut self, target: &TargetId, authority: Option<String>) {
        if let Some(authority) = authority {
            self.authorities.push(authority);
            self.targets.push(target.to_string());
        }
    }

    /// Writes them down where callers may read them. Their keys are in the proxy process alone.
    fn write(&mut self, folder: &Path) -> Result<(), FileError> {
        let path = folder.join(AUTHORITIES_FILE);
        let path = std::path::absolute(&path).map_err(FileError::on("find", &path))?;
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).map_err(FileError::on("create", parent))?;
        std::fs::write(&path, self.authorities.concat()).map_err(FileError::on("write", &path))?;
        self.path = path;
        Ok(())
    }
}

/// Where `exec` faults run their commands; `access` is how they reach the environment.
fn commands(environment: &Environment, access: BTreeMap<String, String>, options: &StageOptions<'_>) -> CommandPlace {
    let of_environment = environment.clone();
    CommandPlace {
        gameday: options.gameday.to_owned(),
        directory: std::path::absolute(options.workspace).unwrap_or_else(|_| options.workspace.to_owned()),
        told: BTreeMap::from([("GAMEDAY_ENVIRONMENT".to_owned(), environment.name.clone())]),
        access,
        permits: Permits::new(move |_, program| of_environment.permits_program(program)),
        failpoints: options.failpoints.clone(),
    }
}

/// Which remote fault proxies may be driven.
fn permitted_proxies(environment: &Environment) -> Permits {
    let permitted: Vec<String> = environment.proxies.iter().map(ToString::to_string).collect();
    Permits::new(move |_, admin| permitted.iter().any(|permitted| permitted == admin))
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
            TargetPlan::RemoteProxy { at, .. } => FaultTarget::RemoteProxy { name: proxy_name(target), at: at.clone() },
        };
        (target.clone(), fault_target)
    };
    plan.targets.iter().map(of).collect()
}

/// Renews the proxy's lease until it is dropped, and passes on what the proxies have done. A proxy that does not hear from the run
/// any more drops its faults.
pub(super) async fn renew_lease(client: AdminClient, news: mpsc::UnboundedSender<Stats>) {
    let mut interval = tokio::time::interval(LEASE_RENEWAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        // A renewal that fails is tried again in a second; the lease spans five.
        if let Ok(stats) = client.lease(LEASE, Some(PROXY_TIME_LIMIT)).await {
            // The run may have ended.
            news.send(stats).ok();
        }
    }
}

/// Where recovery finds a run's fault proxy.
pub(super) fn proxy_client(socket: &str) -> AdminClient {
    AdminClient::unix(PathBuf::from(socket))
}
