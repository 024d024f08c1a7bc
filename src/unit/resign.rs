//! The port through which the proxy has requests signed anew, whoever signs them.

use std::fmt;

use async_trait::async_trait;

/// Signs requests anew that were signed for another host.
#[async_trait]
pub trait Resign: fmt::Debug + Send + Sync {
    /// The request head with another host and a signature that is good for it, for the same service and Region. Its
    /// `Host`, `Authorization`, `X-Amz-Date` and `X-Amz-Security-Token` are replaced, added or taken away; everything else
    /// stays as it is, byte for byte, but for a target with a host, which becomes a path.
    ///
    /// `head` is a whole HTTP/1 head with its empty line. `host` is what `Host` will say: a name, and a port where it is not
    /// the scheme's own. `body_sha256` is the body's digest in lower-case hexadecimal, where it is known; it is needed only
    /// when the head says neither that there is no body nor what the digest is.
    ///
    /// # Errors
    /// Why the request can not be signed anew; it may be sent on as it is, answered, or asked for again with the digest.
    async fn resign(&self, head: &[u8], host: &str, body_sha256: Option<&str>) -> Result<Vec<u8>, NotResigned>;
}

/// Why a request was not signed anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotResigned {
    /// It may go anywhere as it is.
    #[error("the request is not signed")]
    Unsigned,
    /// Whoever made the URL decided what it is good for.
    #[error("the request is presigned: its signature is part of its URL")]
    Presigned,
    /// Another signature than Signature Version 4.
    #[error("the request is signed with another algorithm than `AWS4-HMAC-SHA256`")]
    Algorithm,
    /// Every chunk carries a signature that builds on that of the head.
    #[error("the chunks of the request's body are signed, each by itself")]
    SignedChunks,
    /// The session belongs to the credentials with which it was made.
    #[error("the request belongs to a session of S3 Express")]
    ExpressSession,
    /// The signature covers the body, and the head does not say its digest.
    #[error("the digest of the request's body is needed to sign it")]
    BodyNeeded,
    /// Its digest is needed, and so much is not kept for it.
    #[error("the request's body is too long to be kept until its digest is known")]
    BodyTooLong,
    /// Its digest is needed, and other bodies that are kept take all the room.
    #[error("there is no room to keep the request's body until its digest is known")]
    NoRoom,
    /// Its digest is needed, and the client ended in the middle of it.
    #[error("the request's body broke off")]
    BodyCutOff,
    /// A browser sent it: any page may have asked it to.
    #[error("the request comes from a browser")]
    Browser,
    /// A page may have given that name this machine's address.
    #[error("the request's `Host` is neither an IP address nor `localhost` nor a name that was permitted")]
    ForeignHost,
    /// The head is not one that was signed. Why not is never the request's own text, which may be a secret.
    #[error("the request can not be signed anew: {0}")]
    Malformed(&'static str),
    /// There is nothing to sign with.
    #[error("there are no credentials to sign the request with: {0}")]
    NoCredentials(String),
}

impl NotResigned {
    /// What it is counted as: one of a few words, which tells nothing of the request.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Presigned => "presigned",
            Self::Algorithm => "algorithm",
            Self::SignedChunks => "signed_chunks",
            Self::ExpressSession => "express_session",
            Self::BodyNeeded => "body_needed",
            Self::BodyTooLong => "body_too_long",
            Self::NoRoom => "no_room",
            Self::BodyCutOff => "body_cut_off",
            Self::Browser => "browser",
            Self::ForeignHost => "foreign_host",
            Self::Malformed(_) => "malformed",
            Self::NoCredentials(_) => "no_credentials",
        }
    }
}
