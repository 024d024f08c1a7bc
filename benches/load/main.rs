//! What the load worker costs and how exact it is, beside wrk, and beside `oha`, `hey` and `k6` where they are installed.
//! All are measured in turn, round by round; medians and ratios are told. `cargo bench --bench load`; it needs `nginx`, `wrk` and
//! `taskset`: nginx has a core of its own, whoever makes the load the other one.
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
mod server;

use generator::{Generator, Made};
use rig::{find, median, number, say};

/// The bars of the load worker.
const BARS: &str = "\
bars: full speed >= 0.90 x wrk's req/s at <= 1.25 x its CPU, <= 1.0 x oha's CPU, <= 0.2 x k6's; arrivals at 2,000/s: rate +- 0.05 %,
error p99 <= 150 us; a server that stalls 200 ms each second: all sent, p90 +- 5 %, p99 +- 3 %, p99.9 +- 2 %; memory <= 30 MB";

/// Fifty connections, as many requests as they carry, 1 KB each.
fn full_speed(rounds: u32, seconds: u32) {
    let nginx = server::Nginx::start();
    let generators: Vec<Generator> = Generator::all().into_iter().filter(Generator::is_there).collect();
    let mut made: Vec<Vec<Made>> = generators.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (generator, made) in generators.iter().zip(&mut made) {
            made.push(generator.full_speed(&nginx.url, seconds));
        }
    }
    say(&format!("\n50 connections at full speed, 1 KB, {rounds} rounds of {seconds} s, one core each"));
    say("                           req/s   /wrk  CPU-s/100k   /wrk       MB");
    let of = |made: &[Made], value: fn(&Made) -> f64| median(made.iter().map(value).collect());
    let base = made.first().map(|wrk| (of(wrk, Made::per_second), of(wrk, Made::cpu_per_100k))).expect("wrk is there");
    for (generator, made) in generators.iter().zip(&made) {
        let (rate, cpu) = (of(made, Made::per_second), of(made, Made::cpu_per_100k));
        let memory = of(made, |made| made.memory_mb);
        say(&format!(
            "{:<22} {rate:>9.0} {:>6.2} {cpu:>11.2} {:>6.2} {memory:>8.1}",
            generator.name(),
            rate / base.0,
            cpu / base.1
        ));
    }
}

fn main() {
    let missing: Vec<&str> =
        ["nginx", "wrk", "taskset"].into_iter().filter(|program| find(program).is_none()).collect();
    if !missing.is_empty() {
        say(&format!("skipped: it needs {}", missing.join(", ")));
        return;
    }
    say(BARS);
    full_speed(number("GAMEDAY_BENCH_ROUNDS", 5), number("GAMEDAY_BENCH_SECONDS", 4));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        exact::schedule(Duration::from_secs(30)).await;
        for in_flight_max in [50, 1_000] {
            exact::stalls(Duration::from_secs(30), in_flight_max).await;
        }
    });
}
