//! Which lessons and playbooks there are: the ids of their front matter, and nothing else of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::document::{SourceFile, Tree};

/// How many files of a folder are looked at; a folder with more is none of ours.
const FILES_MAX: usize = 10_000;

/// The files of a folder with an extension, by name. A folder that is not there has none.
pub(super) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries
        .take(FILES_MAX)
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|found| found == extension) && path.is_file())
        .collect();
    files.sort();
    files
}

/// The Markdown files of a folder by the `id` of their front matter. What is wrong with a file is told where it is read
/// in full, so a file without an id is only left out here.
pub(super) fn by_id<I: FromStr + Ord>(folder: &Path) -> BTreeMap<I, PathBuf> {
    files(folder, "md").into_iter().filter_map(|path| Some((id(&path)?, path))).collect()
}

fn id<I: FromStr>(path: &Path) -> Option<I> {
    let source = SourceFile::read(path).ok()?;
    let (tree, _) = Tree::front_matter(&source, &mut Vec::new())?;
    let (_, text) = tree.scalar(tree.entry(tree.root(), "id")?)?;
    text.parse().ok()
}
