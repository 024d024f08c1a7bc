//! `gameday init`: a workspace that passes `check` and runs in the sandbox.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure, out};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder; it is made where it is not there.
    #[arg(default_value = ".")]
    folder: PathBuf,
}

/// A workspace lies in somebody's repository, which has one of these in most cases.
const GITIGNORE: &str = ".gitignore";

/// The files of a new workspace. They are files of this repository, and a test runs `check` over them.
const FILES: [(&str, &str); 5] = [
    (GITIGNORE, include_str!("template/init/gitignore")),
    ("gameday.yaml", include_str!("template/init/gameday.yaml")),
    ("workload.yaml", include_str!("template/init/workload.yaml")),
    ("playbooks/pb-slow-checkout.md", include_str!("template/init/playbooks/pb-slow-checkout.md")),
    ("scenarios/quickstart.yaml", include_str!("template/init/scenarios/quickstart.yaml")),
];

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let existing: Vec<String> = FILES
        .iter()
        .filter(|(name, _)| *name != GITIGNORE && folder.join(name).exists())
        .map(|(name, _)| format!("`{name}`"))
        .collect();
    if !existing.is_empty() {
        let (names, folder) = (existing.join(", "), folder.display());
        let text = format!(
            "nothing was written, since `{folder}` has these already: {names}; move them away, or choose another folder"
        );
        return Err(Failure::new(Exit::Failure, text));
    }
    for (name, text) in FILES {
        let path = folder.join(name);
        if name == GITIGNORE && path.exists() {
            add_lines(&path, text)?;
            continue;
        }
        write_new(&path, text)?;
        out::progress(format_args!("wrote {}", folder.join(name).display()));
    }
    let change = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    out::line(format_args!("next: {change}gameday check && gameday run scenarios/quickstart.yaml"));
    Ok(Exit::Success)
}

/// Adds to a file the lines that it does not have yet.
fn add_lines(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failure, format_args!("failed to add to `{}`: {error}", path.display()))
    };
    let there = std::fs::read_to_string(path).map_err(failed)?;
    let missing: Vec<&str> = text.lines().filter(|line| !there.lines().any(|other| other == *line)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let gap = if there.is_empty() || there.ends_with('\n') { "" } else { "\n" };
    let mut file = std::fs::OpenOptions::new().append(true).open(path).map_err(failed)?;
    file.write_all(format!("{gap}{}\n", missing.join("\n")).as_bytes()).map_err(failed)?;
    out::progress(format_args!("added to {}", path.display()));
    Ok(())
}

/// Writes a file that must not be there yet, with the folders above it.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| {
        Failure::new(Exit::Failure, format_args!("failed to write `{}`: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| failed(&error))?;
    }
    let mut file = std::fs::File::create_new(path).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))
}
