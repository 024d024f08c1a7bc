//! Files that are written only where there is none yet.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

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

/// Writes a new file into a folder, which is made where it is missing; its path. It gets its name when everything is in it.
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
    // Others may write one of the same name at the same time.
    let partial = folder.join(format!(".{name}.{}.partial", process::id()));
    std::fs::remove_file(&partial).ok();
    let fill = |mut file: File| file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let written = File::create_new(&partial).and_then(fill);
    let written = written.map_err(|source| NewFileError::Write { path: partial.clone(), source });
    let named = written.and_then(|()| {
        // Unlike a rename, a link takes no name that is taken. Some file systems have no such links.
        let linked = match std::fs::hard_link(&partial, &path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
                File::create_new(&path).and_then(fill)
            }
            linked => linked,
        };
        linked.map_err(failed)
    });
    std::fs::remove_file(&partial).ok();
    named.map(|()| path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_there_whole_or_not_at_all_and_none_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let lessons = folder.path().join("lessons");
        let path = write_new(&lessons, "a.md", "one").unwrap();
        assert!(matches!(write_new(&lessons, "a.md", "two"), Err(NewFileError::Exists(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        // The partial can not be written: nothing stands under the name.
        std::fs::create_dir(lessons.join(format!(".b.md.{}.partial", process::id()))).unwrap();
        assert!(matches!(write_new(&lessons, "b.md", "two"), Err(NewFileError::Write { .. })));
        assert!(!lessons.join("b.md").exists());
        let left = std::fs::read_dir(&lessons).unwrap().filter(|entry| entry.as_ref().unwrap().path().is_file());
        assert_eq!(left.count(), 1, "no partial is left");
    }
}
