//! `GET /metrics`: the counters in Prometheus' text format. Byte counts have Toxiproxy's names; the rest is ours.

use std::fmt::Write as _;

use crate::proxy::counters::{ProxyStats, Stats};
use crate::proxy::running::ProxyView;

/// The format's media type.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A metric of a proxy: name, kind, help, and its samples with the labels that tell them apart.
struct Metric {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    samples: fn(&ProxyStats) -> Vec<(String, u64)>,
}

fn one(value: u64) -> Vec<(String, u64)> {
    vec![(String::new(), value)]
}

fn by_direction(upstream: u64, downstream: u64) -> Vec<(String, u64)> {
    vec![(",direction=\"upstream\"".to_owned(), upstream), (",direction=\"downstream\"".to_owned(), downstream)]
}

const METRICS: [Metric; 7] = [
    Metric {
        name: "toxiproxy_proxy_received_bytes_total",
        kind: "counter",
        help: "Bytes that came in.",
        samples: |stats| by_direction(stats.received_upstream, stats.received_downstream),
    },
    Metric {
        name: "toxiproxy_proxy_sent_bytes_total",
        kind: "counter",
        help: "Bytes that were delivered.",
        samples: |stats| by_direction(stats.bytes_upstream, stats.bytes_downstream),
    },
    Metric {
        name: "gameday_proxy_connections_open",
        kind: "gauge",
        help: "Connections that are open now.",
        samples: |stats| one(stats.connections_open),
    },
    Metric {
        name: "gameday_proxy_connections_total",
        kind: "counter",
        help: "Connections that were ever accepted.",
        samples: |stats| one(stats.connections_total),
    },
    Metric {
        name: "gameday_proxy_connections_refused_total",
        kind: "counter",
        help: "Connections that were closed at once because too many were open.",
        samples: |stats| one(stats.connections_refused),
    },
    Metric {
        name: "gameday_proxy_upstream_connect_failures_total",
        kind: "counter",
        help: "Connections that were closed because the server could not be reached.",
        samples: |stats| one(stats.upstream_connect_failures),
    },
    Metric {
        name: "gameday_proxy_toxic_hits_total",
        kind: "counter",
        help: "What each toxic that is present has done.",
        samples: |stats| stats.toxics.iter().map(|(name, toxic)| (format!(",toxic=\"{name}\""), toxic.hits)).collect(),
    },
];

/// The counters of every proxy. Names and addresses hold nothing that a label would have to escape.
pub(super) fn render(stats: &Stats, views: &[ProxyView]) -> String {
    let mut text = String::new();
    for Metric { name, kind, help, samples } in METRICS {
        writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}")
            .expect("invariant: writing to a string does not fail");
        for view in views {
            let Some(proxy) = stats.proxies.get(view.name.as_str()) else { continue };
            for (labels, value) in samples(proxy) {
                writeln!(
                    text,
                    "{name}{{proxy=\"{}\",listener=\"{}\",upstream=\"{}\"{labels}}} {value}",
                    view.name, view.listen, view.upstream
                )
                .expect("invariant: writing to a string does not fail");
            }
        }
    }
    text
}
