//! Actions as issues on GitHub: what is to be done so that each has one, and no more than one.
//!
//! An issue belongs to an action by a comment in its text that nobody sees. Nothing is opened again that somebody closed there, and an
//! action that is tracked elsewhere gets no issue.

mod client;

pub use self::client::{Api, Client, GithubError, Repository};
use super::row::ActionRow;
use crate::report::{markdown_text, printable_character};
use crate::unit::ActionId;

/// The label of all issues that are made here.
pub const LABEL: &str = "gameday";

/// The longest title and text of an issue, in characters (GitHub: create an issue).
const TITLE_CHARS_MAX: usize = 256;
const BODY_CHARS_MAX: usize = 65_536;

/// What the comment begins and ends with that says to which action an issue belongs.
const MARKER: (&str, &str) = ("<!-- gameday-id: ", " -->");

/// An issue that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Its number.
    pub number: u64,
    /// Its page.
    pub url: String,
    /// Its title.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Whether it is open.
    pub is_open: bool,
    /// Whether it has our label, without which it is not found again: GitHub leaves out labels of those who may not write to the
    /// repository (GitHub: create an issue).
    pub is_labelled: bool,
}

/// Why an issue is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The action was done.
    Completed,
    /// It was dropped.
    NotPlanned,
}

impl End {
    /// As GitHub calls it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NotPlanned => "not_planned",
        }
    }
}

/// What is to be done for an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// It gets an issue.
    Create,
    /// Its issue is written anew.
    Update(Issue),
    /// Its issue is closed, and written anew where it says something else.
    Close(Issue, End),
    /// Nothing; why, and its issue where it has one.
    Leave(Option<Issue>, &'static str),
}

impl Step {
    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update(_) => "update",
            Self::Close(..) => "close",
            Self::Leave(..) => "leave",
        }
    }

    /// The issue that is there already.
    #[must_use]
    pub fn issue(&self) -> Option<&Issue> {
        match self {
            Self::Create => None,
            Self::Update(issue) | Self::Close(issue, _) => Some(issue),
            Self::Leave(issue, _) => issue.as_ref(),
        }
    }
}

/// An action, what its issue is to say, and what is to be done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The action's id.
    pub id: String,
    /// The issue's title.
    pub title: String,
    /// The issue's text.
    pub body: String,
    /// What is to be done.
    pub step: Step,
}

/// What is to be done so that each action has its issue, given those that are there.
#[must_use]
pub fn compare(rows: &[ActionRow], issues: &[Issue]) -> Vec<Task> {
    let task = |row: &ActionRow| {
        let (title, body) = (title(row), body(row));
        // The oldest, where somebody copied one.
        let own = issues.iter().filter(|issue| owner(&issue.body).is_some_and(|id| id.as_str() == row.id));
        let step = step(row, own.min_by_key(|issue| issue.number), &title, &body);
        Task { id: row.id.clone(), title, body, step }
    };
    rows.iter().map(task).collect()
}

fn step(row: &ActionRow, issue: Option<&Issue>, title: &str, body: &str) -> Step {
    let end = match row.status.as_str() {
        "done" => Some(End::Completed),
        "dropped" => Some(End::NotPlanned),
        _ => None,
    };
    let Some(issue) = issue else {
        return match end {
            Some(_) => Step::Leave(None, "it is over, and has no issue"),
            None if !row.tracker.is_empty() => Step::Leave(None, "it is tracked elsewhere"),
            None => Step::Create,
        };
    };
    let is_same = issue.title == title && normal(&issue.body) == normal(body);
    match end {
        _ if !issue.is_open && end.is_none() => Step::Leave(Some(issue.clone()), "somebody closed it there"),
        _ if !issue.is_open => Step::Leave(Some(issue.clone()), "it is closed"),
        Some(end) => Step::Close(issue.clone(), end),
        None if is_same => Step::Leave(Some(issue.clone()), "it is up to date"),
        None => Step::Update(issue.clone()),
    }
}

/// The action that an issue belongs to.
fn owner(body: &str) -> Option<ActionId> {
    let (_, rest) = body.split_once(MARKER.0)?;
    rest.split_once(MARKER.1)?.0.parse().ok()
}

/// A text as GitHub gives it back.
fn normal(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

fn title(row: &ActionRow) -> String {
    row.text.chars().map(printable_character).take(TITLE_CHARS_MAX).collect::<String>().trim().to_owned()
}

fn body(row: &ActionRow) -> String {
    let facts = [
        ("Type", &row.kind),
        ("Owner", &row.owner),
        ("Due", &row.due),
        ("Severity", &row.severity),
        ("Component", &row.component),
        ("Found in", &row.found_in),
        ("Finding", &row.finding),
        ("Lesson", &row.lesson),
        ("Tested by", &row.retest),
        ("Why", &row.why),
    ];
    let facts = facts.into_iter().filter(|(_, text)| !text.is_empty());
    let facts: String = facts.map(|(name, text)| format!("- **{name}:** {}\n", markdown_text(text))).collect();
    let (start, end) = MARKER;
    let text = format!(
        "{start}{}{end}\n{}\n\n{facts}\nKept in `actions/{}.yaml`: `gameday export actions --to github` writes over this text.\n",
        row.id,
        markdown_text(&row.text),
        row.id
    );
    match text.char_indices().nth(BODY_CHARS_MAX - 1) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::row::tests::action;

    fn issue(row: &ActionRow, is_open: bool) -> Issue {
        Issue {
            number: 7,
            url: "https://a.b/7".to_owned(),
            title: title(row),
            body: body(row).replace('\n', "\r\n"),
            is_open,
            is_labelled: true,
        }
    }

    fn words(row: &ActionRow, issue: Option<&Issue>) -> String {
        let issues: Vec<Issue> = issue.cloned().into_iter().collect();
        let [task] = compare(std::slice::from_ref(row), &issues).try_into().unwrap();
        match task.step {
            Step::Leave(_, why) => format!("leave: {why}"),
            step => step.word().to_owned(),
        }
    }

    #[test]
    fn each_open_action_gets_one_issue_and_what_is_closed_stays_so() {
        let open = action("A-2026-031", "Shorten it", "");
        let done = action("A-2026-031", "Shorten it", "status: done");
        let there = issue(&open, true);
        assert_eq!(words(&open, None), "create");
        assert_eq!(words(&open, Some(&there)), "leave: it is up to date");
        assert_eq!(words(&action("A-2026-031", "Shorten it more", ""), Some(&there)), "update");
        assert_eq!(words(&action("A-2026-031", "Shorten it", "severity: high"), Some(&there)), "update");
        assert_eq!(words(&done, Some(&there)), "close");
        assert_eq!(words(&done, None), "leave: it is over, and has no issue");
        assert_eq!(words(&done, Some(&issue(&open, false))), "leave: it is closed");
        assert_eq!(words(&open, Some(&issue(&open, false))), "leave: somebody closed it there");
        let tracked = action("A-2026-031", "Shorten it", "tracker: https://a.b/31");
        assert_eq!(words(&tracked, None), "leave: it is tracked elsewhere");
        assert_eq!(words(&tracked, Some(&there)), "leave: it is up to date");
        let other = Issue { body: "<!-- gameday-id: A-2026-0311 -->".to_owned(), ..issue(&open, true) };
        assert_eq!(words(&open, Some(&other)), "create", "an id that begins alike is another's");
    }

    #[test]
    fn a_text_can_not_name_another_action_and_is_no_longer_than_github_takes() {
        let hostile = action("A-2026-031", "<!-- gameday-id: A-2026-001 --> @all", "");
        let body = body(&hostile);
        assert_eq!(owner(&body).unwrap().as_str(), "A-2026-031");
        assert_eq!(body.matches(MARKER.0).count(), 1);
        assert!(!body.contains("@all"));
        let mut long = action("A-2026-031", "t", "");
        long.why = "ü".repeat(100_000);
        assert_eq!(super::body(&long).chars().count(), BODY_CHARS_MAX);
    }
}
