//! The private directory that holds our control sockets while a process runs.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The longest path of a Unix socket, in bytes: `sockaddr_un` has 108, one of which ends the text (unix(7)).
pub const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Why there is no private directory for control sockets.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirectoryError {
    /// It could not be made or looked at.
    #[error("the runtime directory `{}` cannot be used", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Somebody else could enter it, and so command our processes.
    #[error("the runtime directory `{}` is not private: it must be a directory of yours with mode 0700", path.display())]
    NotPrivate {
        /// The directory.
        path: PathBuf,
    },
}

/// The directory for control sockets, made with mode 0700 if it is missing: `$XDG_RUNTIME_DIR/gameday`, or
/// `gameday-<uid>` in the system's temporary directory where `XDG_RUNTIME_DIR` names no directory.
///
/// # Errors
/// The directory cannot be made, or one of that name belongs to or is open to somebody else.
pub fn runtime_directory() -> Result<PathBuf, RuntimeDirectoryError> {
    let user = rustix::process::geteuid().as_raw();
    let path = runtime_path(std::env::var_os("XDG_RUNTIME_DIR").as_deref(), &std::env::temp_dir(), user);
    make_private(&path)?;
    Ok(path)
}

fn runtime_path(session: Option<&OsStr>, temporary: &Path, user: u32) -> PathBuf {
    match session.map(Path::new) {
        Some(session) if session.is_absolute() && session.is_dir() => session.join("gameday"),
        Some(_) | None => temporary.join(format!("gameday-{user}")),
    }
}

/// Makes a directory with mode 0700 unless it is there, then sees to it that only this user can enter it.
pub(crate) fn make_private(path: &Path) -> Result<(), RuntimeDirectoryError> {
    let fail = |source| RuntimeDirectoryError::Io { path: path.to_owned(), source };
    if let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(path)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(fail(error));
    }
    // The link itself is looked at: in a shared directory it could be another user's.
    let metadata = std::fs::symlink_metadata(path).map_err(fail)?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    if metadata.is_dir() && ours && metadata.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(RuntimeDirectoryError::NotPrivate { path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_session_directory_is_used_only_if_it_is_there() {
        let session = tempfile::tempdir().expect("a directory");
        let temporary = Path::new("/tmp");
        let path = runtime_path(Some(session.path().as_os_str()), temporary, 7);
        assert_eq!(path, session.path().join("gameday"));
        for session in [None, Some(OsStr::new("/no/such/directory")), Some(OsStr::new("")), Some(OsStr::new("."))] {
            assert_eq!(runtime_path(session, temporary, 7), Path::new("/tmp/gameday-7"), "{session:?}");
        }
    }

    #[test]
    fn a_directory_is_made_private_and_one_that_others_can_enter_is_refused() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("gameday");
        make_private(&path).expect("made");
        make_private(&path).expect("found");
        assert_eq!(std::fs::metadata(&path).expect("metadata").mode() & 0o777, 0o700);

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
        assert!(matches!(make_private(&path), Err(RuntimeDirectoryError::NotPrivate { .. })));

        let link = root.path().join("link");
        std::os::unix::fs::symlink(root.path(), &link).expect("link");
        assert!(matches!(make_private(&link), Err(RuntimeDirectoryError::NotPrivate { .. })));
    }
}
