//! TLS on either side of a proxy: what a client is shown, and how an upstream is checked.
//!
//! Owns: certificates, handshakes and their faults. [`Terminator`] answers clients and can fail their handshakes in the ways
//! that certificates fail in the field; [`Connector`] speaks to an upstream as an honest client; [`ProxyTls`] is both, for
//! one proxy. Both offer `http/1.1` alone (ALPN), so that what passes can be read as HTTP/1.
//!
//! Must not know: listeners, toxics, HTTP. It works on any stream of bytes.

mod accept;
mod certificate;
mod client_stream;
mod connect;
mod error;
mod leg;
mod spec;

use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use accept::Terminator;
pub use client_stream::ClientStream;
pub use connect::{Connector, UpstreamStream};
pub use error::{HandshakeError, TlsError};
pub use leg::{Leg, ProxyTls};
pub use spec::{CertificateFiles, CertificateSource, ClientTls, TlsFault, TlsFaultSpec, TlsSpec, UpstreamTls};

/// The one protocol that is offered on either side. A client that offers others alone is refused, as RFC 7301, 3.2 asks.
const PROTOCOL: &[u8] = b"http/1.1";

/// The cryptography of every other connection of this program.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
