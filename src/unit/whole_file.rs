//! Files that are there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::FileError;

/// A file that gets its name when everything is in it: a reader sees the old one or the new, never a half.
#[derive(Debug)]
pub struct WholeFile {
    file: BufWriter<File>,
    partial: PathBuf,
    path: PathBuf,
    is_finished: bool,
}

/// How the name of a file ends that is being written.
pub(crate) const PARTIAL: &str = ".partial";

impl WholeFile {
    /// Begins the file `name` in `directory`, hidden beside what may be there.
    ///
    /// # Errors
    /// The file system said no.
    pub fn begin(directory: &Path, name: &str) -> Result<Self, FileError> {
        Self::begin_as(directory, name, 0o666)
    }

    /// Begins a file that only this user may read and write, from its first byte on.
    ///
    /// # Errors
    /// The file system said no.
    pub fn begin_private(directory: &Path, name: &str) -> Result<Self, FileError> {
        Self::begin_as(directory, name, 0o600)
    }

    fn begin_as(directory: &Path, name: &str, mode: u32) -> Result<Self, FileError> {
        // Of another name in each process: two that write one file at once leave one of both whole.
        let partial = directory.join(format!(".{name}.{}{PARTIAL}", std::process::id()));
        // What is told names the file that was asked for.
        let path = directory.join(name);
        // What a run that was killed has left, or a link that somebody put there, which would lead elsewhere.
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(FileError::on("create", &path)(error)),
            Ok(()) | Err(_) => {}
        }
        let create = OpenOptions::new().write(true).create_new(true).mode(mode).open(&partial);
        let file = BufWriter::new(create.map_err(FileError::on("create", &path))?);
        Ok(Self { file, partial, path, is_finished: false })
    }

    /// Writes the file at `path`, or the one that a link there leads to; its path.
    ///
    /// # Errors
    /// The file system said no, a folder is there, or a link leads nowhere.
    pub fn write_to(path: &Path, text: &str) -> Result<PathBuf, FileError> {
        let target = if path.is_symlink() {
            path.canonicalize().map_err(FileError::on("write", path))?
        } else {
            path.to_owned()
        };
        let name = target.file_name().and_then(|name| name.to_str()).filter(|_| !target.is_dir());
        let name = name.ok_or_else(|| FileError::on("write", path)(io::ErrorKind::IsADirectory.into()))?;
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let Ok(known) = std::fs::metadata(&target) else { return Self::write_text(folder, name, text) };
        if !known.is_file() {
            // A pipe or a device takes what is written; nothing can be put in its place.
            std::fs::write(&target, text).map_err(FileError::on("write", path))?;
            return Ok(target);
        }
        let mut file = Self::begin(folder, name)?;
        file.allow_as(&target)?;
        file.write_all(text.as_bytes()).map_err(|error| file.failed(error))?;
        file.finish()
    }

    /// Writes the file `name` in `directory`; its path.
    ///
    /// # Errors
    /// The file system said no.
    pub fn write_text(directory: &Path, name: &str, text: &str) -> Result<PathBuf, FileError> {
        let mut file = Self::begin(directory, name)?;
        file.write_all(text.as_bytes()).map_err(|error| file.failed(error))?;
        file.finish()
    }

    /// Brings it to the disk and gives it its name, which is returned.
    ///
    /// # Errors
    /// The file system said no.
    pub fn finish(mut self) -> Result<PathBuf, FileError> {
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        written.map_err(FileError::on("write", &self.path))?;
        std::fs::rename(&self.partial, &self.path).map_err(FileError::on("write", &self.path))?;
        self.is_finished = true;
        Ok(self.path.clone())
    }

    /// Lets it be read and written by those who may do so with another file.
    ///
    /// # Errors
    /// The file system said no.
    pub fn allow_as(&self, other: &Path) -> Result<(), FileError> {
        let permissions = std::fs::metadata(other).map_err(FileError::on("look at", other))?.permissions();
        self.file.get_ref().set_permissions(permissions).map_err(FileError::on("write", &self.path))
    }

    /// What went wrong while it was written.
    #[must_use]
    pub fn failed(&self, source: io::Error) -> FileError {
        FileError::on("write", &self.path)(source)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.is_finished {
            // What is left has a hidden name, and the next one begins it anew.
            std::fs::remove_file(&self.partial).ok();
        }
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_fails_names_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let error = WholeFile::begin(&folder.path().join("gone"), "x.csv").unwrap_err().to_string();
        assert!(error.contains("gone/x.csv") && !error.contains("partial"), "{error}");
    }

    #[test]
    fn a_link_that_somebody_put_in_the_way_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "mine").unwrap();
        symlink(&victim, folder.path().join(format!(".page.{}{PARTIAL}", std::process::id()))).unwrap();
        let path = WholeFile::write_text(folder.path(), "page", "new").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "mine");
        assert!(!path.is_symlink());
        assert_eq!(std::fs::read_to_string(path).unwrap(), "new");
    }

    #[test]
    fn a_file_that_is_named_by_a_link_is_written_where_the_link_leads() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.csv"), folder.path().join("link.csv"));
        std::fs::write(&real, "old").unwrap();
        symlink("real.csv", &link).unwrap();
        WholeFile::write_to(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert!(WholeFile::write_to(folder.path(), "x").is_err(), "a folder is no file");
        WholeFile::write_to(Path::new("/dev/null"), "x").unwrap();
        assert!(!std::fs::metadata("/dev/null").unwrap().is_file(), "a device stays one");
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o600)).unwrap();
        WholeFile::write_to(&real, "newer").unwrap();
        assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
