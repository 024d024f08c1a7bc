//! Files that are written only where there is none yet.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Why there is no new file.
#[derive(Debug, thiserror::Error)]
pub enum NewFileError {
    /// One is there.
    #[error("`{}` is there already, and stays as it is", .0.display())]
    Exists(PathBuf),
    /// The file system said no.
    #[error("failed to write `{}`", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Writes a new file into a folder, which is made where it is missing; its path.
///
/// # Errors
/// See [`NewFileError`]; what is there is never written over.
pub fn write_new(folder: &Path, name: &str, text: &str) -> Result<PathBuf, NewFileError> {
    let path = folder.join(name);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => NewFileError::Exists(path.clone()),
        _ => NewFileError::Write { path: path.clone(), source },
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut file = File::create_new(&path).map_err(failed)?;
    match file.write_all(text.as_bytes()) {
        Ok(()) => Ok(path),
        Err(error) => {
            // A half of it would be in the way of the next try.
            std::fs::remove_file(&path).ok();
            Err(failed(error))
        }
    }
}
