//! `gameday serve`, and `--serve` of `gameday run`: the control room of a run, a page for everybody who takes part.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Exit, Failure, out, screen, workspace};
use crate::event::{Command, CommandAnswer, EventLog, Feed, RunState, is_in_use, read_log};
use crate::plan::Plan;
use crate::run::{Attached, ControlError, live_runs, read_plan, send_command};
use crate::ui::CommandSender;
use crate::ui::board::View;
use crate::ui::web::{Access, ControlRoom, serve};
use crate::unit::Clock;

/// Where a control room is served unless somebody says otherwise: for this machine alone, on a port that the system chooses.
pub(super) const LISTEN_DEFAULT: &str = "127.0.0.1:0";
/// How many commands may be on their way to the run.
const COMMANDS_MAX: usize = 64;
/// How long pages may take to hear the end of a run.
const END_WAIT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; default the one that is alive, or else the latest.
    run: Option<String>,
    /// Where to serve it; default where it was served last, or 127.0.0.1 and a port that the system chooses.
    #[arg(long, value_name = "ADDR", value_parser = address)]
    listen: Option<SocketAddr>,
    /// A name by which people call it, where something in front of it (with TLS) has one.
    #[arg(long = "public-host", value_name = "NAME", value_parser = public_host)]
    public_hosts: Vec<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
}

/// An address to listen on: `127.0.0.1:8424`, `[::1]:0`, or a port of this machine alone.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| "say an address and a port, as 127.0.0.1:8424, or only a port".to_owned())
}

/// A name as browsers send it: `drill.example.com`, or with its port.
pub(super) fn public_host(text: &str) -> Result<String, String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if text.is_empty() || !text.chars().all(is_name) {
        return Err("say a name alone, as drill.example.com, or drill.example.com:8443".to_owned());
    }
    Ok(text.to_owned())
}

/// Where a run that begins is served.
#[derive(Debug)]
pub(super) struct Place {
    /// Until the room is opened, which has it from then on: a port that nobody serves would let pages wait.
    listener: Mutex<Option<TcpListener>>,
    address: SocketAddr,
    public_hosts: Vec<String>,
}

impl Place {
    /// Takes the port before anything begins, so that one that is taken stops nothing half-way.
    pub(super) fn take(address: SocketAddr, public_hosts: Vec<String>) -> Result<Self, Failure> {
        let bound = TcpListener::bind(address).and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok(Self { listener: Mutex::new(Some(listener)), address, public_hosts })
        });
        bound.map_err(|error| {
            let help = match error.kind() {
                std::io::ErrorKind::AddrInUse => {
                    "the run may serve its page itself, or another control room is there; `--listen` or `--serve` takes \
                     another port"
                }
                _ => "`--listen` or `--serve` takes an address of this machine",
            };
            Failure::new(
                Exit::Failure,
                format_args!("the control room can not be served at {address}: {error}; {help}"),
            )
        })
    }
}

impl Place {
    /// Opens the room of a run that has just begun. A run goes on without one, and it is told.
    pub(super) fn open(&self, plan: &Arc<Plan>, directory: &Path, log: &EventLog) -> Option<Served> {
        let opened = Served::open(self, Arc::clone(plan), directory, log);
        opened.map_err(|failure| out::progress(format_args!("error: no control room: {}", failure.text))).ok()
    }

    fn listener(&self) -> std::io::Result<TcpListener> {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        listener.take().ok_or_else(|| std::io::ErrorKind::AddrInUse.into())
    }
}

/// A control room that is served beside a run, from a thread of its own: pages, however many, take nothing from the engine.
#[derive(Debug)]
pub(super) struct Served {
    stop: CancellationToken,
    ended: oneshot::Receiver<()>,
    links: Vec<String>,
}

impl Served {
    /// Opens the room of a run that has just begun.
    fn open(place: &Place, plan: Arc<Plan>, directory: &Path, log: &EventLog) -> Result<Self, Failure> {
        let access = Access::new(place.address);
        access.write(directory).map_err(|error| Failure::from_error(&error))?;
        let links = tell(&access, place);
        let failed = |error: std::io::Error| Failure::from_error(&error);
        let listener = place.listener().map_err(failed)?;
        let feed = Feed::new(directory, log.subscribe(), None);
        let (directory, clock, public_hosts) = (directory.to_owned(), log.clock(), place.public_hosts.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let stop = CancellationToken::new();
        let (end, ended) = oneshot::channel::<()>();
        let stopped = stop.clone();
        let work = move || {
            runtime.block_on(async {
                let commands = Some(forward(directory.clone()));
                let room = ControlRoom { directory, plan, feed, clock, commands, access, public_hosts };
                match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => serve(listener, room, stopped).await,
                    Err(error) => out::progress(format_args!("error: no control room: {error}")),
                }
            });
            drop(end);
        };
        std::thread::Builder::new().name("control-room".to_owned()).spawn(work).map_err(failed)?;
        Ok(Self { stop, ended, links })
    }

    /// The links, one line each, as they were printed.
    pub(super) fn links(&self) -> &[String] {
        &self.links
    }
}

/// Tells pages what the run has said last, and closes the room.
pub(super) async fn close(room: Option<Served>) {
    let Some(Served { stop, ended, links: _ }) = room else { return };
    stop.cancel();
    // Pages that do not listen are not waited for.
    tokio::time::timeout(END_WAIT, ended).await.ok();
}

/// Prints the links, and what is to be known of them; the links' lines.
fn tell(access: &Access, place: &Place) -> Vec<String> {
    let address = place.address;
    // The address of every network is none that a browser can open; on this machine, this one leads there.
    let ip = match address.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    let mut origins = vec![format!("http://{}", SocketAddr::new(ip, address.port()))];
    origins.extend(place.public_hosts.iter().map(|host| format!("https://{host}")));
    let views = [("facilitator", View::Facilitator), ("participant", View::Participant)];
    let of_origin = |origin: &String| views.map(|(name, view)| format!("{name}  {origin}/#{}", access.fragment(view)));
    let links: Vec<String> = origins.iter().flat_map(of_origin).collect();
    links.iter().for_each(|link| out::progress(format_args!("  {link}")));
    if !address.ip().is_loopback() {
        out::progress(format_args!(
            "warning: {address} can be reached from other machines, in plain HTTP: whoever reads along can take part; put TLS in \
             front of it, and name it with `--public-host`"
        ));
    }
    links
}

/// Hands commands to the run in `directory`, each as it comes.
fn forward(directory: PathBuf) -> CommandSender {
    let (sender, mut receiver) = mpsc::channel::<(Command, oneshot::Sender<CommandAnswer>)>(COMMANDS_MAX);
    tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(COMMANDS_MAX));
        while let Some((command, back)) = receiver.recv().await {
            let (places, directory) = (Arc::clone(&places), directory.clone());
            // No more wait here than there are connections.
            tokio::spawn(async move {
                // Whoever ends the run waits behind nobody.
                let is_abort = matches!(command, Command::Abort { .. });
                let place = if is_abort { None } else { Some(places.acquire_owned().await) };
                let answer = send_command(&directory, &command).await;
                let answer = answer.unwrap_or_else(|error| CommandAnswer::Refused { why: told(&error).to_owned() });
                // Whoever asked may have gone away.
                back.send(answer).ok();
                drop(place);
            });
        }
    });
    sender
}

/// What a page is told of a command that did not come through: paths and users are for whoever sits at this machine.
fn told(error: &ControlError) -> &'static str {
    match error {
        ControlError::Timeout => "the run did not answer in time: look at the log",
        ControlError::Unreachable(_) => "the run does not answer: it may have ended",
        ControlError::Broken(_) => "the run broke off before it answered: look at the log",
        ControlError::Directory(_) | ControlError::Refused(_) | ControlError::Answer(_) => {
            "the run can not be asked from here: whoever sits at its machine can, with `gameday`"
        }
    }
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let directory = folder(&arguments)?;
    let plan = Arc::new(read_plan(&directory).map_err(|error| Failure::from_error(&error))?);
    let read = read_log(&directory).map_err(|error| Failure::from_error(&error))?;
    let state = RunState::fold(&read.events);
    let is_alive = !state.is_over() && is_in_use(&directory);
    let known = Access::read(&directory).map_err(|error| Failure::from_error(&error))?;
    let default = || address(LISTEN_DEFAULT).expect("invariant: the default is an address");
    let wanted = arguments.listen.or_else(|| known.as_ref().map(|known| known.address)).unwrap_or_else(default);
    let place = Place::take(wanted, arguments.public_hosts)?;
    let mut access = known.unwrap_or_else(|| Access::new(place.address));
    access.address = place.address;
    access.write(&directory).map_err(|error| Failure::from_error(&error))?;

    let stop = stopped_by_signal()?;
    let clock = screen::clock_of(&read).unwrap_or_else(Clock::start);
    let attached = match is_alive {
        true => Some(Attached::to(&directory).await.map_err(|error| Failure::from_error(&error))?),
        false => None,
    };
    let ended = || Feed::new(&directory, broadcast::channel(1).1, None);
    let feed = attached.as_ref().map_or_else(ended, |attached| attached.feed(None));
    let commands = attached.as_ref().map(|_| forward(directory.clone()));
    let what = if is_alive { "is alive" } else { "is over: the page shows its last state" };
    out::progress(format_args!("run {} {what}; Ctrl-C closes the control room, and not the run", state.run));
    tell(&access, &place);
    let listener = place.listener().and_then(tokio::net::TcpListener::from_std);
    let listener = listener.map_err(|error| Failure::from_error(&error))?;
    let public_hosts = place.public_hosts;
    serve(listener, ControlRoom { directory, plan, feed, clock, commands, access, public_hosts }, stop).await;
    Ok(Exit::Success)
}

/// Which run: the one that is named, the one that is alive, or the latest.
fn folder(arguments: &Arguments) -> Result<PathBuf, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    if arguments.run.is_none() {
        let mut alive = live_runs(&reports).map_err(|error| Failure::from_error(&error))?;
        alive.retain(|live| live.is_alive);
        if alive.len() > 1 {
            let text = "more than one run is alive: name one (see `gameday status --all`)";
            return Err(Failure::new(Exit::Failure, text));
        }
        if let Some(live) = alive.pop() {
            return Ok(live.path);
        }
    }
    workspace::run_folder(&reports, arguments.run.as_deref())
}

/// Ends with the first signal that ends programs.
fn stopped_by_signal() -> Result<CancellationToken, Failure> {
    let failed = |error: std::io::Error| Failure::from_error(&error);
    let stop = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let (mut signals, stop) = (signal(kind).map_err(failed)?, stop.clone());
        tokio::spawn(async move {
            signals.recv().await;
            stop.cancel();
        });
    }
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_one_of_this_machine() {
        assert_eq!(address("8424"), Ok("127.0.0.1:8424".parse().unwrap()));
        assert_eq!(address("[::1]:0"), Ok("[::1]:0".parse().unwrap()));
        assert!(address("scenarios/x.yaml").is_err() && address("localhost:8424").is_err());
    }

    #[test]
    fn a_public_host_is_a_name_and_no_link() {
        assert!(public_host("drill.example.com:8443").is_ok());
        assert!(public_host("https://drill.example.com").is_err() && public_host("").is_err());
    }
}
