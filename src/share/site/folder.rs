//! The folder that the pages are written to: only what was made here before is written over or taken away.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::unit::{FileError, LessonId, WholeFile};

/// The file that says which pages of a folder were made here.
const MARKER: &str = ".gameday-site";

/// What stands above the names.
const MARKER_TITLE: &str =
    "# Pages that `gameday lesson site` made, and writes over. Take a line away to keep that file.";

/// The folder of the lessons' pages.
const LESSONS: &str = "lessons";

/// Why the pages were not written.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The folder has other things in it.
    #[error("`{}` is not empty, and `gameday lesson site` did not make what is in it: name a new folder, or empty it", .0.display())]
    Foreign(PathBuf),
    /// A file that was not made here is in the way.
    #[error("`{}` was not made by `gameday lesson site`, and stays as it is: move it away, or name another folder", .0.display())]
    InTheWay(PathBuf),
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Writes pages into a folder, each whole or not at all, and takes away those that it made before and are no more; how many of those.
///
/// # Errors
/// See [`SiteError`]; before the first page is written, all of them are known to be free to be.
pub fn write(folder: &Path, pages: &BTreeMap<String, String>) -> Result<usize, SiteError> {
    let before = made_before(folder)?;
    for name in pages.keys().filter(|name| !before.contains(*name)) {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(SiteError::InTheWay(path));
        }
    }
    let lessons = folder.join(LESSONS);
    // What a link leads to may be anybody's.
    if lessons.is_symlink() {
        return Err(SiteError::InTheWay(lessons));
    }
    std::fs::create_dir_all(&lessons).map_err(FileError::on("make the folder", &lessons))?;
    let now: BTreeSet<String> = pages.keys().cloned().collect();
    // First the names of all, so that what a run that is cut off has written is known to the next.
    write_file(folder, MARKER, &marker(&before.union(&now).cloned().collect()))?;
    for (name, page) in pages {
        match name.strip_prefix("lessons/") {
            Some(name) => write_file(&lessons, name, page)?,
            None => write_file(folder, name, page)?,
        }
    }
    let stale: Vec<&String> = before.difference(&now).collect();
    for name in &stale {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok_and(|found| found.is_file()) {
            std::fs::remove_file(&path).map_err(FileError::on("remove", &path))?;
        }
    }
    write_file(folder, MARKER, &marker(&now))?;
    Ok(stale.len())
}

fn write_file(folder: &Path, name: &str, text: &str) -> Result<(), FileError> {
    let mut file = WholeFile::begin(folder, name)?;
    file.write_all(text.as_bytes()).map_err(|error| file.failed(error))?;
    file.finish()?;
    Ok(())
}

fn marker(names: &BTreeSet<String>) -> String {
    std::iter::once(MARKER_TITLE).chain(names.iter().map(String::as_str)).map(|line| format!("{line}\n")).collect()
}

/// The pages that were made here before; none in an empty folder, or where there is none.
fn made_before(folder: &Path) -> Result<BTreeSet<String>, SiteError> {
    let path = folder.join(MARKER);
    if path.is_file() {
        let text = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
        return Ok(text.lines().filter(|name| is_ours(name)).map(str::to_owned).collect());
    }
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(FileError::on("read", folder)(error).into()),
    };
    if entries.count() == 0 { Ok(BTreeSet::new()) } else { Err(SiteError::Foreign(folder.to_owned())) }
}

/// Whether a name is one that pages have: the marker may have been written by anybody.
fn is_ours(name: &str) -> bool {
    let of_lesson = |name: &str| name.strip_suffix(".html").is_some_and(|id| id.parse::<LessonId>().is_ok());
    matches!(name, "index.html" | "actions.html") || name.strip_prefix("lessons/").is_some_and(of_lesson)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(names: &[&str]) -> BTreeMap<String, String> {
        names.iter().map(|name| ((*name).to_owned(), format!("page {name}"))).collect()
    }

    #[test]
    fn only_what_was_made_here_is_written_over_or_taken_away() {
        let folder = tempfile::tempdir().unwrap();
        let site = folder.path().join("site");
        assert_eq!(write(&site, &pages(&["index.html", "lessons/L-1.html", "lessons/L-2.html"])).unwrap(), 0);
        std::fs::write(site.join("lessons/own.html"), "mine").unwrap();
        std::fs::write(site.join("CNAME"), "mine").unwrap();
        assert_eq!(write(&site, &pages(&["index.html", "lessons/L-2.html"])).unwrap(), 1);
        assert!(!site.join("lessons/L-1.html").exists() && site.join("lessons/own.html").exists());
        let error = write(&site, &pages(&["index.html", "lessons/own.html"])).unwrap_err();
        assert!(matches!(error, SiteError::InTheWay(_)), "{error}");
        assert_eq!(std::fs::read_to_string(site.join("lessons/own.html")).unwrap(), "mine");
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.html"), "mine").unwrap();
        let error = write(folder.path(), &pages(&["index.html"])).unwrap_err();
        assert!(matches!(error, SiteError::Foreign(_)), "{error}");
        let outside = folder.path().join("outside.html");
        std::fs::write(&outside, "mine").unwrap();
        let site = folder.path().join("site");
        write(&site, &pages(&["index.html"])).unwrap();
        std::fs::write(site.join(MARKER), "../outside.html\nlessons/../../outside.html\n/etc/passwd\nindex.html\n")
            .unwrap();
        write(&site, &pages(&["index.html"])).unwrap();
        assert!(outside.exists(), "a marker is no permission");
        std::fs::remove_dir(site.join("lessons")).unwrap();
        std::os::unix::fs::symlink(folder.path(), site.join("lessons")).unwrap();
        assert!(matches!(write(&site, &pages(&["index.html"])), Err(SiteError::InTheWay(_))));
    }
}
