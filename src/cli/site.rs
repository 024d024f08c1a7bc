//! `gameday lesson site`: lessons and actions as pages that need no server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::actions::{self, ACTIONS};
use super::export::redactions;
use super::lessons::{LESSONS, shelf, today};
use super::{Exit, Failure, out};
use crate::action::Action;
use crate::lesson::Lesson;
use crate::share::site::{Site, pages, relative, write};
use crate::share::{ActionRow, LessonRow, redacted};
use crate::unit::{FileError, plural};

/// Where a workspace keeps its runs, and in each of them the page of its report.
const REPORTS: &str = "reports";
const REPORT: &str = "report.html";

/// Where a workspace keeps templates of its own.
const TEMPLATES: &str = "reports/templates";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder to write to: a new one, an empty one, or one that this command made.
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Leave account numbers and e-mail addresses as they are, and lead to the reports of runs, in which they stand as well.
    #[arg(long)]
    no_redact: bool,
    /// Print what was written as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments, root: &Path) -> Result<Exit, Failure> {
    let (lesson_shelf, action_shelf, today) =
        (shelf(&root.join(LESSONS)), actions::shelf(&root.join(ACTIONS)), today());
    let mut lessons: Vec<&Lesson> = lesson_shelf.entries().collect();
    lessons.sort_by(|one, other| one.urgency().cmp(&other.urgency()));
    let mut actions: Vec<&Action> = action_shelf.entries().collect();
    actions.sort_by(|one, other| one.urgency(today).cmp(&other.urgency(today)));
    let lesson_rows: Vec<LessonRow> = lessons.iter().map(|lesson| LessonRow::of(lesson, today)).collect();
    let action_rows: Vec<ActionRow> = actions.iter().map(|action| ActionRow::of(action, today)).collect();
    let redactions = redactions(arguments.no_redact);
    let folder = whole_path(&arguments.output).map_err(|error| Failure::from_error(&error))?;
    let home = whole_path(root).map_err(|error| Failure::from_error(&error))?;
    let site = Site {
        // The pages may be published, and a report is not blacked out.
        reports: match arguments.no_redact {
            true => reports(&lesson_rows, &action_rows, &home, &folder),
            false => BTreeMap::new(),
        },
        lessons: redacted(&lesson_rows, redactions),
        texts: lesson_rows.into_iter().map(|row| (row.id, row.text)).collect(),
        redactions: redactions.to_vec(),
        actions: redacted(&action_rows, redactions),
        sources: relative(&folder.join(LESSONS), &home.join(LESSONS)).unwrap_or_default(),
        today: today.to_string(),
    };
    let pages = pages(&site, Some(&root.join(TEMPLATES))).map_err(|error| Failure::from_error(&error))?;
    let removed = write(&arguments.output, &pages).map_err(|error| Failure::from_error(&error))?;
    let index = arguments.output.join("index.html");
    if arguments.json {
        out::json(&json!({"index": index, "pages": pages.len(), "removed": removed}));
    } else {
        out::line(index.display());
        let gone = if removed == 0 { String::new() } else { format!(", {removed} taken away") };
        out::progress(format_args!("{} written{gone}", plural(pages.len(), "page", "pages")));
    }
    Ok(Exit::Success)
}

/// A path without links and `..`, whether or not all of it is there.
fn whole_path(path: &Path) -> Result<PathBuf, FileError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).map_err(FileError::on("find", path))?;
    let mut missing = Vec::new();
    for ancestor in absolute.ancestors() {
        if let Ok(found) = ancestor.canonicalize() {
            return Ok(missing.iter().rev().fold(found, |path, name| path.join(name)));
        }
        missing.extend(ancestor.file_name());
    }
    Ok(absolute)
}

/// The reports of runs that are named and there, as links from the folder of the pages.
fn reports(lessons: &[LessonRow], actions: &[ActionRow], home: &Path, folder: &Path) -> BTreeMap<String, String> {
    let of_lessons = lessons.iter().flat_map(|row| [&row.found_in, &row.tested_in]);
    let runs: BTreeSet<&String> =
        of_lessons.chain(actions.iter().map(|row| &row.found_in)).filter(|run| !run.is_empty()).collect();
    let place = |run: &String| {
        let path = home.join(REPORTS).join(run).join(REPORT);
        path.is_file().then(|| relative(folder, &path)).flatten()
    };
    runs.into_iter().filter_map(|run| Some((run.clone(), place(run)?))).collect()
}
