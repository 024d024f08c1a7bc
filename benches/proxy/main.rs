//! What the fault proxy costs and how exact it is, beside nginx alone, a plain tokio copy, and `fault-cli` where it is
//! installed (`cargo install fault-cli`). All are measured in turn, round by round; medians and ratios are told.
//! `cargo bench --bench proxy`; it needs `nginx` and `wrk`.
//!
//! `GAMEDAY_BENCH_ROUNDS` (default 5) and `GAMEDAY_BENCH_SECONDS` of each (default 3) make it shorter.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[path = "../../tests/it/support.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and may unwrap")]
mod support;

#[path = "../rig/mod.rs"]
mod rig;

mod client;
mod copy;
mod exact;
mod subject;

use rig::{find, median, number, say};
use subject::{Fresh, Subject, Subjects};

/// The bars of the fault proxy.
const BARS: &str = "\
bars: http >= 0.50 x direct, >= 1.15 x fault-cli, >= 0.95 x copy; CPU <= 1.0 x fault-cli, <= 1.1 x copy; added p50 <= 60 us;
64 MB >= 0.9 x direct at <= 0.3 x the CPU of copy; by a toxic and by a rule: 10 ms +- 0.5 ms; 50 +- 10 ms: mean +- 1 ms,
KS < 0.0515; bandwidth +- 2 %; memory <= 12 MB at 50 connections, <= 200 MB at 10,000; toxics and 64 rules that never hit
>= 0.9 x none";

/// How many requests one after another tell the added time.
const SEQUENTIAL: usize = 3_000;

/// How many connections lie idle, where the system lends that many descriptors: two each, and some for the rest.
const IDLE: u64 = 10_000;
const DESCRIPTORS_KEPT: u64 = 512;

/// The pause between two looks at a process.
const LOOK: Duration = Duration::from_millis(50);

/// What wrk saw of one subject in one round.
struct Load {
    per_second: f64,
    cpu_per_100k: f64,
    p50_ms: f64,
    p99_ms: f64,
}

/// Fifty connections for a time.
fn load(subject: &Subject, seconds: u32) -> Load {
    let before = subject.cpu();
    let output = subject.wrk(seconds).output().expect("wrk");
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |name: &str| -> &str {
        let line = text.lines().find(|line| line.trim_start().starts_with(name));
        line.unwrap_or_else(|| panic!("no `{name}` in\n{text}")).trim_start().trim_start_matches(name).trim()
    };
    let requests = text.lines().find(|line| line.contains(" requests in ")).expect("a count");
    let requests: f64 = requests.split_whitespace().next().expect("a count").parse().expect("a number");
    Load {
        per_second: field("Requests/sec:").parse().expect("a number"),
        cpu_per_100k: (subject.cpu() - before).as_secs_f64() / requests * 100_000.0,
        p50_ms: millis(field("50%")),
        p99_ms: millis(field("99%")),
    }
}

/// wrk's times: `850.00us`, `1.20ms`, `1.02s`.
fn millis(text: &str) -> f64 {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1_000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().expect("a number") * factor;
        }
    }
    panic!("`{text}` is no time")
}

fn compare_loads(subjects: &[Subject], rounds: u32, seconds: u32) {
    let mut loads: Vec<Vec<Load>> = subjects.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (subject, loads) in subjects.iter().zip(&mut loads) {
            loads.push(load(subject, seconds));
        }
    }
    say(&format!("\nwrk -t1 -c50, 1 KB, {rounds} rounds of {seconds} s\n{HEAD}"));
    let of = |loads: &[Load], value: fn(&Load) -> f64| median(loads.iter().map(value).collect());
    let per_second = |name: &str| {
        let index = subjects.iter().position(|subject| subject.name == name);
        index.and_then(|index| loads.get(index)).map(|loads| of(loads, |load| load.per_second))
    };
    let (direct, copy) = (per_second("direct").expect("it is there"), per_second("copy").expect("it is there"));
    for (subject, loads) in subjects.iter().zip(&loads) {
        let rate = of(loads, |load| load.per_second);
        say(&format!(
            "{:<22} {rate:>9.0} {:>8.2} {:>8.2} {:>12.2} {:>8.2} {:>8.2} {:>8.1}",
            subject.name,
            rate / direct,
            rate / copy,
            of(loads, |load| load.cpu_per_100k),
            of(loads, |load| load.p50_ms),
            of(loads, |load| load.p99_ms),
            subject.memory().resident_mb,
        ));
    }
    for (name, plain) in [(subject::SPARED, "gameday tcp"), (subject::RULED, "gameday http")] {
        if let (Some(rate), Some(plain)) = (per_second(name), per_second(plain)) {
            say(&format!("{name}: {:.2} x without", rate / plain));
        }
    }
}

const HEAD: &str = "                           req/s  /direct    /copy  CPU-s/100k   p50 ms   p99 ms      MB";

async fn compare_times(subjects: &[Subject], rounds: u32) {
    say(&format!(
        "\none connection, {SEQUENTIAL} requests one after another\n                        p50 us   added   p99 us"
    ));
    let mut times: Vec<(Vec<f64>, Vec<f64>)> = subjects.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (subject, (p50, p99)) in subjects.iter().zip(&mut times) {
            let histogram = client::sequential(&subject.address, SEQUENTIAL).await;
            let micros = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile)).as_secs_f64() * 1e6;
            p50.push(micros(0.5));
            p99.push(micros(0.99));
        }
    }
    let direct = times.first().map(|(p50, _)| median(p50.clone())).expect("nginx itself");
    for (subject, (p50, p99)) in subjects.iter().zip(times) {
        let p50 = median(p50);
        say(&format!("{:<22} {p50:>8.0} {:>7.0} {:>8.0}", subject.name, p50 - direct, median(p99)));
    }
}

async fn compare_bodies(subjects: &[Subject], rounds: u32) {
    say("\na body of 64 MB\n                          MB/s  /direct  CPU-s/GB");
    let mut bodies: Vec<(Vec<f64>, Vec<f64>)> = subjects.iter().map(|_| Default::default()).collect();
    for _ in 0..rounds {
        for (subject, (speed, cpu)) in subjects.iter().zip(&mut bodies) {
            let before = subject.cpu();
            let took = client::body(&subject.address, subject::BODY_BYTES).await;
            let megabytes = 64.0 * 1.048_576;
            speed.push(megabytes / took.as_secs_f64());
            cpu.push((subject.cpu() - before).as_secs_f64() / megabytes * 1_000.0);
        }
    }
    let direct = bodies.first().map(|(speed, _)| median(speed.clone())).expect("nginx itself");
    for (subject, (speed, cpu)) in subjects.iter().zip(bodies) {
        let speed = median(speed);
        say(&format!("{:<22} {speed:>8.0} {:>8.2} {:>9.2}", subject.name, speed / direct, median(cpu)));
    }
}

async fn hold_idle(subject: &Subject) {
    let lent = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let connections = IDLE.min(lent.saturating_sub(DESCRIPTORS_KEPT) / 2);
    let held = client::idle(&subject.address, usize::try_from(connections).expect("as many as that")).await;
    let took = client::sequential(&subject.address, 100).await;
    say(&format!(
        "\n{} idle connections through {}: {}; a new one is served in {:.2} ms (p50)",
        held.len(),
        subject.name,
        subject.memory(),
        Duration::from_nanos(took.value_at_quantile(0.5)).as_secs_f64() * 1_000.0
    ));
}

/// The memory of a process that has done nothing else, before, under and after fifty connections.
async fn fifty(subjects: &Subjects, seconds: u32) {
    let fresh = Fresh::start(&subjects.of("direct").address).await;
    say(&format!("\na fresh proxy, before any connection: {}", fresh.subject.memory()));
    let mut wrk = fresh.subject.wrk(seconds).stdout(Stdio::null()).spawn().expect("wrk");
    let mut most = fresh.subject.memory();
    while wrk.try_wait().expect("wrk").is_none() {
        tokio::time::sleep(LOOK).await;
        let now = fresh.subject.memory();
        if now.resident_mb > most.resident_mb {
            most = now;
        }
    }
    say(&format!("under 50 connections, at most: {most}"));
    let held = client::idle(&fresh.subject.address, 50).await;
    say(&format!("with {} that are idle, afterwards: {}", held.len(), fresh.subject.memory()));
}

async fn run() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }).expect("more open files");
    let rounds = number("GAMEDAY_BENCH_ROUNDS", 5);
    let seconds = number("GAMEDAY_BENCH_SECONDS", 3);
    let subjects = Subjects::start().await;
    say(BARS);
    compare_loads(&subjects.all, rounds, seconds);
    compare_times(&subjects.all, rounds).await;
    compare_bodies(&subjects.all, rounds).await;
    exact::measure(&subjects).await;
    fifty(&subjects, seconds).await;
    hold_idle(subjects.of("gameday tcp")).await;
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [_, "copy", listen, upstream] => runtime.block_on(copy::serve(listen, upstream)),
        _ if ["nginx", "wrk"].iter().all(|program| find(program).is_some()) => runtime.block_on(run()),
        _ => say("skipped: it needs nginx and wrk"),
    }
}
