//! Reading a file that must lie below a folder.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path};

/// Why a file below a folder can not be had.
#[derive(Debug, thiserror::Error)]
pub enum FileBelowError {
    /// It leads out of the folder, by its name or by a link.
    #[error("`{path}` lies outside the workspace")]
    Outside {
        /// The path as it was written.
        path: String,
    },
    /// Longer than it may be.
    #[error("`{path}` is longer than {bytes_max} bytes")]
    TooLong {
        /// The path as it was written.
        path: String,
        /// How long it may be.
        bytes_max: usize,
    },
    /// It can not be read.
    #[error("`{path}` can not be read: {source}")]
    Unreadable {
        /// The path as it was written.
        path: String,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Whether a path is written so that it stays below the folder from which it is looked for.
#[must_use]
pub fn stays_below(path: &str) -> bool {
    let is_inner = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    !path.is_empty() && Path::new(path).components().all(is_inner)
}

/// Reads the file at `path` below `folder`, links followed; one of more than `bytes_max` bytes is refused.
///
/// # Errors
/// See [`FileBelowError`].
pub fn read_below(folder: &Path, path: &str, bytes_max: usize) -> Result<Vec<u8>, FileBelowError> {
    let unreadable = |source| FileBelowError::Unreadable { path: path.to_owned(), source };
    let outside = || FileBelowError::Outside { path: path.to_owned() };
    if !stays_below(path) {
        return Err(outside());
    }
    // The folder that one is in may be written as nothing.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let folder = folder.canonicalize().map_err(unreadable)?;
    let found = folder.join(path).canonicalize().map_err(unreadable)?;
    if !found.starts_with(&folder) {
        return Err(outside());
    }
    // A pipe or a device would be waited for.
    if !found.metadata().map_err(unreadable)?.is_file() {
        return Err(unreadable(io::Error::other("it is no file")));
    }
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    File::open(&found).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() > bytes_max {
        return Err(FileBelowError::TooLong { path: path.to_owned(), bytes_max });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_from_below_and_from_nowhere_else() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("workspace");
        std::fs::create_dir_all(folder.join("data")).unwrap();
        std::fs::write(folder.join("data/a.csv"), "abc").unwrap();
        std::fs::write(outer.path().join("secret"), "key").unwrap();
        std::os::unix::fs::symlink("../../secret", folder.join("data/link")).unwrap();
        let read = |path, most| read_below(&folder, path, most).map_err(|error| error.to_string());
        assert_eq!(read("data/a.csv", 3), Ok(b"abc".to_vec()));
        assert_eq!(read("./data/a.csv", 2), Err("`./data/a.csv` is longer than 2 bytes".to_owned()));
        for path in ["../secret", "data/../../secret", "data/link", "/etc/hostname"] {
            assert_eq!(read(path, 100), Err(format!("`{path}` lies outside the workspace")));
        }
        assert!(read_below(Path::new(""), "Cargo.toml", 1_000_000).is_ok());
        assert!(read("data", 100).unwrap_err().contains("it is no file"));
        assert!(read("data/b.csv", 100).unwrap_err().starts_with("`data/b.csv` can not be read: "));
    }
}
