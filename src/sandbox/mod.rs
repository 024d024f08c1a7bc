//! A local AWS Lambda: real child processes under the real Lambda Runtime API, driven by any AWS SDK.
//!
//! Owns: functions, their processes, the control API, function URLs, queues, the demo shop, CloudWatch and its Logs,
//! FIS. Must not know: runs, faults, load.
//! It is faithful where a fault can be told from the outside (throttles, timeouts, crashes, cold starts, the update window,
//! revisions) and silent elsewhere: no CPU share per memory, no IAM, no VPC, no layer's files. It listens on 127.0.0.1 only.
//!
//! ```text
//! control/  url/ ──▶ account ──▶ function ──▶ environment ──▶ child process
//!  (SDK)   (HTTP)    slots       pools         one at a time   ⇅ runtime_api
//! asynchronous ──▶    ▲         versions
//! queue ──▶ poller ───┘         aliases
//! ```

mod account;
mod alias;
mod asynchronous;
mod cloudwatch;
mod concurrency;
mod configuration;
mod context;
mod control;
pub mod demo;
mod environment;
mod error;
mod event_invoke;
mod event_source;
mod event_spec;
mod fis;
mod function;
mod logs;
mod name;
mod options;
mod output;
mod poller;
mod program;
mod provisioned;
mod queue;
mod runtime_api;
mod server;
mod spec;
mod ticker;
mod url;
mod url_config;
mod version;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use self::account::Account;
use self::cloudwatch::CloudWatch;
use self::concurrency::Concurrency;
use self::context::Context;
use self::demo::CardProvider;
use self::event_source::EventSource;
use self::fis::Fis;
use self::function::Function;
use self::logs::Logs;
use self::program::Program;
use self::queue::Queues;
use self::server::{Bound, Server};
use crate::unit::Clock;

pub use cloudwatch::{AlarmSpec, ComparisonOperator, LambdaMetric};
pub use error::SandboxError;
pub use event_spec::{EventInvokeSpec, EventSourceSpec};
pub use fis::FisSpec;
pub use logs::{LogFormat, SystemLogLevel};
pub use options::SandboxOptions;
pub use spec::{Demo, FunctionKind, FunctionSpec, SandboxSpec, SpecProblem};

/// A running sandbox. [`Sandbox::stop`] ends it in order; dropping it kills its processes and closes its ports.
#[derive(Debug)]
pub struct Sandbox {
    account: Arc<Account>,
    control: Option<Server>,
    urls: Option<Server>,
    card_provider: Option<CardProvider>,
    control_address: SocketAddr,
    /// Held for its drop.
    _ticker: AbortOnDropHandle<()>,
}

impl Sandbox {
    /// Checks that every function can be started, and serves the control API and the function URLs on 127.0.0.1.
    ///
    /// No function's process runs yet: the first invocation is a cold start, as in Lambda.
    ///
    /// # Errors
    /// [`SandboxError`]: a value out of range, a program or folder that is missing, a port that is taken.
    pub async fn start(spec: SandboxSpec, options: SandboxOptions) -> Result<Self, SandboxError> {
        let problems: Vec<String> = spec.problems().iter().map(ToString::to_string).collect();
        if !problems.is_empty() {
            return Err(SandboxError::Invalid { problems });
        }
        let options = options.made_absolute();
        let control = Bound::bind(options.control_port).await?;
        let urls = Bound::bind(options.url_port).await?;
        let clock = Clock::start();
        let context = Arc::new(Context {
            account_id: options.account_id.clone(),
            region: options.region.clone(),
            endpoint: format!("http://{}", control.address()),
            url_endpoint: format!("http://{}", urls.address()),
            gameday: options.gameday.clone(),
            search_path: options.search_path.clone(),
            clock,
            stopping: CancellationToken::new(),
            environments: Arc::new(AtomicUsize::new(0)),
            cloudwatch: CloudWatch::new(&options.region, &options.account_id, clock),
            logs: Arc::new(Logs::new(&options.region, &options.account_id, clock)),
            fis: Fis::new(&options.region, &options.account_id, clock, spec.fis),
        });
        let refused = |problem| SandboxError::Invalid { problems: vec![problem] };
        context.cloudwatch.put_alarms(&spec.alarms).map_err(refused)?;
        let concurrency = Concurrency::default();
        let mut functions = BTreeMap::new();
        for (name, function) in &spec.functions {
            let program = Program::find(name, function, &options).await?;
            concurrency
                .reserve(name, function.reserved)
                .map_err(|error| SandboxError::Invalid { problems: vec![error.to_string()] })?;
            let function = Function::new(name, function, program, Arc::clone(&context));
            functions.insert(name.clone(), Arc::new(function));
        }
        let queues = Queues::new(Arc::clone(&context));
        let event_sources = event_sources(&spec, &queues, &context)?;
        let card_provider = match spec.card_provider {
            Some(address) => Some(CardProvider::start(address.port()).await?),
            None => None,
        };
        let account = Arc::new(Account::new(context, functions, concurrency, queues, event_sources));
        for source in &account.event_sources {
            account.spawn(poller::poll(Arc::clone(&account), Arc::clone(source)));
        }
        Ok(Self {
            _ticker: ticker::start(Arc::clone(&account)),
            control_address: control.address(),
            control: Some(control.serve(control::router(Arc::clone(&account)))),
            urls: Some(urls.serve(url::router(Arc::clone(&account)))),
            account,
            card_provider,
        })
    }

    /// The control API's URL, `http://127.0.0.1:PORT`: what `AWS_ENDPOINT_URL` is set to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.control_address)
    }

    /// A function's URL, `http://127.0.0.1:PORT/NAME`; `None` when there is no such function.
    ///
    /// `NAME:ALIAS` and `NAME:VERSION` give the URL of that version.
    #[must_use]
    pub fn function_url(&self, name: &str) -> Option<String> {
        self.account.find(name, None).ok()?;
        Some(self.account.context.function_url(name))
    }

    /// The names of the functions.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        self.account.functions.keys().map(String::as_str)
    }

    /// The last 4 KB that a function's processes wrote, for an error message; `None` when there is no such function.
    #[must_use]
    pub fn output(&self, name: &str) -> Option<String> {
        let function = self.account.functions.get(name)?;
        Some(String::from_utf8_lossy(&function.output()).into_owned())
    }

    /// Where the demo shop's card provider listens, if the specification asked for one.
    #[must_use]
    pub fn card_provider(&self) -> Option<SocketAddr> {
        self.card_provider.as_ref().map(CardProvider::address)
    }

    /// Ends invocations and processes, waits until they are gone, and closes the ports.
    pub async fn stop(mut self) {
        self.account.stop().await;
        if let Some(server) = self.control.take() {
            server.stop().await;
        }
        if let Some(server) = self.urls.take() {
            server.stop().await;
        }
        if let Some(provider) = self.card_provider.take() {
            provider.stop().await;
        }
        // An invocation that came in between may have left one.
        self.account.stop().await;
    }
}

/// The mappings of a specification; all queues that it names are made.
fn event_sources(
    spec: &SandboxSpec,
    queues: &Queues,
    context: &Context,
) -> Result<Vec<Arc<EventSource>>, SandboxError> {
    let mut sources = Vec::new();
    let problem = |error: queue::Full| SandboxError::Invalid { problems: vec![error.to_string()] };
    for (name, function) in &spec.functions {
        for queue in function.event_invoke.iter().flat_map(EventInvokeSpec::queues) {
            queues.make(queue).map_err(problem)?;
        }
        for source in &function.event_sources {
            let queue = queues.make(&source.queue).map_err(problem)?;
            let window = Duration::from_millis(function.update_ms);
            sources.push(Arc::new(EventSource::new(name, source, queue, window, context.clock.origin())));
        }
    }
    Ok(sources)
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.account.kill();
    }
}
