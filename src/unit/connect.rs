//! Connecting to a name that has several addresses.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// Connects to the first address that accepts. One that keeps silent has its share of the time, so that the next one still
/// gets its chance. Small messages are sent at once (`TCP_NODELAY`): otherwise one may wait 40 ms for an acknowledgement.
///
/// # Errors
/// What the last one said, or that the time was over; there is none.
pub(crate) async fn connect_to_any(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut untried = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / untried.max(1);
        untried = untried.saturating_sub(1);
        match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failure = error,
            Err(elapsed) => failure = elapsed.into(),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_refuses_is_passed_over_and_the_last_error_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let stream = connect_to_any(&[nobody, here], deadline).await.unwrap();
        assert!(stream.nodelay().unwrap());
        let error = connect_to_any(&[nobody], deadline).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(connect_to_any(&[], deadline).await.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
