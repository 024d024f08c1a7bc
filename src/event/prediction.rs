//! Private predictions: written down in a file that nobody is shown, and sealed by its digest in the log.
//!
//! A prediction is `predictions/<sha256>.json` (mode 0600) in the run's folder. The digest stands in the log before the first fault;
//! that it is still the file's own shows later that nobody changed their mind. A salt keeps the few things that can be said from being
//! guessed by their digest.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::unit::{FileError, HypothesisId, read_below, sha256_hex};

/// The folder of predictions in a run's folder.
pub const PREDICTIONS_DIRECTORY: &str = "predictions";
/// The largest file that is read as a prediction, in bytes.
const PREDICTION_BYTES_MAX: usize = 64 * 1024;

/// What somebody expects of a hypothesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// The hypothesis.
    pub hypothesis: HypothesisId,
    /// Whether they expect it to hold.
    pub holds: bool,
    /// What else they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Who.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A prediction as its file has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    prediction: Prediction,
    salt: String,
}

/// Why a prediction can not be read.
#[derive(Debug, thiserror::Error)]
pub enum PredictionError {
    /// Its file can not be read.
    #[error("the prediction `{name}` can not be read")]
    Unreadable {
        /// Its digest.
        name: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It was changed after it was sealed.
    #[error("the prediction `{0}` was changed after it was sealed: its digest is another one now")]
    Changed(String),
    /// It is no prediction.
    #[error("the prediction `{name}` is none that this version reads")]
    Unknown {
        /// Its digest.
        name: String,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
}

impl Prediction {
    /// Writes it down in the run's folder and returns the digest by which the log seals it; both file and folder are on disk then.
    ///
    /// # Errors
    /// The file can not be written.
    pub fn seal(self, directory: &Path, salt: String) -> Result<String, FileError> {
        let bytes =
            serde_json::to_vec(&Sealed { prediction: self, salt }).expect("invariant: a prediction serialises to JSON");
        let sha256 = sha256_hex(&bytes);
        let folder = directory.join(PREDICTIONS_DIRECTORY);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(FileError::on("create", &folder))?;
        let path = path_of(directory, &sha256);
        let write = || {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::File::open(&folder)?.sync_all()?;
            std::fs::File::open(directory)?.sync_all()
        };
        write().map_err(FileError::on("write", &path))?;
        Ok(sha256)
    }

    /// Reads the prediction of that digest back.
    ///
    /// # Errors
    /// It is not there, or not what was sealed.
    pub fn open(directory: &Path, sha256: &str) -> Result<Self, PredictionError> {
        let name = || sha256.to_owned();
        let unreadable = |source| PredictionError::Unreadable { name: name(), source };
        let relative = format!("{PREDICTIONS_DIRECTORY}/{sha256}.json");
        let bytes = read_below(directory, &relative, PREDICTION_BYTES_MAX)
            .map_err(|error| unreadable(std::io::Error::other(error)))?;
        if sha256_hex(&bytes) != sha256 {
            return Err(PredictionError::Changed(name()));
        }
        let sealed: Sealed =
            serde_json::from_slice(&bytes).map_err(|source| PredictionError::Unknown { name: name(), source })?;
        Ok(sealed.prediction)
    }
}

fn path_of(directory: &Path, sha256: &str) -> PathBuf {
    directory.join(PREDICTIONS_DIRECTORY).join(format!("{sha256}.json"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn prediction() -> Prediction {
        Prediction {
            hypothesis: "H1".parse().unwrap(),
            holds: false,
            note: Some("the queue is too short".to_owned()),
            by: Some("maria".to_owned()),
        }
    }

    #[test]
    fn a_prediction_is_private_and_reads_back_as_it_was_sealed() {
        let directory = tempfile::tempdir().unwrap();
        let sha256 = prediction().seal(directory.path(), "salt".to_owned()).unwrap();
        let other = prediction().seal(directory.path(), "pepper".to_owned()).unwrap();
        assert_ne!(sha256, other, "the same words have another digest each time");
        let path = path_of(directory.path(), &sha256);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(Prediction::open(directory.path(), &sha256).unwrap(), prediction());
    }

    #[test]
    fn whoever_changes_their_mind_later_is_found_out() {
        let directory = tempfile::tempdir().unwrap();
        let sha256 = prediction().seal(directory.path(), "salt".to_owned()).unwrap();
        let path = path_of(directory.path(), &sha256);
        let text = std::fs::read_to_string(&path).unwrap().replace("false", "true");
        std::fs::write(&path, text).unwrap();
        assert!(matches!(Prediction::open(directory.path(), &sha256), Err(PredictionError::Changed(_))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Prediction::open(directory.path(), &sha256), Err(PredictionError::Unreadable { .. })));
    }
}
