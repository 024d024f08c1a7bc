//! The last seconds of a load as bars, one for each second.

use std::collections::VecDeque;

use console::style;

use crate::event::LoadSecond;

/// How many seconds are kept.
const SECONDS_MAX: usize = 30;
/// From a second with hardly anything to the best one.
const HEIGHTS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

#[derive(Debug, Clone, Copy)]
struct Bar {
    /// How many requests ended.
    count: u64,
    has_failures: bool,
}

/// The newest stands last.
#[derive(Debug, Default)]
pub(super) struct Bars(VecDeque<Bar>);

impl Bars {
    pub(super) fn add(&mut self, second: &LoadSecond) {
        if self.0.len() == SECONDS_MAX {
            self.0.pop_front();
        }
        let count = second.ok_count + second.failed_count;
        self.0.push_back(Bar { count, has_failures: second.failed_count > 0 });
    }

    /// The newest of them, at most `width`: red where requests failed, and a blank where none ended.
    pub(super) fn draw(&self, width: usize) -> String {
        let highest = self.0.iter().map(|bar| bar.count).max().unwrap_or_default().max(1);
        let drawn = self.0.iter().skip(self.0.len().saturating_sub(width)).map(|bar| {
            let height = usize::try_from((bar.count * 8).div_ceil(highest)).unwrap_or(HEIGHTS.len());
            let text = height.checked_sub(1).and_then(|height| HEIGHTS.get(height)).copied().unwrap_or(" ");
            let text = style(text).for_stderr();
            if bar.has_failures { text.red().to_string() } else { text.green().to_string() }
        });
        drawn.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_seconds_are_drawn_in_relation_to_the_best() {
        let mut bars = Bars::default();
        assert_eq!(bars.draw(10), "");
        for count in [9; 40].into_iter().chain([0, 1, 8, 4, 16]) {
            bars.add(&second(count, 0));
        }
        let text = |bars: &Bars, width| console::strip_ansi_codes(&bars.draw(width)).into_owned();
        assert_eq!(text(&bars, 5), " ▁▄▂█");
        assert_eq!(text(&bars, 100).chars().count(), SECONDS_MAX);
        bars.add(&second(0, 16));
        assert_eq!(text(&bars, 2), "██", "what failed has ended as well");
    }

    fn second(ok_count: u64, failed_count: u64) -> LoadSecond {
        let second = serde_json::json!({
            "load": "users", "second": 1, "target": 9.0, "ok_count": ok_count, "failed_count": failed_count,
            "in_flight_count": 0, "p50_ms": null, "p99_ms": null,
        });
        serde_json::from_value(second).unwrap()
    }
}
