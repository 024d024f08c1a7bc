//! How soon an event is painted in a cockpit: `cargo bench --bench cockpit`.
//!
//! A real run, a terminal in which `gameday attach` shows it, 50 others that watch it through its socket, and 100 notes a second. A note is
//! timed from before it is sent to the run until it stands on the terminal's screen. The bar is in the issue: 99 of 100 within 100 ms.
//!
//! `GAMEDAY_BENCH_SECONDS` (default 10) makes it shorter. It needs `script` of util-linux, which gives a program a terminal.

#![expect(clippy::disallowed_methods, reason = "a benchmark keeps its own pace")]

use std::collections::HashMap;
use std::io::Write as _;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gameday::event::{Command as Wish, CommandAnswer};
use gameday::run::{Attached, send_command};

const WATCHERS: usize = 50;
const EVENT_EVERY: Duration = Duration::from_millis(10);
const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

const TABLE: &str = "\
gameday: 1
id: bench
title: A bench
owner: me
mode: tabletop
people: {facilitator: {who: me}}
hypotheses: [{id: H1, text: \"Somebody notices\", expect: \"mark(detected)\"}]
targets: {payments-fn: {lambda: {function: payments-fn}}}
faults: {lost: {lambda_concurrency: {target: payments-fn, reserved: 0}}}
timeline: [{phase: talk, for: 10m, do: [{at: 9m, fault: lost}]}]
";

/// A process that is ended when it is dropped.
struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn main() {
    let seconds = std::env::var("GAMEDAY_BENCH_SECONDS").map_or(10, |text| text.parse().expect("a number"));
    let count: u64 = seconds * 100;
    let workspace = tempfile::tempdir().expect("a folder");
    std::fs::write(workspace.path().join("bench.yaml"), TABLE).expect("a file");
    let mut run = gameday(workspace.path());
    run.args(["run", "bench.yaml"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _run = Started(run.spawn().expect("the program"));
    let directory = run_folder(workspace.path());

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let watching = directory.clone();
    std::thread::spawn(move || watch(&watching));
    let (painted, screens) = mpsc::channel();
    let script = format!("stty cols {COLUMNS} rows {ROWS}; exec '{}' attach --by bench", env!("CARGO_BIN_EXE_gameday"));
    let mut terminal = Command::new("script");
    terminal.args(["-qfec", &script, "/dev/null"]).current_dir(workspace.path()).env("TERM", "xterm-256color");
    let mut terminal =
        Started(terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script of util-linux"));
    let output = terminal.0.stdout.take().expect("a pipe");
    std::thread::spawn(move || read(output, &painted));
    std::thread::sleep(Duration::from_secs(3));

    let begun = Instant::now();
    let mut sent: HashMap<u64, Instant> = HashMap::new();
    for number in 0..count {
        let due = begun + EVENT_EVERY * u32::try_from(number).expect("a few thousand");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        sent.insert(number, Instant::now());
        let note = Wish::Note { text: format!("bench {number} end"), by: Some("bench".to_owned()) };
        let answer = runtime.block_on(send_command(&directory, &note)).expect("an answer");
        assert_eq!(answer, CommandAnswer::Taken);
    }
    std::thread::sleep(Duration::from_secs(1));
    let mut delays: Vec<f64> = screens
        .try_iter()
        .filter_map(|(number, at): (u64, Instant)| Some((at - *sent.get(&number)?).as_secs_f64() * 1_000.0))
        .collect();
    delays.sort_unstable_by(f64::total_cmp);
    let at = |per_mille: usize| delays.get((delays.len() * per_mille / 1_000).min(delays.len() - 1)).expect("a note");
    let (p50, p99, longest) = (at(500), at(990), at(1_000));
    let text = format!(
        "note to painted cockpit beside {WATCHERS} watchers, {} of {count} notes seen: p50 {p50:.1} ms, p99 {p99:.1} ms, longest {longest:.1} ms",
        delays.len()
    );
    writeln!(std::io::stdout(), "{text}").expect("standard output");
}

fn gameday(workspace: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gameday"));
    command.current_dir(workspace);
    command
}

/// The folder of the run, once its first phase has begun.
fn run_folder(workspace: &Path) -> PathBuf {
    for _ in 0..600 {
        std::thread::sleep(Duration::from_millis(50));
        let entries = std::fs::read_dir(workspace.join("reports")).into_iter().flatten().flatten();
        let begun = entries.map(|entry| entry.path()).find(|folder| {
            std::fs::read_to_string(folder.join("run.ndjson")).is_ok_and(|log| log.contains("phase_started"))
        });
        if let Some(folder) = begun {
            return folder;
        }
    }
    panic!("the run does not begin");
}

/// Watches the run as so many other terminals do.
fn watch(directory: &Path) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut watchers = Vec::new();
        for _ in 0..WATCHERS {
            let attached = Attached::to(directory).await.expect("a place");
            watchers.push(tokio::spawn(async move {
                let mut feed = attached.feed(None);
                while let Ok(Some(_)) = feed.next().await {}
            }));
        }
        for watcher in watchers {
            watcher.await.expect("a watcher");
        }
    });
}

/// Takes in what is painted, and tells of each note when it was first seen.
fn read(mut output: impl std::io::Read, painted: &mpsc::Sender<(u64, Instant)>) {
    let size = |cells| NonZero::new(cells).expect("a size");
    let mut parser = vt100::Parser::new(size(ROWS), size(COLUMNS), 0);
    let mut buffer = vec![0; 64 * 1024];
    let mut next = 0_u64;
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        parser.process(buffer.get(..count).unwrap_or_default());
        let now = Instant::now();
        let text = parser.screen().contents();
        let seen = text.lines().filter_map(|line| {
            let (_, rest) = line.split_once("bench: bench ")?;
            rest.split_once(" end")?.0.parse::<u64>().ok()
        });
        for number in seen.filter(|number| *number >= next).collect::<Vec<_>>() {
            next = next.max(number + 1);
            // Nobody may listen any more.
            painted.send((number, now)).ok();
        }
    }
}
