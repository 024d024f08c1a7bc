//! [`Screen`]: what one view of a run shows at the moment, and since when, so that each page is sent what it lacks.
//!
//! There is one for all pages of a view. A page asks for what has changed since it last asked: how far it lags is its own affair, and costs
//! nobody else anything.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde_json::json;

use super::section::{Standing, sections};
use crate::ui::board::{Board, Point};
use crate::unit::redact_value;

/// How many of the newest lines a page can be sent.
const LINES_MAX: usize = 500;

/// A part of the page.
#[derive(Debug)]
struct Section {
    json: String,
    /// The update with which it came.
    version: u64,
    /// The event up to which the run had come then.
    seq: u64,
}

/// An event in one line.
#[derive(Debug)]
struct Line {
    json: String,
    version: u64,
    seq: u64,
}

/// The points of a load.
#[derive(Debug, Default)]
struct Chart {
    step: u64,
    points: Vec<String>,
    version: u64,
}

#[derive(Debug, Default)]
struct Store {
    /// Counts updates; 0 before the first.
    version: u64,
    seq: u64,
    now_ms: u64,
    sections: BTreeMap<&'static str, Section>,
    lines: VecDeque<Line>,
    charts: BTreeMap<String, Chart>,
    /// The latest update for all who have the one before it.
    latest: Bytes,
}

/// What a page has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Everything up to this update.
    Update(u64),
    /// Everything up to this event, from an earlier stream, perhaps of another server.
    Event(u64),
    /// Nothing.
    Nothing,
}

/// What one view of a run shows.
#[derive(Debug, Default)]
pub(super) struct Screen {
    store: Mutex<Store>,
}

impl Screen {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what `board` shows now, at the event of that number, with the lines that are new. The number of the update, or none where
    /// nothing has changed.
    pub(super) fn update(
        &self,
        board: &Board,
        (lines, seq): (Vec<NewLine>, Option<u64>),
        now_ms: u64,
        standing: &Standing,
    ) -> Option<u64> {
        // Whatever takes time is done before the lock, which every page needs.
        let sections: Vec<(&'static str, String)> =
            sections(board, now_ms, standing).into_iter().map(|(name, value)| (name, value.to_string())).collect();
        let mut store = self.lock();
        let version = store.version + 1;
        store.seq = seq.unwrap_or(store.seq);
        let seq = store.seq;
        let mut changed = false;
        for (name, json) in sections {
            if store.sections.get(name).is_none_or(|known| known.json != json) {
                store.sections.insert(name, Section { json, version, seq });
                changed = true;
            }
        }
        changed |= !lines.is_empty();
        for line in lines {
            if store.lines.len() == LINES_MAX {
                store.lines.pop_front();
            }
            store.lines.push_back(Line { json: line.json, version, seq: line.seq.unwrap_or(seq) });
        }
        let mut grown = BTreeMap::new();
        for (load, series) in board.series() {
            let chart = store.charts.entry(load.to_string()).or_default();
            if let Some(from) = chart.grow(series.step_seconds(), series.points(), version) {
                grown.insert(load.to_string(), from);
                changed = true;
            }
        }
        if !changed {
            return None;
        }
        (store.version, store.now_ms) = (version, now_ms);
        store.latest = store.frame(Seen::Update(version - 1), &grown);
        Some(version)
    }

    /// The number of the newest update.
    pub(super) fn version(&self) -> u64 {
        self.lock().version
    }

    /// What a page lacks that has seen so much, and what it has seen then.
    pub(super) fn since(&self, seen: Seen, now_ms: u64) -> (Bytes, u64) {
        let mut store = self.lock();
        let version = store.version;
        if seen == Seen::Update(version.saturating_sub(1)) {
            return (store.latest.clone(), version);
        }
        store.now_ms = store.now_ms.max(now_ms);
        (store.frame(seen, &BTreeMap::new()), version)
    }
}

/// A line that was not shown before.
#[derive(Debug)]
pub(super) struct NewLine {
    pub(super) json: String,
    /// The number of the event with which it came; none before the first.
    pub(super) seq: Option<u64>,
}

/// The newest `count` lines of a board, which came with the event `seq`.
pub(super) fn newest_lines(board: &Board, count: usize, seq: Option<u64>) -> Vec<NewLine> {
    let lines = board.lines();
    let new = lines.iter().skip(lines.len().saturating_sub(count));
    let json = |line: &crate::ui::board::EventLine| {
        let mut json = json!([line.at_ms, line.sign, line.tone, line.text]);
        redact_value(&mut json, &board.facts().redactions);
        NewLine { json: json.to_string(), seq }
    };
    new.map(json).collect()
}

impl Chart {
    /// Takes in the points as they are now: from which on they are new, or none where none is.
    fn grow(&mut self, step: u64, points: &[Point], version: u64) -> Option<usize> {
        let last = points.last()?;
        // Two became one, or it is a new one: everything is sent. The last point may have changed, and goes with those behind it.
        let from = if self.step == step && self.points.len() <= points.len() {
            self.points.len().saturating_sub(1)
        } else {
            0
        };
        if self.step == step && self.points.len() == points.len() && self.points.last() == Some(&point_text(last)) {
            return None;
        }
        self.points.truncate(from);
        self.points.extend(points.iter().skip(from).map(point_text));
        (self.step, self.version) = (step, version);
        Some(from)
    }
}

fn point_text(point: &Point) -> String {
    let round = |number: f64| (number * 10.0).round() / 10.0;
    json!([point.second, round(point.target), round(point.ok), round(point.failed), point.p99_ms.map(round)])
        .to_string()
}

impl Store {
    /// What has changed since `seen`, as one event of the stream. `grown` says from which point on the charts are new for it; what it does
    /// not name is sent whole.
    fn frame(&self, seen: Seen, grown: &BTreeMap<String, usize>) -> Bytes {
        // A log that is shorter than what was seen is another one.
        let seen = match seen {
            Seen::Event(event) if event > self.seq => Seen::Nothing,
            Seen::Update(_) | Seen::Event(_) | Seen::Nothing => seen,
        };
        // Of the event that was seen last, not everything may have been told.
        let is_new = |version: u64, seq: u64| match seen {
            Seen::Update(update) => version > update,
            Seen::Event(event) => seq >= event,
            Seen::Nothing => true,
        };
        let is_new_line = |line: &&Line| match seen {
            Seen::Update(update) => line.version > update,
            Seen::Event(event) => line.seq > event,
            Seen::Nothing => true,
        };
        // A chart is one thing, and goes whole to whoever comes back.
        let is_new_chart = |version: u64| match seen {
            Seen::Update(update) => version > update,
            Seen::Event(_) | Seen::Nothing => true,
        };
        let mut text = format!("id: {}\ndata: {{\"seq\":{},\"now_ms\":{},", self.seq, self.seq, self.now_ms);
        if seen == Seen::Nothing {
            text.push_str("\"whole\":true,");
        }
        text.push_str("\"sections\":{");
        let sections = self.sections.iter().filter(|(_, section)| is_new(section.version, section.seq));
        let sections: Vec<String> = sections.map(|(name, section)| format!("\"{name}\":{}", section.json)).collect();
        text.push_str(&sections.join(","));
        text.push_str("},\"lines\":[");
        let lines = self.lines.iter().filter(is_new_line);
        text.push_str(&lines.map(|line| line.json.as_str()).collect::<Vec<_>>().join(","));
        text.push_str("],\"charts\":{");
        let charts = self.charts.iter().filter(|(_, chart)| is_new_chart(chart.version));
        let charts = charts.map(|(load, chart)| {
            let from = grown.get(load).copied().unwrap_or(0);
            let points = chart.points.get(from..).unwrap_or_default().join(",");
            let load = json!(load);
            format!("{load}:{{\"from\":{from},\"step\":{},\"points\":[{points}]}}", chart.step)
        });
        text.push_str(&charts.collect::<Vec<_>>().join(","));
        text.push_str("}}\n\n");
        Bytes::from(text)
    }
}
