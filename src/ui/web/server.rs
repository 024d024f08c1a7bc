//! Connections: taken in up to a limit, given up when they dawdle, closed when the server ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::access::Access;
use super::answer::{Room, answer};
use super::guard::Guard;
use super::hub::Folding;
use super::lines::{Line, Lines};
use super::page::Page;
use super::patient::Patient;
use super::session::{STREAMS_MAX, Sessions};
use crate::event::Feed;
use crate::plan::Plan;
use crate::ui::CommandSender;
use crate::unit::Clock;

/// How many connections are served at once: every stream, and what is asked beside them.
const CONNECTIONS_MAX: usize = STREAMS_MAX.facilitator + STREAMS_MAX.participant + 64;
/// How many more may still be told why they end; all others are closed at once.
const ENDINGS_MAX: usize = 32;
/// How long a request's head may take, also on a connection that is kept open.
const HEAD_WAIT: Duration = Duration::from_secs(10);
/// How many headers a request may have.
const HEADERS_MAX: usize = 64;
/// How much is kept for a connection that writes or reads slowly, in bytes.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// How long a viewer may take nothing before it is given up; it comes back by itself, and goes on where it was.
const STALL_WAIT: Duration = Duration::from_secs(20);
/// How long the last words may take when the server ends.
const END_WAIT: Duration = Duration::from_secs(1);
/// How long is waited when the system has no descriptor left.
const ACCEPT_WAIT: Duration = Duration::from_millis(50);

/// A run that people look at.
#[derive(Debug)]
pub struct ControlRoom {
    /// Its folder.
    pub directory: PathBuf,
    /// What it follows.
    pub plan: Arc<Plan>,
    /// What happens in it.
    pub feed: Feed,
    /// Its time.
    pub clock: Clock,
    /// The way into it; none where it is over.
    pub commands: Option<CommandSender>,
    /// Its links, as they stand in the file in its folder: without that nobody comes in.
    pub access: Access,
    /// Further names under which it may be called, as something in front of it has.
    pub public_hosts: Vec<String>,
}

/// Serves a control room until it is told to stop; pages are told what the run has said up to then.
pub async fn serve(listener: TcpListener, control: ControlRoom, stop: CancellationToken) {
    let ControlRoom { directory, plan, feed, clock, commands, access, public_hosts } = control;
    let folding = Folding::new(&plan, feed, clock, commands.is_some());
    let room = Room {
        guard: Guard::new(public_hosts),
        page: Page::new(),
        sessions: Arc::new(Sessions::new(directory, access)),
        hub: folding.hub(),
        commands,
    };
    // Streams end with the fold, after it has told everything.
    let folding = tokio::spawn(folding.fold(stop.clone()));
    let (room, connections) = (Arc::new(room), TaskTracker::new());
    let ending = CancellationToken::new();
    tokio::select! {
        () = accept(&listener, &room, &connections, &ending) => {}
        () = room.sessions.watch() => {}
        () = stop.cancelled() => {}
    }
    drop(listener);
    // A fold that panicked has nothing left to tell.
    folding.await.ok();
    ending.cancel();
    connections.close();
    tokio::time::timeout(END_WAIT, connections.wait()).await.ok();
}

/// What all connections of a server share.
struct Shared {
    room: Arc<Room>,
    lines: Lines,
    /// Also held by connections that have to make room, until they have: those are bounded as well.
    places: Arc<Semaphore>,
    endings: Semaphore,
    ending: CancellationToken,
}

async fn accept(listener: &TcpListener, room: &Arc<Room>, connections: &TaskTracker, ending: &CancellationToken) {
    let shared = Arc::new(Shared {
        room: Arc::clone(room),
        lines: Lines::new(CONNECTIONS_MAX),
        places: Arc::new(Semaphore::new(CONNECTIONS_MAX + ENDINGS_MAX)),
        endings: Semaphore::new(ENDINGS_MAX),
        ending: ending.clone(),
    });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_WAIT).await;
            continue;
        };
        let Some((number, line)) = shared.lines.take() else { continue };
        // Whoever was told to make room does so at once.
        let Ok(place) = Arc::clone(&shared.places).acquire_owned().await else { return };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            connection(&shared, stream, line).await;
            shared.lines.leave(number);
            drop(place);
        });
    }
}

async fn connection(shared: &Shared, stream: TcpStream, line: Line) {
    let Ok(local) = stream.local_addr().map(unmapped) else { return };
    // Without it each small update may wait 40 ms for an acknowledgement.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request: Request<Incoming>| {
        let room = Arc::clone(&shared.room);
        shared.lines.touch(&line);
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(line.clone());
        async move { Ok::<_, Infallible>(answer(&room, local, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(Patient::new(stream, STALL_WAIT)), service);
    tokio::pin!(connection);
    // What breaks a connection is its peer's affair.
    tokio::select! {
        ended = connection.as_mut() => drop(ended),
        () = line.end().cancelled() => {
            // A page is told why, if it listens; who has asked for nothing hears nothing.
            let place = shared.endings.try_acquire().ok().filter(|_| line.has_stream());
            if place.is_some() {
                connection.as_mut().graceful_shutdown();
                tokio::time::timeout(END_WAIT, connection).await.ok();
            }
        }
        () = shared.ending.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await.ok();
        }
    }
}

/// An IPv4 peer of a socket that takes both: browsers name the address as they know it.
fn unmapped(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
