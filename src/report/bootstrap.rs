//! How sure a difference between two stretches of a load is: an interval by a bootstrap over blocks of seconds. Pure.
//!
//! Seconds that follow each other are alike, so whole blocks of them are drawn (moving blocks: Künsch, "The Jackknife and the Bootstrap for
//! General Stationary Observations", 1989), of a length that grows with the cube root of their number (Hall, Horowitz and Jing, "On
//! Blocking Rules for the Bootstrap with Dependent Data", 1995). The interval is that of the percentiles. It says how much the figure
//! moves by itself from second to second; that the next run is like this one it does not say.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// How often is drawn.
const DRAWS: usize = 1_000;
/// The share of the draws that lie in the interval.
const COVERAGE: f64 = 0.95;
/// Fewer seconds than this say too little of how much they differ.
pub(super) const SECONDS_MIN: usize = 10;

/// A part of a ratio that a second gives: what is counted, and of how much.
pub(super) type Share = (f64, f64);

/// A difference, and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    /// The figure of the first stretch.
    pub(super) before: f64,
    /// Of the second.
    pub(super) after: f64,
    /// The lower end of the interval of `after - before`.
    pub(super) low: f64,
    /// Its upper end.
    pub(super) high: f64,
}

/// The ratio of sums in either stretch, and the interval of their difference; none where a stretch is shorter than ten seconds, or has
/// nothing to divide by. The same seconds always give the same interval.
pub(super) fn difference(before: &[Share], after: &[Share]) -> Option<Interval> {
    if before.len().min(after.len()) < SECONDS_MIN {
        return None;
    }
    let (before, after) = (Blocks::new(before), Blocks::new(after));
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut draws: Vec<f64> =
        (0..DRAWS).filter_map(|_| Some(after.draw(&mut random)? - before.draw(&mut random)?)).collect();
    draws.sort_unstable_by(f64::total_cmp);
    let outside = f64::midpoint(0.0, 1.0 - COVERAGE);
    Some(Interval {
        before: before.all()?,
        after: after.all()?,
        low: quantile(&draws, outside)?,
        high: quantile(&draws, 1.0 - outside)?,
    })
}

/// The seconds of a stretch as sums from its start, so that a block of any length is one subtraction.
struct Blocks {
    sums: Vec<Share>,
    seconds: usize,
    length: usize,
}

impl Blocks {
    fn new(seconds: &[Share]) -> Self {
        let mut sums = vec![(0.0, 0.0)];
        let mut sum = (0.0, 0.0);
        for (part, whole) in seconds {
            sum = (sum.0 + part, sum.1 + whole);
            sums.push(sum);
        }
        let length = (1..seconds.len()).take_while(|length| length.pow(3) <= seconds.len()).last().unwrap_or(1);
        Self { sums, seconds: seconds.len(), length }
    }

    fn sum(&self, from: usize, length: usize) -> Share {
        match (self.sums.get(from), self.sums.get(from + length)) {
            (Some(start), Some(end)) => (end.0 - start.0, end.1 - start.1),
            (None, _) | (_, None) => (0.0, 0.0),
        }
    }

    fn all(&self) -> Option<f64> {
        ratio(self.sum(0, self.seconds))
    }

    /// The ratio of as many seconds as there are, in blocks from anywhere.
    fn draw(&self, random: &mut ChaCha8Rng) -> Option<f64> {
        let mut sum = (0.0, 0.0);
        let mut wanted = self.seconds;
        while wanted > 0 {
            let length = self.length.min(wanted);
            let block = self.sum(random.random_range(0..=self.seconds - length), length);
            sum = (sum.0 + block.0, sum.1 + block.1);
            wanted -= length;
        }
        ratio(sum)
    }
}

fn ratio((part, whole): Share) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "an index of a thousand draws"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((last as f64 * share).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds whose value wanders: each is much like the one before.
    fn seconds(count: usize, mean: f64, seed: u64) -> Vec<Share> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut drift = 0.0;
        let mut next = || {
            drift = 0.5 * drift + random.random_range(-1.0..1.0);
            (mean + drift, 1.0)
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn few_seconds_and_nothing_to_divide_by_tell_nothing() {
        assert_eq!(difference(&seconds(9, 5.0, 1), &seconds(60, 5.0, 2)), None);
        assert_eq!(difference(&[(0.0, 0.0); 20], &seconds(20, 5.0, 2)), None);
    }

    #[test]
    fn what_does_not_move_has_an_interval_of_no_width() {
        let found = difference(&[(1.0, 10.0); 20], &[(3.0, 10.0); 30]).unwrap();
        assert_eq!((found.before, found.after), (0.1, 0.3));
        assert!((found.low - 0.2).abs() < 1e-9 && (found.high - 0.2).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn the_same_seconds_give_the_same_interval() {
        let (before, after) = (seconds(40, 5.0, 1), seconds(25, 6.0, 2));
        assert_eq!(difference(&before, &after), difference(&before, &after));
    }

    /// What the interval promises, measured: of many pairs that differ by one, nearly all intervals hold the one. Blocks of few seconds
    /// make it somewhat too narrow, as the literature says; single seconds would make it much too narrow.
    #[test]
    fn the_interval_holds_the_truth_about_as_often_as_it_says() {
        for (count, at_least) in [(20, 75), (60, 85), (600, 90)] {
            let holds = |pair: &u64| {
                let found = difference(&seconds(count, 5.0, pair * 2), &seconds(count, 6.0, pair * 2 + 1)).unwrap();
                (found.low..=found.high).contains(&1.0)
            };
            let held = (0..100).filter(holds).count();
            assert!(held >= at_least, "{held} of 100 with {count} seconds");
            assert!(count < 60 || held < 100, "an interval that is never wrong is too wide to say anything");
        }
    }
}
