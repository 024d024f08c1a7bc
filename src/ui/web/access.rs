//! [`Access`]: the two links of a run's control room, and who has used them, kept in `control-room.json` (mode 0600) in the run's folder.
//!
//! It outlives the server, so that open pages go on when another process serves the same run. It is no evidence: no report and no manifest
//! names it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ui::board::View;
use crate::unit::{FileError, PersonId, WholeFile};

/// The file's name.
pub const ROOM_FILE: &str = "control-room.json";
/// The largest file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How many random bytes a token and a session's id have: 128 bits.
const SECRET_BYTES: usize = 16;

/// Why the control room of a run can not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// Others may have read the links.
    #[error(
        "`{}` can be read by others: delete it, and new links are made, or `chmod 600` it if nobody has looked",
        path.display()
    )]
    NotPrivate {
        /// The file.
        path: PathBuf,
    },
    /// It is no such file.
    #[error("`{}` is not a control room that this version reads: delete it, and new links are made", path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

/// Somebody who has used a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Guest {
    /// Which link.
    pub(super) view: View,
    /// Who they say they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<String>,
    /// The role in which they take part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<PersonId>,
}

/// A state of the file: its inode, length and time of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([u64; 4]);

/// The links of a run's control room, and who has used them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Where it was served last.
    pub address: SocketAddr,
    facilitator: String,
    participant: String,
    /// By the SHA-256 of the session's id, which only the browser has.
    #[serde(default)]
    pub(super) guests: BTreeMap<String, Guest>,
}

impl Access {
    /// New links.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, facilitator: random_text(), participant: random_text(), guests: BTreeMap::new() }
    }

    /// The links of the run in `directory`; none where it has none yet.
    ///
    /// # Errors
    /// The file can not be read, is open to others, or is no such file.
    pub fn read(directory: &Path) -> Result<Option<Self>, AccessError> {
        let path = directory.join(ROOM_FILE);
        let metadata = match std::fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FileError::on("read", &path)(error).into()),
        };
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        if !metadata.is_file() || !is_ours || metadata.mode() & 0o077 != 0 || metadata.len() > FILE_BYTES_MAX {
            return Err(AccessError::NotPrivate { path });
        }
        let bytes = std::fs::read(&path).map_err(FileError::on("read", &path))?;
        serde_json::from_slice(&bytes).map(Some).map_err(|source| AccessError::Unknown { path, source })
    }

    /// What changes with the file; none where there is none.
    pub(super) fn stamp(directory: &Path) -> Option<Stamp> {
        let metadata = std::fs::symlink_metadata(directory.join(ROOM_FILE)).ok()?;
        Some(Stamp([
            metadata.ino(),
            metadata.len(),
            metadata.ctime().cast_unsigned(),
            metadata.ctime_nsec().cast_unsigned(),
        ]))
    }

    /// Writes it into the run's folder, for this user alone.
    ///
    /// # Errors
    /// The file system said no.
    pub fn write(&self, directory: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self).expect("invariant: our own values serialise to JSON");
        let mut file = WholeFile::begin_private(directory, ROOM_FILE)?;
        file.write_all(text.as_bytes()).map_err(|error| file.failed(error))?;
        file.finish().map(drop)
    }

    /// What is behind the `#` of a view's link.
    #[must_use]
    pub fn fragment(&self, view: View) -> String {
        match view {
            View::Facilitator => format!("f={}", self.facilitator),
            View::Participant => format!("p={}", self.participant),
        }
    }

    /// Whether a token is the one of that view's link.
    pub(super) fn is_token(&self, view: View, token: &str) -> bool {
        let expected = match view {
            View::Facilitator => &self.facilitator,
            View::Participant => &self.participant,
        };
        is_same(expected.as_bytes(), token.as_bytes())
    }
}

/// 128 bits of the system's generator, as 22 letters that stand in a link as they are.
pub(super) fn random_text() -> String {
    // A UUID of version 4 has 122 random bits: two have more than are kept.
    let mut hash = Sha256::new();
    hash.update(uuid::Uuid::new_v4().as_bytes());
    hash.update(uuid::Uuid::new_v4().as_bytes());
    let digest = hash.finalize();
    URL_SAFE_NO_PAD.encode(digest.iter().copied().take(SECRET_BYTES).collect::<Vec<u8>>())
}

/// Whether two texts are the same, in a time that does not tell where they differ: their digests are compared, all of them.
fn is_same(left: &[u8], right: &[u8]) -> bool {
    let (left, right) = (Sha256::digest(left), Sha256::digest(right));
    let differing = left.iter().zip(right.iter()).fold(0, |differing, (left, right)| differing | (left ^ right));
    std::hint::black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn access() -> Access {
        Access::new("127.0.0.1:8424".parse().unwrap())
    }

    #[test]
    fn each_view_has_a_link_of_its_own_that_nobody_can_guess() {
        let secrets: BTreeSet<String> = (0..1_000).map(|_| random_text()).collect();
        assert_eq!(secrets.len(), 1_000);
        assert!(secrets.iter().all(|secret| URL_SAFE_NO_PAD.decode(secret).unwrap().len() == SECRET_BYTES));
        let access = access();
        let [facilitator, participant] = [View::Facilitator, View::Participant].map(|view| access.fragment(view));
        assert!(access.is_token(View::Facilitator, facilitator.strip_prefix("f=").unwrap()));
        assert!(!access.is_token(View::Facilitator, participant.strip_prefix("p=").unwrap()));
        assert!(!access.is_token(View::Participant, ""));
    }

    #[test]
    fn the_file_is_for_this_user_alone_and_one_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(Access::read(directory.path()).unwrap(), None);
        let mut access = access();
        access.guests.insert("a".to_owned(), Guest { view: View::Participant, name: None, role: None });
        access.write(directory.path()).unwrap();
        let path = directory.path().join(ROOM_FILE);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(Access::read(directory.path()).unwrap(), Some(access));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Access::read(directory.path()), Err(AccessError::NotPrivate { .. })));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(matches!(Access::read(directory.path()), Err(AccessError::NotPrivate { .. })));
    }
}
