//! The files that a load names: bodies and data. Owns: reading all of them, and what is wrong with them. Must not know: where
//! they lie, for that it is given a reader.

use std::collections::BTreeMap;

use super::check::SpecProblem;
use super::data::{DataFormat, Table};
use super::spec::LoadSpec;
use super::text::Owner;
use crate::unit::{FileBelowError, nearest};

/// How many bytes the bodies of a load may have that come from files, all together.
pub const BODY_FILES_BYTES_MAX: usize = 5 * 1024 * 1024;

/// How many bytes the data files of a load may have, all together.
pub const DATA_FILES_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Reads the file at a path from the workspace's folder; one of more bytes than the number is refused.
pub type ReadFile<'r> = dyn Fn(&str, usize) -> Result<Vec<u8>, FileBelowError> + 'r;

/// What the files of a load hold.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The bytes of those that are sent, by path.
    pub(crate) bodies: BTreeMap<String, Vec<u8>>,
    /// The rows of the data files, by the name of each.
    pub(crate) tables: BTreeMap<String, Table>,
    pub(crate) problems: Vec<SpecProblem>,
}

impl LoadSpec {
    /// Everything that is wrong with the files that the load names, and with what it says of their columns.
    #[must_use]
    pub fn file_problems(&self, read: &ReadFile<'_>) -> Vec<SpecProblem> {
        Files::read(self, read).problems
    }
}

impl Files {
    /// Reads every file that a load without problems names.
    pub(crate) fn read(load: &LoadSpec, read: &ReadFile<'_>) -> Self {
        let mut files = Self::default();
        let mut left = BODY_FILES_BYTES_MAX;
        load.visit_steps(&mut |path, step| {
            for (keys, file) in step.files() {
                if files.bodies.contains_key(file) {
                    continue;
                }
                match read(file, left) {
                    Ok(bytes) => {
                        left -= bytes.len().min(left);
                        files.bodies.insert(file.to_owned(), bytes);
                    }
                    Err(error) => {
                        let keys = keys.iter().map(ToString::to_string);
                        files.problem(
                            path.iter().cloned().chain(keys).collect(),
                            &error,
                            "the bodies of a load",
                            "5 MiB",
                        );
                    }
                }
            }
        });
        files.read_tables(load, read);
        load.visit_placeholders(&mut |placeholder, known| {
            let Owner::Column { data, column } = known.owner(load, &placeholder.name) else { return };
            let Some(table) = files.tables.get(data) else { return };
            if table.columns.iter().any(|known| known == column) {
                return;
            }
            let columns = table.columns.iter().map(String::as_str);
            let remedy = match nearest(column, columns.clone()) {
                Some(near) => format!("did you mean `${{{data}.{near}}}`?"),
                None => format!("known are {}", columns.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
            };
            let message = format!("`{data}` has no column `{column}`");
            let (path, placeholder) = (placeholder.path, Some(placeholder.name));
            files.problems.push(SpecProblem { path, message, remedy, placeholder });
        });
        files
    }

    fn read_tables(&mut self, load: &LoadSpec, read: &ReadFile<'_>) {
        let mut left = DATA_FILES_BYTES_MAX;
        for (name, data) in &load.data {
            let path = ["data", name, "file"].map(str::to_owned).to_vec();
            let Some(format) = DataFormat::of(&data.file) else { continue };
            match read(&data.file, left) {
                Ok(bytes) => {
                    left -= bytes.len().min(left);
                    match Table::read(format, &bytes) {
                        Ok(table) => drop(self.tables.insert(name.clone(), table)),
                        Err(error) => self.problems.push(SpecProblem {
                            path,
                            message: format!("`{}` can not be used: {error}", data.file),
                            remedy: "write CSV with a line of names, or one JSON object a line".to_owned(),
                            placeholder: None,
                        }),
                    }
                }
                Err(error) => self.problem(path, &error, "the data of a load", "10 MiB"),
            }
        }
    }

    fn problem(&mut self, path: Vec<String>, error: &FileBelowError, what: &str, most: &str) {
        let (message, remedy) = match error {
            FileBelowError::TooLong { path, .. } => {
                (format!("`{path}` is too long"), format!("{what} may have {most} in all"))
            }
            FileBelowError::Outside { .. } => (error.to_string(), "copy it into the workspace".to_owned()),
            FileBelowError::Unreadable { .. } => {
                (error.to_string(), "write its path from the workspace's folder".to_owned())
            }
        };
        self.problems.push(SpecProblem { path, message, remedy, placeholder: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: &str = r#"
data: {people: {file: people.csv}, orders: {file: orders.jsonl}}
setup: [{post: "http://a/", file: large.bin}]
journeys: [{name: j, steps: [{group: {name: g, steps: [
  {post: "http://a/${people.emial}/${orders.id}", multipart: {photo: {file: photo.png}}}]}}]}]
shape: [{hold: 1m, at: 1 users}]
"#;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        let load: LoadSpec = serde_yaml::from_str(LOAD).unwrap();
        assert_eq!(load.problems(), []);
        let read = |path: &str, bytes_max: usize| match files.iter().find(|(name, _)| *name == path) {
            Some((_, text)) if text.len() > bytes_max => {
                Err(FileBelowError::TooLong { path: path.to_owned(), bytes_max })
            }
            Some((_, text)) => Ok(text.as_bytes().to_vec()),
            None => Err(FileBelowError::Unreadable {
                path: path.to_owned(),
                source: std::io::Error::from(std::io::ErrorKind::NotFound),
            }),
        };
        let line =
            |problem: SpecProblem| format!("{}: {}; {}", problem.path.join("/"), problem.message, problem.remedy);
        load.file_problems(&read).into_iter().map(line).collect()
    }

    #[test]
    fn files_are_told_that_are_missing_too_long_or_no_table() {
        let large = "x".repeat(BODY_FILES_BYTES_MAX);
        let found = problems(&[
            ("large.bin", &large),
            ("photo.png", "x"),
            ("people.csv", "email\n"),
            ("orders.jsonl", "{\"id\": 1}"),
        ]);
        assert_eq!(
            found,
            [
                "journeys/0/steps/0/group/steps/0/multipart/photo/file: `photo.png` is too long; the bodies of a load may have 5 MiB in all",
                "data/people/file: `people.csv` can not be used: it has no row; write CSV with a line of names, or one JSON object a line",
            ]
        );
        let found = problems(&[("photo.png", "x"), ("people.csv", "email\na\n")]);
        assert!(found[0].starts_with("setup/0/file: `large.bin` can not be read: "), "{found:?}");
        assert!(found[1].starts_with("data/orders/file: `orders.jsonl` can not be read: "), "{found:?}");
        assert_eq!(
            found[2],
            "journeys/0/steps/0/group/steps/0/post: `people` has no column `emial`; did you mean `${people.email}`?"
        );
    }
}
