//! What is asked of GitHub: the issues with our label, a new one, a change of one. Owns: addresses, retries, limits, errors. The token is
//! sent to the one host that was named, and told to nobody.

use std::str::FromStr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{End, Issue, LABEL, Task};
use crate::unit::Secret;

/// How long an answer may take, connecting included.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How often a call is made that GitHub has put off.
const ATTEMPTS_MAX: usize = 4;

/// How long GitHub may put a call off; beyond that it is told.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How many issues are asked for at once, and how often.
const PAGE: usize = 100;
const PAGES_MAX: usize = 100;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How much of a reason that GitHub gives is told, in characters.
const REASON_CHARS_MAX: usize = 300;

/// Why GitHub did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// The token can not be sent.
    #[error("the token has characters that no token has: it may have been copied with a line end or a quote")]
    Token,
    /// Nothing came back.
    #[error("GitHub could not be asked")]
    Send(#[source] reqwest::Error),
    /// It said no.
    #[error("GitHub said {status}{reason}{help}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// What it said of it, with what is before it.
        reason: String,
        /// What can be done, with what is before it.
        help: &'static str,
    },
    /// It was asked too often.
    #[error("GitHub wants to be asked less often; try again {0}")]
    TooOften(String),
    /// It made an issue without our label.
    #[error(
        "GitHub made {url} without the label `{LABEL}`, by which it is found again: let the token write to the repository, and give \
         the issue its label"
    )]
    Unlabelled {
        /// The issue.
        url: String,
    },
    /// It answered with something else.
    #[error("GitHub's answer is not what it should be: {0}")]
    Answer(String),
}

/// Where GitHub is: `https://api.github.com`, or an address of GitHub Enterprise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api(Url);

impl FromStr for Api {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let help = "write it as `https://api.github.com`";
        let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL ({error}): {help}"))?;
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost"));
        match url.scheme() {
            "https" => {}
            "http" if is_here => {}
            _ => return Err(format!("the token would be read on the way: {help}")),
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(format!("an address has no name, password or query: {help}"));
        }
        Ok(Self(url))
    }
}

/// A repository; written `owner/name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    owner: String,
    name: String,
}

impl FromStr for Repository {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_name = |name: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !name.is_empty() && name.len() <= 100 && name.chars().all(allowed) && !matches!(name, "." | "..")
        };
        let parts = text.split_once('/').filter(|(owner, name)| is_name(owner) && is_name(name));
        let (owner, name) = parts.ok_or_else(|| format!("`{text}` is no repository: write it as `owner/name`"))?;
        Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}/{}", self.owner, self.name)
    }
}

/// Asks GitHub about the issues of one repository.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    issues: Url,
}

/// An issue as GitHub tells it; what else it tells is left out.
#[derive(Debug, Deserialize)]
struct Told {
    number: u64,
    html_url: String,
    title: String,
    body: Option<String>,
    state: String,
    pull_request: Option<Value>,
    #[serde(default)]
    labels: Vec<Value>,
}

impl From<Told> for Issue {
    fn from(told: Told) -> Self {
        let is_ours = |label: &Value| label.get("name").unwrap_or(label) == LABEL;
        Self {
            is_labelled: told.labels.iter().any(is_ours),
            number: told.number,
            url: told.html_url,
            title: told.title,
            body: told.body.unwrap_or_default(),
            is_open: told.state == "open",
        }
    }
}

impl Client {
    /// A client; without a token it sees what everybody sees.
    ///
    /// # Errors
    /// The token has characters that no header has, or TLS can not be set up.
    pub fn new(api: &Api, repository: &Repository, token: Option<&Secret>) -> Result<Self, GithubError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert("x-github-api-version", HeaderValue::from_static("2022-11-28"));
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let mut value = value.map_err(|_| GithubError::Token)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // A redirect would take the token elsewhere.
        let builder = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none());
        let builder = builder.user_agent(concat!("gameday/", env!("CARGO_PKG_VERSION"))).default_headers(headers);
        let builder = if api.0.scheme() == "http" { builder.no_proxy() } else { builder };
        let mut issues = api.0.clone();
        let mut path = issues.path_segments_mut().expect("invariant: http URLs have paths");
        path.pop_if_empty().extend(["repos", &repository.owner, &repository.name, "issues"]);
        drop(path);
        Ok(Self { http: builder.build().map_err(GithubError::Send)?, issues })
    }

    /// All issues with our label, open and closed.
    ///
    /// # Errors
    /// See [`GithubError`].
    pub async fn issues(&self) -> Result<Vec<Issue>, GithubError> {
        let mut url = self.issues.clone();
        url.query_pairs_mut().extend_pairs([("state", "all"), ("labels", LABEL), ("per_page", &PAGE.to_string())]);
        let mut issues = Vec::new();
        for _ in 0..PAGES_MAX {
            let (answer, next) = self.ask(Method::GET, &url, None).await?;
            let page: Vec<Told> = read(answer)?;
            issues.extend(page.into_iter().filter(|told| told.pull_request.is_none()).map(Issue::from));
            match next {
                Some(next) => url = next,
                None => return Ok(issues),
            }
        }
        Err(GithubError::Answer(format!("there are more than {} issues with the label `{LABEL}`", PAGE * PAGES_MAX)))
    }

    /// Makes an issue.
    ///
    /// # Errors
    /// See [`GithubError`].
    pub async fn create(&self, task: &Task) -> Result<Issue, GithubError> {
        let body = json!({"title": task.title, "body": task.body, "labels": [LABEL]});
        let (answer, _) = self.ask(Method::POST, &self.issues, Some(&body)).await?;
        read::<Told>(answer).map(Issue::from)
    }

    /// Writes an issue anew, and closes it where its action is over.
    ///
    /// # Errors
    /// See [`GithubError`].
    pub async fn change(&self, number: u64, task: &Task, end: Option<End>) -> Result<Issue, GithubError> {
        let mut body = json!({"title": task.title, "body": task.body});
        if let Some(end) = end {
            body["state"] = json!("closed");
            body["state_reason"] = json!(end.as_str());
        }
        let mut url = self.issues.clone();
        url.path_segments_mut().expect("invariant: http URLs have paths").push(&number.to_string());
        let (answer, _) = self.ask(Method::PATCH, &url, Some(&body)).await?;
        read::<Told>(answer).map(Issue::from)
    }

    /// Makes a call, again where GitHub puts it off: what it put off it has not done. The answer, and where the next page is.
    async fn ask(
        &self,
        method: Method,
        url: &Url,
        body: Option<&Value>,
    ) -> Result<(Vec<u8>, Option<Url>), GithubError> {
        let mut attempt = 1;
        loop {
            let request = self.http.request(method.clone(), url.clone());
            let request = body.iter().fold(request, |request, body| request.json(body));
            let response = request.send().await.map_err(GithubError::Send)?;
            if response.status().is_success() {
                let next = self.next_page(response.headers())?;
                return Ok((bytes(response).await?, next));
            }
            match put_off(&response) {
                Some(wait) if attempt < ATTEMPTS_MAX && wait <= WAIT_MAX => tokio::time::sleep(wait).await,
                Some(wait) => return Err(GithubError::TooOften(format!("in {} s", wait.as_secs()))),
                None if is_used_up(&response) => return Err(GithubError::TooOften("within the hour".to_owned())),
                None => return Err(refused(response).await),
            }
            attempt += 1;
        }
    }

    /// The next page of a list (RFC 8288), on the host that was named and no other: the token goes with it.
    fn next_page(&self, headers: &HeaderMap) -> Result<Option<Url>, GithubError> {
        let links = headers.get(LINK).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let next = links.split(',').find(|link| link.contains("rel=\"next\""));
        let Some(place) = next.and_then(|link| link.split_once('<')?.1.split_once('>')) else { return Ok(None) };
        let url = Url::parse(place.0).ok().filter(|url| url.origin() == self.issues.origin());
        url.map(Some).ok_or_else(|| GithubError::Answer("the next page is on another host".to_owned()))
    }
}

/// How long GitHub says to wait; none where it does not put the call off (GitHub: rate limits for the REST API).
fn put_off(response: &Response) -> Option<Duration> {
    if !matches!(response.status(), StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
        return None;
    }
    let after = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    after.trim().parse().ok().map(Duration::from_secs)
}

/// Whether all calls of the hour are used up.
fn is_used_up(response: &Response) -> bool {
    let none_left = response.headers().get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    response.status() == StatusCode::TOO_MANY_REQUESTS || (none_left && response.status() == StatusCode::FORBIDDEN)
}

async fn refused(response: Response) -> GithubError {
    let status = response.status();
    let help = match status {
        StatusCode::UNAUTHORIZED => ": the token is not valid, or over",
        StatusCode::FORBIDDEN => ": the token needs the permission to write issues",
        StatusCode::NOT_FOUND => ": there is no such repository, or the token may not see it",
        StatusCode::GONE => ": the repository has no issues; switch them on in its settings",
        _ if status.is_redirection() => ": the repository or the address has moved; name where it is now",
        _ if status.is_server_error() => ": try again later",
        _ => "",
    };
    let bytes = bytes(response).await.unwrap_or_default();
    let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let message = told.get("message").and_then(Value::as_str).unwrap_or_default();
    let message: String = message.chars().take(REASON_CHARS_MAX).collect();
    let reason = if message.is_empty() { message } else { format!(" ({message})") };
    GithubError::Refused { status, reason, help }
}

async fn bytes(mut response: Response) -> Result<Vec<u8>, GithubError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(GithubError::Send)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(GithubError::Answer(format!("it is longer than {} MiB", ANSWER_BYTES_MAX >> 20)));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn read<T: for<'de> Deserialize<'de>>(bytes: Vec<u8>) -> Result<T, GithubError> {
    serde_json::from_slice(&bytes).map_err(|error| GithubError::Answer(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_to_nobody_who_could_read_it_on_the_way() {
        for text in
            ["https://api.github.com", "https://git.example.com/api/v3/", "http://127.0.0.1:8080", "http://localhost:1"]
        {
            assert!(text.parse::<Api>().is_ok(), "{text}");
        }
        for text in [
            "http://api.github.com",
            "ftp://a.b",
            "api.github.com",
            "https://me:pw@a.b",
            "http://127.0.0.1.evil.com",
            "https://a.b?x=1",
        ] {
            assert!(text.parse::<Api>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_repository_is_two_names() {
        assert_eq!("owner/na.me".parse::<Repository>().unwrap().to_string(), "owner/na.me");
        for text in ["owner", "/name", "owner/", "a/b/c", "a/..", "a b/c", "a/b?x"] {
            assert!(text.parse::<Repository>().is_err(), "{text}");
        }
        let client = |api: &str| Client::new(&api.parse().unwrap(), &"a/b".parse().unwrap(), None).unwrap();
        assert_eq!(client("https://api.github.com").issues.as_str(), "https://api.github.com/repos/a/b/issues");
        assert_eq!(client("https://g.b/api/v3/").issues.as_str(), "https://g.b/api/v3/repos/a/b/issues");
    }

    #[test]
    fn the_next_page_is_on_the_same_host() {
        let client = Client::new(&"https://a.b".parse().unwrap(), &"a/b".parse().unwrap(), None).unwrap();
        let next =
            |link: &'static str| client.next_page(&HeaderMap::from_iter([(LINK, HeaderValue::from_static(link))]));
        let both = "<https://a.b/x?page=1>; rel=\"prev\", <https://a.b/x?page=3>; rel=\"next\"";
        assert_eq!(next(both).unwrap().unwrap().as_str(), "https://a.b/x?page=3");
        assert_eq!(next("<https://a.b/x?page=1>; rel=\"last\"").unwrap(), None);
        assert!(next("<https://evil.com/x>; rel=\"next\"").is_err());
    }
}
