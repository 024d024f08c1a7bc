//! Values second by second, thinned for drawing: a spike of one second is still there in a run of three hours.

/// The most points that one line is drawn with.
pub(super) const LINE_POINTS_MAX: usize = 600;

/// A value of a second.
pub(super) type Point = (u64, f64);

/// Cuts a line where seconds are missing, and thins each piece so that all together have about `points_max` points.
///
/// Of each bin the smallest and the largest value stay, in the order of their seconds.
pub(super) fn pieces(points: &[Point], points_max: usize) -> Vec<Vec<Point>> {
    let span = match (points.first(), points.last()) {
        (Some(first), Some(last)) => last.0.saturating_sub(first.0).saturating_add(1),
        _ => return Vec::new(),
    };
    let bins = u64::try_from(points_max / 2).unwrap_or(u64::MAX).max(1);
    let bin_seconds = if span <= bins * 2 { 1 } else { span.div_ceil(bins) };
    points.chunk_by(|left, right| right.0 <= left.0.saturating_add(1)).map(|piece| thin(piece, bin_seconds)).collect()
}

fn thin(piece: &[Point], bin_seconds: u64) -> Vec<Point> {
    let mut thinned = Vec::new();
    for bin in piece.chunk_by(|left, right| left.0 / bin_seconds == right.0 / bin_seconds) {
        let by_value = |left: &&Point, right: &&Point| left.1.total_cmp(&right.1);
        let (Some(low), Some(high)) = (bin.iter().min_by(by_value), bin.iter().max_by(by_value)) else { continue };
        thinned.push(*if low.0 <= high.0 { low } else { high });
        if low.0 != high.0 {
            thinned.push(*if low.0 <= high.0 { high } else { low });
        }
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spike_of_one_second_survives_three_hours() {
        let points: Vec<Point> = (0..10_800).map(|second| (second, if second == 7_777 { 99.0 } else { 1.0 })).collect();
        let pieces = pieces(&points, LINE_POINTS_MAX);
        assert_eq!(pieces.len(), 1);
        assert!(pieces[0].len() <= LINE_POINTS_MAX + 2, "{}", pieces[0].len());
        assert!(pieces[0].contains(&(7_777, 99.0)));
        assert!(pieces[0].is_sorted_by_key(|(second, _)| *second));
    }

    #[test]
    fn missing_seconds_break_the_line() {
        let points = [(0, 1.0), (1, 2.0), (5, 3.0)];
        assert_eq!(pieces(&points, 600), [vec![(0, 1.0), (1, 2.0)], vec![(5, 3.0)]]);
        assert!(pieces(&[], 600).is_empty());
    }
}
