//! Binding the admin API, and serving it until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::AdminAddress;
use super::guard::{self, Guard};
use crate::unit::{RuntimeDirectoryError, SOCKET_PATH_BYTES_MAX, Secret, make_private};

/// Why the admin API can not listen.
#[derive(Debug, thiserror::Error)]
pub enum AdminListenError {
    /// The address is taken, or not ours to take.
    #[error("cannot listen on `{address}`")]
    Bind {
        /// The address.
        address: AdminAddress,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Others could reach it.
    #[error("`{0}` can be reached by others: that needs `--listen-any` and a `--token`")]
    NotLoopback(SocketAddr),
    /// Its directory is open to others.
    #[error("the admin socket's directory cannot be used")]
    Directory(#[from] RuntimeDirectoryError),
    /// The system's limit.
    #[error("the path of the admin socket, `{}`, is longer than {} bytes", _0.display(), SOCKET_PATH_BYTES_MAX)]
    PathTooLong(PathBuf),
}

/// A bound admin API.
#[derive(Debug)]
pub(crate) enum AdminListener {
    Unix(UnixListener, PathBuf),
    Tcp(TcpListener, SocketAddr),
}

impl AdminListener {
    /// Binds the address. A Unix socket is made with mode 0600 in a directory of mode 0700, which is made if missing;
    /// one that a dead process has left behind is replaced, one that answers is an error.
    /// What others can reach is bound only if `open_to_others` says so.
    pub(crate) async fn bind(address: &AdminAddress, open_to_others: bool) -> Result<Self, AdminListenError> {
        let fail = |source| AdminListenError::Bind { address: address.clone(), source };
        match address {
            AdminAddress::Unix(path) => {
                if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
                    return Err(AdminListenError::PathTooLong(path.clone()));
                }
                if let Some(directory) = path.parent() {
                    make_private(directory)?;
                }
                let listener = bind_unix(path).await.map_err(fail)?;
                Ok(Self::Unix(listener, path.clone()))
            }
            AdminAddress::Tcp(tcp) => {
                if !tcp.ip().is_loopback() && !open_to_others {
                    return Err(AdminListenError::NotLoopback(*tcp));
                }
                let listener = TcpListener::bind(tcp).await.map_err(fail)?;
                let bound = listener.local_addr().map_err(fail)?;
                Ok(Self::Tcp(listener, bound))
            }
        }
    }

    /// Where it listens, with the port that the system chose if it was asked to.
    pub(crate) fn address(&self) -> AdminAddress {
        match self {
            Self::Unix(_, path) => AdminAddress::Unix(path.clone()),
            Self::Tcp(_, address) => AdminAddress::Tcp(*address),
        }
    }

    /// Serves `routes` until `stop`, then finishes the requests that are under way and removes the socket.
    pub(crate) async fn serve(self, routes: Router, token: Option<Secret>, stop: CancellationToken) -> io::Result<()> {
        let guard = Guard { token, refuses_browsers: matches!(self, Self::Tcp(..)) };
        let routes = routes.layer(axum::middleware::from_fn_with_state(Arc::new(guard), guard::check));
        match self {
            Self::Unix(listener, path) => {
                let stopped = async move {
                    stop.cancelled().await;
                    // Before the listener goes, so that nobody finds a socket that no longer answers. If somebody
                    // removed it already, there is nothing left to do.
                    std::fs::remove_file(path).ok();
                };
                axum::serve(listener, routes).with_graceful_shutdown(stopped).await
            }
            Self::Tcp(listener, _) => {
                axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
            }
        }
    }
}

async fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let answer = UnixStream::connect(path).await;
            if !matches!(&answer, Err(refused) if refused.kind() == io::ErrorKind::ConnectionRefused) {
                return Err(error);
            }
            // Nobody listens any more: its process was killed.
            std::fs::remove_file(path)?;
            UnixListener::bind(path)?
        }
        other => other?,
    };
    // Between the two calls the directory alone keeps others out, which is why it must be private.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_is_private_and_a_stale_one_is_replaced_but_a_live_one_is_not() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("gameday/a.sock");
        let address = AdminAddress::Unix(path.clone());
        let first = AdminListener::bind(&address, false).await.expect("bound");
        let mode = |path: &Path| std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().expect("a parent"))), (0o600, 0o700));

        let error = AdminListener::bind(&address, false).await.expect_err("the first still listens");
        assert!(error.to_string().contains("a.sock"), "{error}");
        drop(first);
        assert!(path.exists(), "dropped without ceremony, as by a kill");
        AdminListener::bind(&address, false).await.expect("the stale socket is replaced");
    }

    #[tokio::test]
    async fn an_admin_api_that_others_could_reach_is_refused() {
        let address = AdminAddress::Tcp("0.0.0.0:0".parse().expect("an address"));
        assert!(matches!(AdminListener::bind(&address, false).await, Err(AdminListenError::NotLoopback(_))));
        let long = AdminAddress::Unix(PathBuf::from(format!("/tmp/{}", "x".repeat(120))));
        assert!(matches!(AdminListener::bind(&long, false).await, Err(AdminListenError::PathTooLong(_))));
    }
}
