//! How exact toxics and rules are on real sockets and timers.

use std::time::Duration;

use gameday::proxy::{AdminClient, ToxicSpec};
use gameday::unit::ProxyName;
use serde_json::{Value, json};

use crate::client;
use crate::rig::{median, say};
use crate::subject::Subjects;

/// The rates that are asked for, in KB/s.
const RATES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];

/// For how long each rate is measured.
const RATE_SECONDS: f64 = 2.0;

/// Connections and requests on each that make a sample of 1,000.
const SAMPLE: (usize, usize) = (20, 50);

struct Line<'a> {
    admin: &'a AdminClient,
    proxy: ProxyName,
    address: &'a str,
}

/// What delays answers.
#[derive(Debug, Clone, Copy)]
enum By {
    Toxic,
    Rule,
}

impl std::fmt::Display for By {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Toxic => "by a toxic",
            Self::Rule => "by a rule",
        })
    }
}

/// What the delays are called while they are measured.
const NAME: &str = "measured";

impl Line<'_> {
    async fn delay(&self, by: By, latency: u32, jitter: u32) {
        match by {
            By::Toxic => {
                let attributes = json!({"latency": latency, "jitter": jitter});
                self.with(json!({"name": NAME, "type": "latency", "attributes": attributes})).await;
            }
            By::Rule => {
                let action = json!({"latency": {"latency": format!("{latency}ms"), "jitter": format!("{jitter}ms")}});
                let rule = serde_json::from_value(json!({"name": NAME, "action": action})).expect("a rule");
                self.admin.add_rule(&self.proxy, &rule).await.expect("added");
            }
        }
    }

    /// Takes the delay away, and tells what the proxy itself has measured: the 50th percentile in milliseconds.
    async fn end_delay(&self, by: By) -> f64 {
        let stats = self.admin.stats().await.expect("stats");
        let parts = stats.proxies.get(self.proxy.as_str()).expect("it is there").parts();
        let added = parts.filter(|part| part.name == NAME).find_map(|part| part.added_delay).expect("delays");
        let is_gone = match by {
            By::Toxic => self.admin.remove_toxic(&self.proxy, &NAME.parse().expect("a name")).await,
            By::Rule => self.admin.remove_rule(&self.proxy, &NAME.parse().expect("a name")).await,
        };
        assert!(is_gone.expect("removed"), "it was there");
        Duration::from_micros(added.p50_us).as_secs_f64() * 1_000.0
    }

    async fn with(&self, toxic: Value) -> ToxicSpec {
        let toxic: ToxicSpec = serde_json::from_value(toxic).expect("a toxic");
        self.admin.add_toxic(&self.proxy, &toxic).await.expect("added");
        toxic
    }

    async fn without(&self, toxic: &ToxicSpec) {
        assert!(self.admin.remove_toxic(&self.proxy, &toxic.name).await.expect("removed"), "it was there");
    }
}

pub(crate) async fn measure(subjects: &Subjects) {
    let line_of = |proxy: &str, subject: &str| Line {
        admin: &subjects.admin,
        proxy: proxy.parse().expect("a name"),
        address: subjects.of(subject).address.as_str(),
    };
    let (tcp, http) = (line_of("tcp", "gameday tcp"), line_of("http", "gameday http"));
    say("");
    for (line, by) in [(&tcp, By::Toxic), (&http, By::Rule)] {
        ten_milliseconds(line, by).await;
        spread(line, by).await;
    }
    rates(&tcp).await;
}

async fn ten_milliseconds(line: &Line<'_>, by: By) {
    let way = way(line, Duration::from_millis(10)).await;
    line.delay(by, 10, 0).await;
    let times = client::sequential(line.address, 300).await;
    let late = Duration::from_nanos(times.value_at_quantile(0.5)).as_secs_f64() * 1_000.0 - 10.0;
    let told = line.end_delay(by).await;
    say(&format!(
        "10 ms asked {by}: p50 {late:+.3} ms, {:+.3} ms without the way; the proxy itself tells p50 {told:.3} ms",
        late - way
    ));
}

/// How long an exchange through the proxy takes that nothing delays, after a pause in which everything fell asleep: the 50th
/// percentile in milliseconds.
async fn way(line: &Line<'_>, pause: Duration) -> f64 {
    let mut stream = client::connect(line.address).await;
    let mut buffer = Vec::new();
    let mut times = Vec::new();
    for _ in 0..100 {
        tokio::time::sleep(pause).await;
        times.push(client::exchange(&mut stream, &mut buffer).await.as_secs_f64() * 1_000.0);
    }
    median(times)
}

async fn spread(line: &Line<'_>, by: By) {
    let way = way(line, Duration::from_millis(50)).await;
    line.delay(by, 50, 10).await;
    let (connections, requests) = SAMPLE;
    let clients: Vec<_> = (0..connections)
        .map(|_| {
            let address = line.address.to_owned();
            tokio::spawn(async move {
                let mut stream = client::connect(&address).await;
                let mut buffer = Vec::new();
                let mut times = Vec::new();
                for _ in 0..requests {
                    times.push(client::exchange(&mut stream, &mut buffer).await.as_secs_f64() * 1_000.0);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for client in clients {
        times.extend(client.await.expect("no panic"));
    }
    line.end_delay(by).await;
    times.sort_unstable_by(f64::total_cmp);
    let count = f64::from(u32::try_from(times.len()).expect("a thousand"));
    let mean = times.iter().sum::<f64>() / count;
    let distance = times.iter().map(|time| time - way).zip(0_u32..).map(|(time, below)| {
        let expected = ((time - 40.0) / 20.0).clamp(0.0, 1.0);
        // The steps of the sample's own distribution begin and end here; it may be farther off at either.
        (expected - f64::from(below) / count).abs().max((f64::from(below + 1) / count - expected).abs())
    });
    let distance = distance.fold(0.0, f64::max);
    let late = mean - 50.0;
    say(&format!(
        "50 +- 10 ms asked {by}: mean {late:+.3} ms; without the way {:+.3} ms, KS distance {distance:.4} at n = {count}",
        late - way
    ));
}

async fn rates(line: &Line<'_>) {
    for rate in RATES {
        let toxic = line.with(json!({"type": "bandwidth", "attributes": {"rate": rate}})).await;
        let asked = f64::from(rate) * 1_000.0;
        let mut errors = Vec::new();
        for _ in 0..3 {
            // The large body lasts as long as that at no rate above 32 MB/s.
            let bytes = crate::subject::BODY_BYTES.min(usize::try_from(rate).expect("small") * 2_000);
            let (came, took) = client::part_of_body(line.address, bytes).await;
            let came = f64::from(u32::try_from(came).expect("below 4 GB"));
            errors.push((came / took.as_secs_f64() / asked - 1.0) * 100.0);
        }
        line.without(&toxic).await;
        say(&format!("{rate:>7} KB/s asked: {:+.2} % over {RATE_SECONDS} s at most", median(errors)));
    }
}
