//! Where the admin API listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use crate::proxy::ListenAddress;
use crate::unit::UnitError;

/// Where an admin API listens: `unix:/run/user/1000/gameday/x.sock`, or an address such as `127.0.0.1:8474`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AdminAddress {
    /// A Unix socket, which only its owner can reach.
    Unix(PathBuf),
    /// A port, which every user of this machine can reach; others, too, if it is no loopback address.
    Tcp(SocketAddr),
}

const REMEDY: &str = "write `unix:` and an absolute path, or an address and a port such as `127.0.0.1:8474`";

impl FromStr for AdminAddress {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::new(format!("`{text}` is not an admin address"), REMEDY);
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return if path.is_absolute() { Ok(Self::Unix(path)) } else { Err(fail()) };
        }
        let ListenAddress(address) = text.parse().map_err(|_| fail())?;
        Ok(Self::Tcp(address))
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_admin_address_is_a_socket_or_a_port() {
        for text in ["unix:/run/x.sock", "127.0.0.1:8474", "[::1]:8474", "0.0.0.0:8474"] {
            assert_eq!(text.parse::<AdminAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        for text in ["unix:x.sock", "unix:", "example.com:8474", "8474", "/run/x.sock"] {
            assert!(text.parse::<AdminAddress>().is_err(), "{text}");
        }
    }
}
