//! How exact the toxics are on real sockets and timers.

use std::time::Duration;

use gameday::proxy::{AdminClient, ToxicSpec};
use gameday::unit::ProxyName;
use serde_json::{Value, json};

use crate::subject::Subjects;
use crate::{client, median, say};

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

impl Line<'_> {
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
    let address = subjects.of("gameday tcp").address.as_str();
    let line = Line { admin: &subjects.admin, proxy: "tcp".parse().expect("a name"), address };
    ten_milliseconds(&line).await;
    spread(&line).await;
    rates(&line).await;
}

async fn ten_milliseconds(line: &Line<'_>) {
    let toxic = line.with(json!({"type": "latency", "attributes": {"latency": 10}})).await;
    let times = client::sequential(line.address, 300).await;
    let late = Duration::from_nanos(times.value_at_quantile(0.5)).as_secs_f64() * 1_000.0 - 10.0;
    say(&format!("\n10 ms asked: p50 {late:+.3} ms, the path included"));
    line.without(&toxic).await;
}

async fn spread(line: &Line<'_>) {
    let toxic = line.with(json!({"type": "latency", "attributes": {"latency": 50, "jitter": 10}})).await;
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
    line.without(&toxic).await;
    times.sort_unstable_by(f64::total_cmp);
    let count = f64::from(u32::try_from(times.len()).expect("a thousand"));
    let mean = times.iter().sum::<f64>() / count;
    let distance = times.iter().zip(0_u32..).map(|(time, below)| {
        let expected = ((time - 40.0) / 20.0).clamp(0.0, 1.0);
        (expected - f64::from(below) / count).abs()
    });
    let distance = distance.fold(0.0, f64::max);
    say(&format!("50 +- 10 ms asked: mean {:+.3} ms, KS distance {distance:.4} at n = {count}", mean - 50.0));
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
