//! Reaching the server: its name is looked up for every connection, and each of its addresses is tried.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::UpstreamAddress;

/// How long the server may take to accept a connection, its name's look-up included.
const UPSTREAM_CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Connects to the first address that accepts. One that keeps silent has its share of the time, so that the next one
/// still gets its chance.
pub(super) async fn connect(upstream: &UpstreamAddress) -> io::Result<TcpStream> {
    let deadline = Instant::now() + UPSTREAM_CONNECT_WAIT;
    let addresses: Vec<_> = timeout_at(deadline, tokio::net::lookup_host(upstream.as_str())).await??.collect();
    let mut failure = io::Error::from(io::ErrorKind::NotFound);
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / untried.max(1);
        untried = untried.saturating_sub(1);
        match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(server)) => {
                // Without it a small request may wait 40 ms for an acknowledgement.
                server.set_nodelay(true)?;
                return Ok(server);
            }
            Ok(Err(error)) => failure = error,
            Err(elapsed) => failure = elapsed.into(),
        }
    }
    Err(failure)
}
