//! Folders of files that each have an id: reading all of them, and ids for new ones. Must not know: what a file says.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::{Diagnostic, SourceFile};

/// How many files of a folder are read, the first by name.
const FILES_MAX: usize = 20_000;

/// A file of a folder in which each has an id of its own.
pub trait Filed: Sized {
    /// The type of its id.
    type Id: Ord + Clone + Display + Borrow<str> + FromStr;
    /// What it is called: `lesson`.
    const NAME: &'static str;
    /// The code of the problem that two have the same id.
    const DUPLICATE: &'static str;
    /// What ids of new ones begin with.
    const PREFIX: char;
    /// How the names of the files end.
    const EXTENSION: &'static str;
    /// The line on which the id usually stands.
    const ID_LINE: usize;

    /// Reads and checks one.
    ///
    /// # Errors
    /// Every problem of the file.
    fn load(path: &Path) -> Result<Self, Vec<Diagnostic>>;

    /// Its id.
    fn id(&self) -> &Self::Id;

    /// The file's text.
    fn source(&self) -> &Arc<SourceFile>;

    /// What is doubtful, which is told once.
    fn take_warnings(&mut self) -> Vec<Diagnostic>;
}

/// The files of a folder with an extension but `README.md`, by name; a folder that is not there has none.
#[must_use]
pub fn files_of(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let is_wanted = |name: &Path| name.extension().is_some_and(|found| found == extension) && name != "README.md";
    // The folder tells what most entries are; asking the file system for thousands of them would take longer than reading some.
    let is_file = |entry: &DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_symlink() => entry.path().is_file(),
        kind => kind.is_ok_and(|kind| kind.is_file()),
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| is_wanted(Path::new(&entry.file_name())) && is_file(entry))
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    paths.truncate(FILES_MAX);
    paths
}

/// Where the numbers of ids end.
const NUMBER_END: u32 = 1_000_000;

/// What a folder has, by id, and what is wrong with its files.
#[derive(Debug)]
pub struct Shelf<F: Filed> {
    entries: BTreeMap<F::Id, F>,
    /// The files, by name.
    pub files: Vec<PathBuf>,
    /// Every problem and warning, file by file.
    pub diagnostics: Vec<Diagnostic>,
}

impl<F: Filed> Shelf<F> {
    /// Reads every such file of a folder but `README.md`; a folder that is not there has none. A file that is wrong keeps no other
    /// from being read.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let files = files_of(folder, F::EXTENSION);
        let mut shelf = Self { entries: BTreeMap::new(), files: files.clone(), diagnostics: Vec::new() };
        for path in files {
            match F::load(&path) {
                Ok(entry) => shelf.put(entry),
                Err(problems) => shelf.diagnostics.extend(problems),
            }
        }
        shelf
    }

    fn put(&mut self, mut entry: F) {
        self.diagnostics.append(&mut entry.take_warnings());
        if let Some(first) = self.entries.get::<F::Id>(entry.id()) {
            let message = format!("two {}s are called `{}`", F::NAME, entry.id());
            let help = "give one of them another id, which is the name of its file";
            let (source, other) = (entry.source(), first.source());
            let problem = Diagnostic::error(source, source.line(F::ID_LINE), F::DUPLICATE, message);
            let problem = problem.with_related(other, other.line(F::ID_LINE), "the other one");
            self.diagnostics.push(problem.with_help(help));
            return;
        }
        self.entries.insert(entry.id().clone(), entry);
    }

    /// The one of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&F> {
        self.entries.get(id)
    }

    /// All of them, by id.
    pub fn entries(&self) -> impl Iterator<Item = &F> {
        self.entries.values()
    }

    /// All of them, by id, without the folder that they came from.
    #[must_use]
    pub fn into_entries(self) -> Vec<F> {
        self.entries.into_values().collect()
    }

    /// An id of `year` that no file of the folder has yet.
    ///
    /// # Panics
    /// Never: such a text is an id.
    #[must_use]
    pub fn next_id(&self, folder: &Path, year: i32) -> F::Id {
        let start = format!("{}-{year}-", F::PREFIX);
        let number = |id: &F::Id| Borrow::<str>::borrow(id).strip_prefix(&start)?.parse::<u32>().ok();
        // What is longer was not given by us.
        let numbers = self.entries.keys().filter_map(number).filter(|number| *number < NUMBER_END);
        let mut number = numbers.max().unwrap_or_default() + 1;
        loop {
            let id = format!("{start}{number:03}");
            if !folder.join(format!("{id}.{}", F::EXTENSION)).exists() {
                return id.parse().ok().expect("invariant: letters, digits and dashes");
            }
            number += 1;
        }
    }
}
