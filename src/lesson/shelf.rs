//! All lessons of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Lesson, load};
use crate::document::Diagnostic;
use crate::unit::{LessonId, next_id};

/// How many lessons of a folder are read, the first by name.
const LESSONS_MAX: usize = 20_000;

/// The Markdown files of a folder but `README.md`, by name; a folder that is not there has none.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md") && path.is_file())
        .collect();
    paths.sort();
    paths.truncate(LESSONS_MAX);
    paths
}

/// The lessons of a folder, by id, and what is wrong with its files.
#[derive(Debug, Default)]
pub struct Shelf {
    lessons: BTreeMap<LessonId, Lesson>,
    /// The files, by name.
    pub files: Vec<PathBuf>,
    /// Every problem and warning, file by file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Shelf {
    /// Reads every Markdown file of a folder but `README.md`; a folder that is not there has none. A file that is no lesson keeps no
    /// other from being read.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let paths = files(folder);
        let mut shelf = Self { files: paths.clone(), ..Self::default() };
        for path in paths {
            match load(&path) {
                Ok(lesson) => shelf.put(lesson),
                Err(problems) => shelf.diagnostics.extend(problems),
            }
        }
        shelf
    }

    fn put(&mut self, mut lesson: Lesson) {
        self.diagnostics.append(&mut lesson.warnings);
        if let Some(first) = self.lessons.get(&lesson.front.id) {
            let message = format!("two lessons are called `{}`", lesson.front.id);
            let help = "give one of them another id, which is the name of its file";
            let problem = Diagnostic::error(&lesson.source, lesson.source.line(2), "duplicate-lesson", message);
            let problem = problem.with_related(&first.source, first.source.line(2), "the other one");
            self.diagnostics.push(problem.with_help(help));
            return;
        }
        self.lessons.insert(lesson.front.id.clone(), lesson);
    }

    /// The lesson of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Lesson> {
        self.lessons.get(id)
    }

    /// The lessons, by id.
    pub fn lessons(&self) -> impl Iterator<Item = &Lesson> {
        self.lessons.values()
    }

    /// The lessons, by id, without the folder that they came from.
    #[must_use]
    pub fn into_lessons(self) -> Vec<Lesson> {
        self.lessons.into_values().collect()
    }

    /// An id of `year` that no file of the folder has yet.
    #[must_use]
    pub fn next_id(&self, folder: &Path, year: i32) -> LessonId {
        let known = self.lessons.keys().map(LessonId::as_str);
        let id = next_id(&format!("L-{year}-"), known, |id| folder.join(format!("{id}.md")).exists());
        id.parse().expect("invariant: letters, digits and dashes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_keeps_no_other_from_being_read_and_an_id_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, id: &str| {
            let text = format!("---\nid: {id}\ntitle: t\nregression: a#H1\ncreated: 2026-03-10\n---\nText.\n");
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("L-2026-001.md", "L-2026-001");
        write("copy.md", "L-2026-001");
        write("L-2026-007.md", "L-2026-007");
        std::fs::write(folder.path().join("broken.md"), "no front matter\n").unwrap();
        std::fs::write(folder.path().join("README.md"), "About lessons.\n").unwrap();
        std::fs::write(folder.path().join("L-2026-008.md"), "no front matter\n").unwrap();
        let shelf = Shelf::read(folder.path());
        let codes: Vec<&str> = shelf.diagnostics.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["no-front-matter", "no-front-matter", "lesson-file", "duplicate-lesson"]);
        assert_eq!((shelf.files.len(), shelf.lessons().count()), (5, 2));
        assert_eq!(shelf.next_id(folder.path(), 2026).as_str(), "L-2026-009", "no file is written over");
        assert_eq!(shelf.next_id(folder.path(), 2027).as_str(), "L-2027-001");
        assert_eq!(Shelf::read(Path::new("nowhere")).files.len(), 0);
    }
}
