//! The process: an admin API, its proxies, and the deadlines that end faults and the process by themselves.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admin::{Admin, AdminAddress, AdminListenError, AdminListener, ProxyEntry, WireError};
use super::audit::Audit;
use super::caller::HostName;
use super::http::Signer;
use super::lease::{Deadlines, Expired, expired};
use super::limit::{CONNECTIONS_MAX_DEFAULT, Limits};
use super::registry::Registry;
use super::state::{NewProxy, RegistryError, Terms};
use crate::unit::{Clock, Resign, Secret};

/// How long the requests that are under way may hold up the end of the process.
const SHUTDOWN_WAIT: Duration = Duration::from_secs(2);

/// How long to wait before a proxy that could not be enabled again after a lapse is tried once more.
const REOPEN_RETRY_WAIT: Duration = Duration::from_secs(1);

/// What the process is told at its start.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where the admin API listens.
    pub admin: AdminAddress,
    /// The seed from which all chances are drawn.
    pub seed: u64,
    /// After how long the process ends by itself; a lease may move it.
    pub time_limit: Option<Duration>,
    /// Whether proxies may listen where others can reach them; with a token the admin API may, too.
    pub listen_any: bool,
    /// What every call of the admin API must bear; none by default.
    pub token: Option<Secret>,
    /// How many connections of one proxy may be open; default 16,384, and never more than the process has descriptors for.
    pub connections_max: Option<usize>,
    /// Where changes are told.
    pub audit: Audit,
    /// Who signs requests anew for the proxies that are to do so; nobody by default.
    pub resigner: Option<Arc<dyn Resign>>,
    /// For which hosts requests are signed anew, beside IP addresses, `localhost` and names below it; none by default.
    pub resign_hosts: Vec<HostName>,
}

/// Why the process can not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The admin API can not listen.
    #[error(transparent)]
    Listen(#[from] AdminListenError),
    /// The admin API broke.
    #[error("the admin API failed")]
    Admin(#[source] io::Error),
}

/// Why a list of proxies can not be taken.
#[derive(Debug, thiserror::Error)]
#[error("the list of proxies cannot be taken")]
pub struct ConfigurationError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl From<WireError> for ConfigurationError {
    fn from(error: WireError) -> Self {
        Self(error.into())
    }
}

impl From<RegistryError> for ConfigurationError {
    fn from(error: RegistryError) -> Self {
        Self(error.into())
    }
}

/// A fault proxy that is bound and can serve.
#[derive(Debug)]
pub struct Server {
    listener: AdminListener,
    registry: Arc<Registry>,
    token: Option<Secret>,
    deadlines: watch::Receiver<Deadlines>,
}

impl Server {
    /// Binds the admin API.
    ///
    /// # Errors
    /// The address is taken or can be reached by others.
    pub async fn bind(options: &ServerOptions) -> Result<Self, ServerError> {
        let open_to_others = options.listen_any && options.token.is_some();
        let listener = AdminListener::bind(&options.admin, open_to_others).await?;
        let end = options.time_limit.map(|limit| Instant::now() + limit);
        let (sender, deadlines) = watch::channel(Deadlines { end, ..Deadlines::default() });
        let rules = Terms {
            seed: options.seed,
            listen_any: options.listen_any,
            limits: Limits::of_system(options.connections_max.unwrap_or(CONNECTIONS_MAX_DEFAULT)),
            audit: options.audit.clone(),
            resigner: options.resigner.clone().map(|by| Signer::new(by, options.resign_hosts.clone())),
            clock: Clock::start(),
        };
        let registry = Arc::new(Registry::new(rules, sender));
        Ok(Self { listener, registry, token: options.token.clone(), deadlines })
    }

    /// Where the admin API listens, with the port that the system chose if it was asked to.
    #[must_use]
    pub fn admin_address(&self) -> AdminAddress {
        self.listener.address()
    }

    /// Its list of proxies, which can be changed while it serves.
    #[must_use]
    pub fn list(&self) -> ProxyList {
        ProxyList { registry: Arc::clone(&self.registry), entries: Vec::new() }
    }

    /// Serves until `stop` resolves, a shutdown is asked for, or the time limit is over; then stops every proxy.
    ///
    /// # Errors
    /// The admin API broke.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Self { listener, registry, token, deadlines } = self;
        let asked = CancellationToken::new();
        let finish = CancellationToken::new();
        let routes = Admin { registry: Arc::clone(&registry), stop: asked.clone() }.routes();
        let mut served = tokio::spawn(listener.serve(routes, token, finish.clone()));
        let early = tokio::select! {
            () = stop => None,
            () = asked.cancelled() => None,
            () = keep_deadlines(&registry, deadlines) => None,
            ended = &mut served => Some(ended),
        };
        // The proxies go first: once the admin API is gone, so are they.
        registry.close().await;
        finish.cancel();
        let ended = match early {
            Some(ended) => Some(ended),
            None => tokio::time::timeout(SHUTDOWN_WAIT, &mut served).await.ok(),
        };
        match ended {
            Some(Ok(Err(error))) => Err(ServerError::Admin(error)),
            Some(Err(panicked)) => Err(ServerError::Admin(io::Error::other(panicked))),
            // A client that holds a request open is cut off with the process.
            Some(Ok(Ok(()))) | None => Ok(()),
        }
    }
}

/// The proxies that a file asks for. What the admin API makes beside them is left alone.
#[derive(Debug)]
pub struct ProxyList {
    registry: Arc<Registry>,
    entries: Vec<NewProxy>,
}

impl ProxyList {
    /// Goes over to other entries: what is the same goes on undisturbed, connections included. Says of each proxy
    /// `name: listen -> upstream`.
    ///
    /// # Errors
    /// An entry is not valid, and nothing is changed; or a proxy can not listen, and the entries before are put back.
    pub async fn put(&mut self, entries: Vec<ProxyEntry>) -> Result<Vec<String>, ConfigurationError> {
        let wanted = entries.into_iter().map(NewProxy::try_from).collect::<Result<Vec<_>, _>>()?;
        let views = self.registry.reload(&self.entries, &wanted).await?;
        self.entries = wanted;
        Ok(views.iter().map(ToString::to_string).collect())
    }
}

/// Acts on the deadlines; returns when the time limit is over.
async fn keep_deadlines(registry: &Registry, mut deadlines: watch::Receiver<Deadlines>) {
    loop {
        match expired(&mut deadlines).await {
            Expired::Lease => {
                if registry.lapse().await.is_err() {
                    tokio::time::sleep(REOPEN_RETRY_WAIT).await;
                }
            }
            Expired::TimeToLive => {
                if registry.expire().await.is_err() {
                    tokio::time::sleep(REOPEN_RETRY_WAIT).await;
                }
            }
            Expired::TimeLimit | Expired::Abandoned => return,
        }
    }
}
