//! The simplest relay that there is: tokio's `copy_bidirectional`, on one thread, with TCP_NODELAY.

use tokio::net::{TcpListener, TcpStream};

/// Serves until it is killed.
pub(crate) async fn serve(listen: &str, upstream: &str) {
    let listener = TcpListener::bind(listen).await.expect("a port");
    while let Ok((mut client, _)) = listener.accept().await {
        let upstream = upstream.to_owned();
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(upstream).await else { return };
            client.set_nodelay(true).ok();
            server.set_nodelay(true).ok();
            tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
        });
    }
}
