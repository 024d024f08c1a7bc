//! The frames behind the sample's seconds: what varies, varies by the second's number alone.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Script, shopper_second, staff_second};
use crate::event::LoadSecond;
use crate::load::{ArrivalFrame, ConnectionFrame, Doubt, FailureKind, FailureSample, Frame, StatusClass, StepFrame};
use crate::report::LoadSum;
use crate::report::window::windows;
use crate::unit::Histogram;

fn times(millis: impl IntoIterator<Item = f64>) -> Option<Histogram> {
    let mut histogram = Histogram::growing();
    millis.into_iter().for_each(|millis| histogram.record(Duration::from_secs_f64(millis / 1e3)));
    (histogram.count() > 0).then_some(histogram)
}

/// `count` times around `p50_ms`, the last of them `p99_ms`.
fn spread(count: u64, p50_ms: f64, p99_ms: f64) -> impl Iterator<Item = f64> + Clone {
    (0..count).map(move |index| match index + 1 == count {
        true => p99_ms,
        false => p50_ms * (0.6 + crate::report::number::float(index * 37 % 80) / 100.0),
    })
}

fn step(journey: &str, step: &str, second: &LoadSecond, counts: (u64, u64), is_open: bool) -> StepFrame {
    let (ok_count, failed_count) = counts;
    let (p50_ms, p99_ms) = (second.p50_ms.unwrap(), second.p99_ms.unwrap());
    let (ok, failed) = (spread(ok_count, p50_ms, p99_ms), spread(failed_count, p99_ms, p99_ms * 1.1));
    let refused = failed_count / 3;
    let failures = [(FailureKind::Status, refused), (FailureKind::Slow, failed_count - refused)];
    let late = failed.clone().skip(usize::try_from(refused).unwrap());
    let classes = [
        (StatusClass::Success, times(ok.clone().chain(late))),
        (StatusClass::ServerError, times(failed.clone().take(usize::try_from(refused).unwrap()))),
    ];
    let statuses = [(200, ok_count + failed_count - refused), (503, refused)];
    let all = || ok.clone().chain(failed.clone());
    StepFrame {
        journey: journey.to_owned(),
        step: step.to_owned(),
        ok: times(ok.clone()),
        failed: times(failed.clone()),
        service: if is_open { times(all().map(|millis| millis * 0.98)) } else { None },
        first_byte: times(all().map(|millis| millis * 0.9)),
        failures: failures.into_iter().filter(|(_, count)| *count > 0).collect(),
        statuses: statuses.into_iter().filter(|(_, count)| *count > 0).collect(),
        classes: match refused {
            0 => BTreeMap::new(),
            _ => classes.into_iter().filter_map(|(class, times)| Some((class, times?))).collect(),
        },
        bytes: 400 * (ok_count + failed_count),
        init: None,
        init_told: 0,
    }
}

fn frame(second: &LoadSecond, steps: Vec<StepFrame>, arrivals: Option<ArrivalFrame>, started: u64) -> Frame {
    let opened = second.second % 4;
    Frame {
        load: second.load.clone(),
        second: second.second,
        began_ms: 0,
        lasting_ms: 1_000,
        target: second.target,
        users_active: second.in_flight_count,
        in_flight: second.in_flight_count,
        started,
        arrivals,
        steps: steps.into_iter().filter(|step| step.count() > 0).collect(),
        connections: ConnectionFrame {
            open: 20,
            opened: 4 * second.second,
            connect: times((0..opened).map(|index| 0.3 + crate::report::number::float(index) / 10.0)),
            tls: None,
        },
        samples: if second.failed_count > 0 { samples() } else { Vec::new() },
        names_folded: false,
        latency_clipped: false,
        lag_ms: 1,
        worker_cpu_seconds: Some(0.1),
        doubts: Vec::new(),
    }
}

/// The frame behind a second of a load whose one step is `pay` of the journey `buy`.
pub(in crate::report) fn frame_of(second: &LoadSecond) -> Frame {
    let pay = step("buy", "pay", second, (second.ok_count, second.failed_count), true);
    let ended = 5 * second.second;
    let arrivals =
        ArrivalFrame { planned: ended, begun: ended, waiting: 0, not_sent: 0, not_sent_now: 0, pacer_lag: None };
    let frame = frame(second, vec![pay], Some(arrivals), ended + second.in_flight_count);
    let samples = frame.samples.into_iter().map(|sample| FailureSample { step: "pay".to_owned(), ..sample });
    Frame { samples: samples.collect(), ..frame }
}

fn samples() -> Vec<FailureSample> {
    let of = |kind, detail: &str| FailureSample {
        journey: "buy".to_owned(),
        step: "checkout".to_owned(),
        kind,
        detail: detail.to_owned(),
    };
    vec![of(FailureKind::Status, "status 503"), of(FailureKind::Slow, "1.3s, and not within 1s")]
}

/// Each shopper orders or looks; the staff is a load of users, of which two seconds are lost and one is doubtful.
pub(in crate::report) fn sums(script: &Script) -> [LoadSum; 2] {
    let windows = windows(&script.events());
    let mut sums = [LoadSum::new(&windows), LoadSum::new(&windows)];
    let (mut ended, mut planned) = (0, 0);
    for second in 8..92 {
        let shopper = shopper_second(second);
        let checkout = &shopper.steps["checkout"];
        let (ordered, looked) = (checkout.ok_count + checkout.failed_count, shopper.ok_count - checkout.ok_count);
        let steps = vec![
            step("look", "browse", &shopper, (looked, 0), true),
            step("buy", "checkout", &shopper, (ordered - shopper.failed_count, shopper.failed_count), true),
        ];
        ended += looked + ordered;
        planned += if second < 13 { (second - 7) * 6 } else { 40 };
        let begun = ended.min(planned);
        let arrivals =
            ArrivalFrame { planned, begun, waiting: planned - begun, not_sent: 0, not_sent_now: 0, pacer_lag: None };
        sums[0].add(&frame(&shopper, steps, Some(arrivals), ended + shopper.in_flight_count));
        let staff = staff_second(second);
        if !(75..77).contains(&second) {
            // The staff invokes a function, which now and then has to start first.
            let orders = step("audit", "orders", &staff, (staff.ok_count, 0), false);
            let init = times((second % 20 == 0).then_some(240.0));
            let steps = vec![StepFrame { init, init_told: staff.ok_count, ..orders }];
            let doubts = if second == 30 { vec![Doubt::Cpu] } else { Vec::new() };
            sums[1].add(&Frame { doubts, ..frame(&staff, steps, None, second * 4) });
        }
    }
    sums.map(LoadSum::finish)
}
