//! All actions of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Filed, load};
use crate::document::Diagnostic;
use crate::unit::{ActionId, next_id};

/// How many actions of a folder are read, the first by name.
const ACTIONS_MAX: usize = 20_000;

/// The actions of a folder, by id, and what is wrong with its files.
#[derive(Debug, Default)]
pub struct Shelf {
    actions: BTreeMap<ActionId, Filed>,
    /// The files, by name.
    pub files: Vec<PathBuf>,
    /// Every problem and warning, file by file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Shelf {
    /// Reads every YAML file of a folder; a folder that is not there has none. A file that is no action keeps no other from being read.
    #[must_use]
    pub fn read(folder: &Path) -> Self {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        let mut files: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "yaml" || end == "yml") && path.is_file())
            .collect();
        files.sort();
        files.truncate(ACTIONS_MAX);
        let mut shelf = Self { files: files.clone(), ..Self::default() };
        for path in files {
            match load(&path) {
                Ok(filed) => shelf.put(filed),
                Err(problems) => shelf.diagnostics.extend(problems),
            }
        }
        shelf
    }

    fn put(&mut self, mut filed: Filed) {
        self.diagnostics.append(&mut filed.warnings);
        if let Some(first) = self.actions.get(&filed.action.id) {
            let message = format!("two actions are called `{}`", filed.action.id);
            let problem = Diagnostic::error(&filed.source, filed.source.line(1), "duplicate-action", message);
            let problem = problem.with_related(&first.source, first.source.line(1), "the other one");
            self.diagnostics.push(problem.with_help("give one of them another id, which is the name of its file"));
            return;
        }
        self.actions.insert(filed.action.id.clone(), filed);
    }

    /// The action of an id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Filed> {
        self.actions.get(id)
    }

    /// The actions, by id.
    pub fn actions(&self) -> impl Iterator<Item = &Filed> {
        self.actions.values()
    }

    /// An id of `year` that no file of the folder has yet.
    ///
    /// # Panics
    /// Never: what it makes is an id.
    #[must_use]
    pub fn next_id(&self, folder: &Path, year: i32) -> ActionId {
        let known = self.actions.keys().map(ActionId::as_str);
        let id = next_id(&format!("A-{year}-"), known, |id| folder.join(format!("{id}.yaml")).exists());
        id.parse().expect("invariant: letters, digits and dashes")
    }
}
