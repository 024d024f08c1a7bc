//! `GET /metrics`: the counters in Prometheus' text format. Byte counts have Toxiproxy's names; the rest is ours.

use std::time::Duration;

use crate::proxy::counters::{ProxyStats, Stats, TlsFaultStats};
use crate::proxy::http::RuleStats;
use crate::proxy::running::ProxyView;
use crate::unit::{Exposition, MetricKind};

/// A metric of a proxy: name, kind, help, and its samples.
struct Metric {
    name: &'static str,
    kind: MetricKind,
    help: &'static str,
    samples: fn(&ProxyStats) -> Vec<Sample>,
}

/// A value with the labels that tell it from the others of its metric.
struct Sample {
    /// What follows the metric's name: a histogram has three kinds of them.
    suffix: &'static str,
    labels: Vec<(&'static str, String)>,
    value: String,
}

impl Sample {
    fn new(value: u64) -> Self {
        Self { suffix: "", labels: Vec::new(), value: value.to_string() }
    }

    fn of(label: &'static str, name: impl Into<String>, value: u64) -> Self {
        Self { labels: vec![(label, name.into())], ..Self::new(value) }
    }
}

fn one(value: u64) -> Vec<Sample> {
    vec![Sample::new(value)]
}

fn by_direction(upstream: u64, downstream: u64) -> Vec<Sample> {
    vec![Sample::of("direction", "upstream", upstream), Sample::of("direction", "downstream", downstream)]
}

fn by_rule(stats: &ProxyStats, value: fn(&RuleStats) -> u64) -> Vec<Sample> {
    stats.rules.iter().map(|(name, rule)| Sample::of("rule", name.as_str(), value(rule))).collect()
}

const METRICS: [Metric; 13] = [
    Metric {
        name: "toxiproxy_proxy_received_bytes_total",
        kind: MetricKind::Counter,
        help: "Bytes that came in.",
        samples: |stats| by_direction(stats.received_upstream, stats.received_downstream),
    },
    Metric {
        name: "toxiproxy_proxy_sent_bytes_total",
        kind: MetricKind::Counter,
        help: "Bytes that were delivered.",
        samples: |stats| by_direction(stats.bytes_upstream, stats.bytes_downstream),
    },
    Metric {
        name: "gameday_proxy_connections_open",
        kind: MetricKind::Gauge,
        help: "Connections that are open now.",
        samples: |stats| one(stats.connections_open),
    },
    Metric {
        name: "gameday_proxy_connections_total",
        kind: MetricKind::Counter,
        help: "Connections that were ever accepted.",
        samples: |stats| one(stats.connections_total),
    },
    Metric {
        name: "gameday_proxy_connections_refused_total",
        kind: MetricKind::Counter,
        help: "Connections that were closed at once because too many were open.",
        samples: |stats| one(stats.connections_refused),
    },
    Metric {
        name: "gameday_proxy_upstream_connect_failures_total",
        kind: MetricKind::Counter,
        help: "Connections that were closed because the server could not be reached.",
        samples: |stats| one(stats.upstream_connect_failures),
    },
    Metric {
        name: "gameday_proxy_tls_handshake_failures_total",
        kind: MetricKind::Counter,
        help: "Handshakes that came to nothing, by a fault or not.",
        samples: |stats| {
            let client = Sample::of("side", "client", stats.tls_client_failures);
            vec![client, Sample::of("side", "upstream", stats.tls_upstream_failures)]
        },
    },
    Metric {
        name: "gameday_proxy_tls_fault_hits_total",
        kind: MetricKind::Counter,
        help: "Handshakes that met the TLS fault that is present.",
        samples: |stats| {
            let sample = |tls: &TlsFaultStats| Sample::of("fault", tls.fault.to_string(), tls.hits);
            stats.tls_fault.iter().map(sample).collect()
        },
    },
    Metric {
        name: "gameday_proxy_requests_total",
        kind: MetricKind::Counter,
        help: "HTTP/1 requests whose heads came in.",
        samples: |stats| one(stats.requests),
    },
    Metric {
        name: "gameday_proxy_toxic_hits_total",
        kind: MetricKind::Counter,
        help: "What each toxic that is present has done.",
        samples: |stats| {
            stats.toxics.iter().map(|(name, toxic)| Sample::of("toxic", name.as_str(), toxic.hits)).collect()
        },
    },
    Metric {
        name: "gameday_proxy_rule_matched_total",
        kind: MetricKind::Counter,
        help: "Requests that each rule that is present is about.",
        samples: |stats| by_rule(stats, |rule| rule.matched),
    },
    Metric {
        name: "gameday_proxy_rule_applied_total",
        kind: MetricKind::Counter,
        help: "Requests to which the action of each rule that is present was done.",
        samples: |stats| by_rule(stats, |rule| rule.applied),
    },
    Metric {
        name: "gameday_proxy_added_delay_seconds",
        kind: MetricKind::Histogram,
        help: "The delays that each toxic or rule that is present has added, as measured.",
        samples: delays,
    },
];

/// The bounds of the buckets of added delays, as they are written, in seconds and in milliseconds.
const DELAY_BOUNDS: [(&str, u64); 15] = [
    ("0.001", 1),
    ("0.005", 5),
    ("0.01", 10),
    ("0.025", 25),
    ("0.05", 50),
    ("0.1", 100),
    ("0.25", 250),
    ("0.5", 500),
    ("1", 1_000),
    ("2.5", 2_500),
    ("5", 5_000),
    ("10", 10_000),
    ("30", 30_000),
    ("60", 60_000),
    ("120", 120_000),
];

fn delays(stats: &ProxyStats) -> Vec<Sample> {
    let toxics = stats.toxics.iter().map(|(name, toxic)| ("toxic", name, &toxic.added_delay));
    let rules = stats.rules.iter().map(|(name, rule)| ("rule", name, &rule.added_delay));
    let mut samples = Vec::new();
    for (kind, name, added) in toxics.chain(rules) {
        let Some(added) = added else { continue };
        let labels = vec![(kind, name.to_string())];
        let mut bucket = |bound: &str, count: u64| {
            let labels = vec![(kind, name.to_string()), ("le", bound.to_owned())];
            samples.push(Sample { suffix: "_bucket", labels, value: count.to_string() });
        };
        for (text, millis) in DELAY_BOUNDS {
            bucket(text, added.count_up_to(Duration::from_millis(millis)));
        }
        bucket("+Inf", added.count);
        let sum = Duration::from_micros(added.sum_us).as_secs_f64().to_string();
        samples.push(Sample { suffix: "_sum", labels: labels.clone(), value: sum });
        samples.push(Sample { suffix: "_count", labels, value: added.count.to_string() });
    }
    samples
}

/// The counters of every proxy.
pub(super) fn render(stats: &Stats, views: &[ProxyView]) -> String {
    let mut page = Exposition::default();
    for Metric { name, kind, help, samples } in METRICS {
        page.metric(name, kind, help);
        for view in views {
            let Some(proxy) = stats.proxies.get(view.name.as_str()) else { continue };
            let (listen, upstream) = (view.listen.to_string(), view.upstream.to_string());
            for Sample { suffix, labels, value } in samples(proxy) {
                let of_proxy = [("proxy", view.name.as_str()), ("listener", &listen), ("upstream", &upstream)];
                let labels: Vec<(&str, &str)> =
                    of_proxy.into_iter().chain(labels.iter().map(|(label, of)| (*label, of.as_str()))).collect();
                page.sample(&format!("{name}{suffix}"), &labels, value);
            }
        }
    }
    page.into_text()
}
