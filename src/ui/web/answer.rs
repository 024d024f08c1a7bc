//! What is answered to each request: the page, a session, a name, a command, a stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::sync::oneshot;

use super::cast::organisers_name;
use super::guard::{Called, Guard, content_type, harden};
use super::hub::Hub;
use super::lines::Line;
use super::page::Page;
use super::refusal::{Refusal, json};
use super::session::{Session, Sessions};
use super::stream;
use crate::event::{Command, CommandAnswer};
use crate::ui::CommandSender;
use crate::ui::board::View;
use crate::unit::{PROMETHEUS_CONTENT_TYPE, PersonId};

/// The longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// How much of a body that is too long is still read, so that its sender sees the answer and not a reset.
const DRAIN_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a body may take.
const BODY_WAIT: Duration = Duration::from_secs(5);
/// How long a command may wait for the run to take it in.
const COMMAND_WAIT: Duration = Duration::from_secs(10);
/// How many cookies of one name are looked at.
const COOKIES_MAX: usize = 4;

/// A control room that is open.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) guard: Guard,
    pub(super) page: Page,
    pub(super) sessions: Arc<Sessions>,
    pub(super) hub: Arc<Hub>,
    /// The way into the run; none where it is over.
    pub(super) commands: Option<CommandSender>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    view: View,
    token: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
    #[serde(default)]
    role: Option<PersonId>,
}

/// Answers one request that came in at `local`.
pub(super) async fn answer(room: &Room, local: SocketAddr, request: Request<Body>) -> Response<Body> {
    let mut response = match route(room, local, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    };
    harden(response.headers_mut());
    response
}

async fn route(room: &Room, local: SocketAddr, request: Request<Body>) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let called = room.guard.called(&parts.headers, local)?;
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    let posts = parts.method == Method::POST;
    let query = parts.uri.query().unwrap_or_default();
    match parts.uri.path() {
        "/" | "/facilitator" | "/participant" if reads => Ok(page(&room.page)),
        "/events" if parts.method == Method::GET => {
            called.reader(&parts.headers)?;
            let (view, session) = whose(room, local, &parts.headers, query).await?;
            let line = parts.extensions.get::<Line>().cloned().unwrap_or_default();
            let seat = room.sessions.seat(&session, line)?;
            Ok(stream::open(&room.hub, view, after(&parts.headers, query), seat))
        }
        "/me" if parts.method == Method::GET => {
            called.reader(&parts.headers)?;
            let (view, session) = whose(room, local, &parts.headers, query).await?;
            let (name, role) = (session.guest.name, session.guest.role);
            Ok(json(StatusCode::OK, &json!({ "view": view, "name": name, "role": role })))
        }
        "/metrics" if parts.method == Method::GET => {
            called.reader(&parts.headers)?;
            Ok(metrics(room.hub.metrics(scraper(room, local, &parts.headers, query).await?)))
        }
        "/session" if posts => enter(room, local, called, &parts.headers, body).await,
        "/me" if posts => {
            let (_, session) = asker(room, local, called, &parts.headers, query).await?;
            name(room, session, read(&parts.headers, body).await?).await
        }
        "/command" if posts => {
            let (view, session) = asker(room, local, called, &parts.headers, query).await?;
            command(room, view, &session, read(&parts.headers, body).await?).await
        }
        "/" | "/facilitator" | "/participant" | "/events" | "/metrics" => Err(Refusal::method("GET")),
        "/session" | "/command" => Err(Refusal::method("POST")),
        "/me" => Err(Refusal::method("GET, POST")),
        _ => Err(Refusal::new(StatusCode::NOT_FOUND, "there is nothing here: open the link as it was printed")),
    }
}

fn page(page: &Page) -> Response<Body> {
    let mut response = Response::new(Body::from(page.html.clone()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    response
}

/// Which view a program reads: that of the link whose token it sends (RFC 6750, 2.1), or that of a session.
async fn scraper(room: &Room, local: SocketAddr, headers: &HeaderMap, query: &str) -> Result<View, Refusal> {
    let Some(given) = headers.get(AUTHORIZATION) else {
        return Ok(whose(room, local, headers, query).await?.0);
    };
    let (scheme, token) = given.to_str().ok().and_then(|given| given.split_once(' ')).unwrap_or_default();
    // Another scheme is a wrong token as well, and counts as one.
    let token = if scheme.eq_ignore_ascii_case("bearer") { token.trim() } else { "" };
    room.sessions.view_of(token)
}

fn metrics(text: String) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROMETHEUS_CONTENT_TYPE));
    response
}

/// Whoever wants something to happen: a page of ours, in a session of that view.
async fn asker(
    room: &Room,
    local: SocketAddr,
    called: Called<'_>,
    headers: &HeaderMap,
    query: &str,
) -> Result<(View, Session), Refusal> {
    called.origin(headers)?;
    content_type(headers)?;
    whose(room, local, headers, query).await
}

/// Whose session it is, of the view that the query names.
async fn whose(room: &Room, local: SocketAddr, headers: &HeaderMap, query: &str) -> Result<(View, Session), Refusal> {
    let view = match value_of(query, "view") {
        Some("facilitator") => View::Facilitator,
        Some("participant") => View::Participant,
        Some(_) | None => {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "say `view=facilitator` or `view=participant`"));
        }
    };
    let name = cookie_name(view, local.port());
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()).flat_map(|it| it.split(';'));
    let ids = cookies.filter_map(|pair| pair.trim().strip_prefix(name.as_str())?.strip_prefix('='));
    Ok((view, room.sessions.find(view, ids.take(COOKIES_MAX)).await?))
}

fn value_of<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Up to which event a page has seen the run: what the browser says counts, which goes on where a stream broke.
fn after(headers: &HeaderMap, query: &str) -> Option<u64> {
    let last = headers.get("last-event-id").and_then(|last| last.to_str().ok());
    last.or_else(|| value_of(query, "after"))?.parse().ok()
}

/// One name a view and port, so that both views of two control rooms may be open in one browser.
fn cookie_name(view: View, port: u16) -> String {
    match view {
        View::Facilitator => format!("gameday_facilitator_{port}"),
        View::Participant => format!("gameday_participant_{port}"),
    }
}

async fn enter(
    room: &Room,
    local: SocketAddr,
    called: Called<'_>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response<Body>, Refusal> {
    let is_tls = called.origin(headers)?;
    content_type(headers)?;
    let Entry { view, token } = read(headers, body).await?;
    let id = room.sessions.enter(view, &token).await?;
    let secure = if is_tls { "; Secure" } else { "" };
    let cookie = format!("{}={id}; HttpOnly; SameSite=Strict; Path=/{secure}", cookie_name(view, local.port()));
    let mut response = json(StatusCode::OK, &json!({ "view": view }));
    let cookie = HeaderValue::from_str(&cookie).expect("invariant: an id is letters and digits");
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// Reads a body of JSON.
async fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Refusal> {
    let late = |_| Refusal::new(StatusCode::REQUEST_TIMEOUT, "the body took too long");
    let bytes = tokio::time::timeout(BODY_WAIT, read_bytes(headers, body)).await.map_err(late)??;
    let wrong = |error| Refusal::new(StatusCode::BAD_REQUEST, format!("this is not understood: {error}"));
    serde_json::from_slice(&bytes).map_err(wrong)
}

async fn read_bytes(headers: &HeaderMap, mut body: Body) -> Result<Vec<u8>, Refusal> {
    let too_long = || Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {BODY_BYTES_MAX} bytes are read"));
    let said = headers.get(CONTENT_LENGTH).and_then(|said| said.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > DRAIN_BYTES_MAX) {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    let mut count = 0_usize;
    while let Some(frame) = body.frame().await {
        let broken = |_| Refusal::new(StatusCode::BAD_REQUEST, "the body broke off");
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        count = count.saturating_add(data.len());
        if count > DRAIN_BYTES_MAX {
            break;
        }
        if count <= BODY_BYTES_MAX {
            bytes.extend_from_slice(&data);
        }
    }
    if count <= BODY_BYTES_MAX { Ok(bytes) } else { Err(too_long()) }
}

/// Keeps who somebody is; in a role, they join the run.
async fn name(room: &Room, session: Session, Name { name, role }: Name) -> Result<Response<Body>, Refusal> {
    let view = session.guest.view;
    let cast = room.hub.cast();
    let name = cast.name(view, &name)?;
    cast.check_role(view, role.as_ref())?;
    room.sessions.take_command(&session)?;
    room.sessions.check_name(&session, &name)?;
    let is_same = session.guest.name.as_ref() == Some(&name);
    if view == View::Participant && !is_same && room.hub.is_organisers_name(&name) {
        return Err(organisers_name());
    }
    if let Some(role) = role.clone().filter(|_| session.guest.role != role || !is_same) {
        let join = Command::Join { role, by: Some(name.clone()) };
        room.send(view, join).await?;
    }
    room.sessions.name(&session, name.clone(), role.clone()).await?;
    Ok(json(StatusCode::OK, &json!({ "name": name, "role": role })))
}

async fn command(room: &Room, view: View, session: &Session, mut command: Command) -> Result<Response<Body>, Refusal> {
    if matches!(command, Command::Abort { .. }) {
        room.sessions.take_abort(session)?;
    } else {
        room.sessions.take_command(session)?;
    }
    if !is_of_page(&command) {
        return Err(Refusal::new(StatusCode::FORBIDDEN, "this is done from a shell, and not from the page"));
    }
    if view == View::Participant {
        room.hub.shown().check(&command, session.guest.role.as_ref())?;
    }
    let name = session.guest.name.clone();
    // An emergency stop asks for no name.
    if name.is_none() && !matches!(command, Command::Abort { .. }) {
        return Err(Refusal::new(StatusCode::CONFLICT, "say who you are first"));
    }
    command.set_author(name);
    room.send(view, command).await?;
    Ok(json(StatusCode::OK, &json!({ "taken": true })))
}

/// Whether the page has anything for it. What it has not is not taken either: a command of a playbook is run in somebody's shell, which
/// tells of it, and loads are steered there.
fn is_of_page(command: &Command) -> bool {
    match command {
        Command::Ack { .. }
        | Command::Mark { .. }
        | Command::Note { .. }
        | Command::StepDone { .. }
        | Command::StepSkipped { .. }
        | Command::Vote { .. }
        | Command::Join { .. }
        | Command::Predict { .. }
        | Command::Inject { .. }
        | Command::Hint { .. }
        | Command::Reveal { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::Abort { .. } => true,
        Command::BlockStarted { .. } | Command::BlockEnded { .. } | Command::SteerLoad { .. } => false,
    }
}

impl Room {
    /// Hands a command to the run, and waits for what it says, in the words of a view.
    async fn send(&self, view: View, command: Command) -> Result<(), Refusal> {
        let over = || Refusal::new(StatusCode::CONFLICT, "the run is over");
        let commands = self.commands.as_ref().ok_or_else(over)?;
        let asked = command.clone();
        let exchange = async {
            let (back, answer) = oneshot::channel();
            commands.send((command, back)).await.map_err(|_| over())?;
            answer.await.map_err(|_| over())
        };
        let late = |_| Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the run did not answer in time: look at the log");
        match tokio::time::timeout(COMMAND_WAIT, exchange).await.map_err(late)?? {
            CommandAnswer::Taken => Ok(()),
            CommandAnswer::Refused { why } => {
                let why = match view {
                    View::Facilitator => why,
                    View::Participant => self.hub.shown().told(&asked, why),
                };
                Err(Refusal::new(StatusCode::CONFLICT, why))
            }
        }
    }
}
