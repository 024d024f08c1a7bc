//! `gameday export actions --to github`: an issue for each action, told first and made with `--apply`.

use clap::Args;
use serde_json::{Value, json};

use super::{Exit, Failure, out};
use crate::action::{Change, Shelf, change};
use crate::share::ActionRow;
use crate::share::github::{Api, Client, GithubError, Issue, Repository, Step, Task, compare};
use crate::unit::{Secret, error_chain, printable};

/// Where the token is, unless another variable is named.
const TOKEN_VARIABLE: &str = "GITHUB_TOKEN";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// For github: the repository, `owner/name`.
    #[arg(long, value_name = "REPOSITORY")]
    repo: Option<Repository>,
    /// For github: where it is.
    #[arg(long, value_name = "URL", default_value = "https://api.github.com")]
    api: Api,
    /// For github: the environment variable that has the token.
    #[arg(long, value_name = "NAME", default_value = TOKEN_VARIABLE)]
    token_env: String,
    /// For github: do it; default tell what would be done.
    #[arg(long)]
    apply: bool,
    /// For github: print what is done as JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Whether anything is asked that only GitHub can answer.
    pub(super) fn is_used(&self) -> bool {
        self.repo.is_some() || self.apply || self.json
    }
}

/// A task and what came of it.
struct Outcome {
    task: Task,
    /// The issue, where there is one now.
    issue: Option<Issue>,
    is_done: bool,
}

pub(super) async fn run(rows: &[ActionRow], shelf: &Shelf, arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(repository) = &arguments.repo else {
        return Err(Failure::new(Exit::Failure, "say in which repository: `--repo owner/name`"));
    };
    let token = std::env::var(&arguments.token_env).ok().filter(|token| !token.trim().is_empty());
    let token = token.map(|token| Secret::new(token.trim()));
    if arguments.apply && token.is_none() {
        let name = printable(&arguments.token_env);
        let text = format!(
            "the environment variable `{name}` has no token: set it to one that may write the issues of `{repository}`, \
             or name another by `--token-env`"
        );
        return Err(Failure::new(Exit::Failure, text));
    }
    let failed = |error: &GithubError| Failure::new(Exit::Failure, printable(&error_chain(error)));
    let client = Client::new(&arguments.api, repository, token.as_ref()).map_err(|error| failed(&error))?;
    let issues = client.issues().await.map_err(|error| failed(&error))?;
    let mut results: Vec<Outcome> = Vec::new();
    let tasks = compare(rows, &issues);
    let count = tasks.iter().filter(|task| !matches!(task.step, Step::Leave(..))).count();
    let mut failure = None;
    for task in tasks {
        let step = if arguments.apply && failure.is_none() { apply(&client, &task).await } else { Ok(None) };
        let (issue, is_done) = match step {
            Ok(issue) => (issue.clone().or_else(|| task.step.issue().cloned()), issue.is_some()),
            Err(error) => {
                failure = Some((task.id.clone(), task.step.word(), error));
                (task.step.issue().cloned(), false)
            }
        };
        // The next would have none either, and none of them would be found again.
        if let Some(issue) = issue.as_ref().filter(|issue| is_done && !issue.is_labelled) {
            let error = GithubError::Unlabelled { url: issue.url.clone() };
            failure = Some((task.id.clone(), task.step.word(), error));
        }
        if arguments.apply {
            track(&task, issue.as_ref(), shelf);
        }
        let result = Outcome { task, issue, is_done };
        // At once: whatever comes next, this was done.
        if !arguments.json && (failure.is_none() || is_done) {
            out::line(row(&result));
        }
        results.push(result);
    }
    if arguments.json {
        out::json(&results.iter().map(as_json).collect::<Vec<_>>());
    }
    let done = results.iter().filter(|result| result.is_done).count();
    if let Some((id, word, error)) = failure {
        let reason = printable(&error_chain(&error));
        let text = format!(
            "failed to {word} the issue of `{id}`: {reason}\n{done} of {count} changes were made; \
             run it again, and what is done is not done twice"
        );
        return Err(Failure::new(Exit::Failure, text));
    }
    if !arguments.apply && count > 0 {
        out::progress("nothing was changed: `--apply` does it");
    }
    Ok(Exit::Success)
}

/// Does what is to be done for one action; the issue that came of it.
async fn apply(client: &Client, task: &Task) -> Result<Option<Issue>, GithubError> {
    match &task.step {
        Step::Create => client.create(task).await.map(Some),
        Step::Update(issue) => client.change(issue.number, task, None).await.map(Some),
        Step::Close(issue, end) => client.change(issue.number, task, Some(*end)).await.map(Some),
        Step::Leave(..) => Ok(None),
    }
}

/// Writes where an action is tracked into its file, where that says nothing yet.
fn track(task: &Task, issue: Option<&Issue>, shelf: &Shelf) {
    let (Some(issue), Some(action)) = (issue, shelf.get(&task.id)) else { return };
    if action.record.tracker.is_some() {
        return;
    }
    if let Err(error) = change(action, &Change::Track(issue.url.clone())) {
        let text = format!("note: {} is tracked at {}: {}", task.id, issue.url, error_chain(&error));
        out::progress(printable(&text));
    }
}

/// A task in one line: what would be done, or what was done.
fn row(result: &Outcome) -> String {
    let step = &result.task.step;
    let word = match (step, result.is_done) {
        (Step::Create, true) => "created",
        (Step::Update(_), true) => "updated",
        (Step::Close(..), true) => "closed",
        (_, _) => step.word(),
    };
    let why = if let Step::Leave(_, why) = step { format!(": {why}") } else { String::new() };
    let place = result.issue.as_ref().map(|issue| format!("  {}", issue.url)).unwrap_or_default();
    printable(&format!("{word:<8} {:<12} {}{why}{place}", result.task.id, result.task.title))
}

fn as_json(result: &Outcome) -> Value {
    let why = if let Step::Leave(_, why) = &result.task.step { Some(why) } else { None };
    json!({
        "id": result.task.id,
        "step": result.task.step.word(),
        "why": why,
        "title": result.task.title,
        "number": result.issue.as_ref().map(|issue| issue.number),
        "url": result.issue.as_ref().map(|issue| &issue.url),
        "done": result.is_done,
    })
}
