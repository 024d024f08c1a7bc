//! Prometheus' text format, version 0.0.4: how metrics, their labels and their values are written.

use std::fmt::{Display, Write as _};

/// The format's media type.
pub const PROMETHEUS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// It counts by buckets.
    Histogram,
}

impl MetricKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Metrics while they are written. A metric's samples follow its head.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

impl Exposition {
    /// The head of a metric: what it is called, what it is, and what it tells.
    pub fn metric(&mut self, name: &str, kind: MetricKind, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str()));
    }

    /// A value of it, told from the others by its labels.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.text.push_str(name);
        for (number, (label, of)) in labels.iter().enumerate() {
            let before = if number == 0 { '{' } else { ',' };
            self.write(format_args!("{before}{label}=\"{}\"", escaped(of)));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        self.write(format_args!("{close} {value}\n"));
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("invariant: writing to a string does not fail");
    }
}

/// Prometheus: in a label's value a backslash, a quote and a line feed are escaped.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => safe.push_str("\\\\"),
            '"' => safe.push_str("\\\""),
            '\n' => safe.push_str("\\n"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_a_head_and_samples_whose_labels_are_escaped() {
        let mut page = Exposition::default();
        page.metric("a_total", MetricKind::Counter, "What\\ \nit is.");
        page.sample("a_total", &[("name", "a\"b\\c\nd"), ("ä", "ö")], 1);
        page.metric("b", MetricKind::Gauge, "Another.");
        page.sample("b", &[], 0.25);
        let text = "# HELP a_total What\\\\ \\nit is.\n# TYPE a_total counter\n\
                    a_total{name=\"a\\\"b\\\\c\\nd\",ä=\"ö\"} 1\n\
                    # HELP b Another.\n# TYPE b gauge\nb 0.25\n";
        assert_eq!(page.into_text(), text);
    }
}
