//! What the load worker costs and how exact it is, beside wrk, plain goose and `aws-sdk-lambda`, and beside `oha`, `hey`, `k6` and
//! `artillery` where they are installed. All are measured in turn, round by round; medians and ratios are told. `cargo bench --bench
//! load`; it needs `nginx`, `wrk` and `taskset`: the server has a core of its own, whoever makes the load the other one.
//!
//! A word picks what is measured: `cargo bench --bench load -- invocations`, or `exact` for arrivals and stalls.
//!
//! `GAMEDAY_BENCH_ROUNDS` (default 5) and `GAMEDAY_BENCH_SECONDS` of each (default 4) make it shorter.

use std::time::Duration;

#[path = "../../tests/it/support.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and may unwrap")]
mod support;

#[path = "../rig/mod.rs"]
mod rig;

mod exact;
mod generator;
mod peer;
mod server;
mod task;

use generator::{Generator, Made};
use rig::{find, median, number, say};
use task::Task;

/// The bars of the load worker.
const BARS: &str = "\
bars: full speed >= 0.90 x wrk's req/s at <= 1.25 x its CPU, <= 1.0 x oha's CPU, <= 0.2 x k6's; HTTPS >= 0.85 x wrk's req/s; invokes
for each CPU second >= 3.5 x aws-sdk-lambda's, >= 12 x k6's; journeys for each CPU second >= 4 x k6's, >= 15 x Artillery's; users <= 1.05 x goose's
CPU; arrivals at 2,000/s: rate +- 0.05 %, error p99 <= 150 us; a server that stalls 200 ms each second: all sent, p90 +- 5 %,
p99 +- 3 %, p99.9 +- 2 %; memory <= 30 MB";

/// Fifty at once, as many as they can, each generator in turn.
fn full_speed(nginx: &server::Nginx, title: &str, task: Task, rounds: u32, seconds: u32) {
    let generators = Generator::of(task);
    let mut made: Vec<Vec<Made>> = generators.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (generator, made) in generators.iter().zip(&mut made) {
            made.push(generator.make(task, nginx, seconds));
        }
    }
    let first = generators.first().expect("somebody can").name();
    say(&format!("\n{title}: fifty at once, {rounds} rounds of {seconds} s, one core each; ratios to {first}"));
    say("                           times/s  ratio  CPU-s/100k  ratio       MB");
    let of = |made: &[Made], value: fn(&Made) -> f64| median(made.iter().map(value).collect());
    let rate = |made: &[Made]| of(made, Made::per_second) / task.requests();
    let cpu = |made: &[Made]| of(made, Made::cpu_per_100k) * task.requests();
    let base = made.first().map(|made| (rate(made), cpu(made))).expect("somebody did");
    for (generator, made) in generators.iter().zip(&made) {
        say(&format!(
            "{:<22} {:>11.0} {:>6.2} {:>11.2} {:>6.2} {:>8.1}",
            generator.name(),
            rate(made),
            rate(made) / base.0,
            cpu(made),
            cpu(made) / base.1,
            of(made, |made| made.memory_mb)
        ));
    }
}

fn main() {
    if peer::serve() {
        return;
    }
    let missing: Vec<&str> =
        ["nginx", "wrk", "taskset"].into_iter().filter(|program| find(program).is_none()).collect();
    if !missing.is_empty() {
        say(&format!("skipped: it needs {}", missing.join(", ")));
        return;
    }
    say(BARS);
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_picked = |title: &str| words.is_empty() || words.iter().any(|word| title.contains(word.as_str()));
    let (rounds, seconds) = (number("GAMEDAY_BENCH_ROUNDS", 5), number("GAMEDAY_BENCH_SECONDS", 4));
    let nginx = server::Nginx::start();
    for (title, task) in [
        ("a file of 1 KB", Task::File),
        ("the same with TLS", Task::TlsFile),
        ("invocations of a function", Task::Invoke),
        ("journeys of three steps with captures and checks", Task::Journey),
        ("users without a rest", Task::Users),
    ] {
        if is_picked(title) {
            full_speed(&nginx, title, task, rounds, seconds);
        }
    }
    drop(nginx);
    if !is_picked("exact") {
        return;
    }
    exact::schedule(Duration::from_secs(30));
    for in_flight_max in [50, 1_000] {
        exact::stalls(Duration::from_secs(30), in_flight_max);
    }
}
