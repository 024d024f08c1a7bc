//! How soon alarms can tell, beside the hypotheses of a plan.

use serde_json::{Value, json};

use crate::observe::Fit;
use crate::plan::DetectionBound;
use crate::run::PredictedDetection;
use crate::unit::{DurationText, HypothesisId};

/// What stands beneath a hypothesis: a line for each alarm that it speaks of.
pub(super) fn lines(detections: &[PredictedDetection], hypothesis: &HypothesisId) -> Vec<String> {
    detections.iter().filter(|predicted| predicted.bound.hypothesis == *hypothesis).flat_map(of_one).collect()
}

fn of_one(PredictedDetection { bound, detection }: &PredictedDetection) -> Vec<String> {
    let DetectionBound { alarm, bound, .. } = bound;
    let detection = match detection {
        Ok(detection) => detection,
        Err(why) => return vec![format!("? it is not known how soon `{alarm}` can fire: {why}")],
    };
    let bound = DurationText(*bound);
    let mut lines = vec![match detection.fits(bound.0) {
        Fit::Keeps => format!("✓ `{alarm}` can fire in {bound}: {detection}"),
        Fit::May => format!("! `{alarm}` may be later than {bound}, by when in a period the fault begins: {detection}"),
        Fit::Misses => format!("✗ `{alarm}` can not fire in {bound}: {detection}"),
    }];
    lines.extend(detection.doubts.iter().map(|doubt| format!("  - {doubt}")));
    lines
}

/// The predictions as JSON: times in milliseconds from the effect on.
pub(super) fn json(detections: &[PredictedDetection]) -> Value {
    let of = |PredictedDetection { bound, detection }: &PredictedDetection| {
        let DetectionBound { hypothesis, alarm, bound } = bound;
        let bound_ms = crate::unit::elapsed_ms(*bound);
        match detection {
            Ok(detection) => json!({
                "hypothesis": hypothesis, "alarm": alarm, "bound_ms": bound_ms,
                "earliest_ms": crate::unit::elapsed_ms(detection.earliest.0),
                "latest_ms": crate::unit::elapsed_ms(detection.latest.0),
                "fit": detection.fits(*bound).as_str(),
                "because": detection.because, "doubts": detection.doubts,
            }),
            Err(why) => json!({"hypothesis": hypothesis, "alarm": alarm, "bound_ms": bound_ms, "unknown": why}),
        }
    };
    detections.iter().map(of).collect()
}
