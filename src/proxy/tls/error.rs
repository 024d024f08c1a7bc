//! What goes wrong before and in a handshake.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio_rustls::rustls;

use super::TlsFault;
use crate::unit::format_duration;

/// TLS can not be set up as it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can not be read, or is not what it should be.
    #[error("failed to read {what} from `{}`", path.display())]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it was not found.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// A file that should hold certificates holds none.
    #[error("there is no certificate in `{}`", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate can not be made, as for a name that is none.
    #[error("failed to make a certificate for {}", names.join(", "))]
    Certificate {
        /// Whom it is for.
        names: Vec<String>,
        /// Why not.
        #[source]
        source: rcgen::Error,
    },
    /// Certificate and key do not fit, or are of a kind that is not known.
    #[error("failed to use the certificate")]
    Configuration(#[from] rustls::Error),
    /// The fault is a certificate that only the authority of the given one could sign.
    #[error("the fault `{0}` needs a certificate that the proxy makes itself, and it was given one in files")]
    CertificateGiven(TlsFault),
    /// Nothing is trusted: every upstream would be refused.
    #[error("the system has no authorities to trust")]
    NoAuthorities,
}

/// A handshake came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client left before it said anything, or while its handshake was stalled.
    #[error("the client left before its handshake was answered")]
    Left,
    /// The other side did not go on.
    #[error("the handshake took longer than {}", format_duration(*.0))]
    Late(Duration),
    /// The other side refused what it was shown, or does not speak TLS, or its certificate was refused here.
    #[error("the handshake failed")]
    Failed(#[source] io::Error),
    /// The upstream's host is no name that a certificate can hold.
    #[error("`{0}` is not a name that a certificate can be for")]
    Name(String),
}

impl HandshakeError {
    /// Whether the other side fell silent or broke off, of which another try may know nothing: nobody refused anything.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        match self {
            Self::Late(_) => true,
            Self::Failed(source) => !source.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()),
            Self::Left | Self::Name(_) => false,
        }
    }
}
