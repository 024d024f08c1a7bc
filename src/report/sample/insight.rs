//! What the logs and traces of the sample run say.

use serde_json::{Value, json};

use crate::observe::{LogEvidence, TraceEvidence};
use crate::report::insight::Seen;

fn execution(number: u32, duration_ms: f64, init_ms: Option<f64>, error: Option<&str>) -> Value {
    json!({
        "request_id": format!("8f2c1e00-0000-4000-8000-{number:012x}"),
        "trace_id": init_ms.is_none().then(|| format!("1-69132a00-{number:024x}")),
        "at": "2026-11-10T10:00:40Z",
        "duration_ms": duration_ms,
        "is_cold": init_ms.is_some(),
        "init_ms": init_ms,
        "max_memory_mb": error.is_none().then_some(96.0),
        "status": error.map(|_| "error"),
        "attempts": 1,
        "error": error,
    })
}

/// The logs of a function that is well but for what a test changes in it: 400 invocations, nothing wrong.
pub(in crate::report) fn logs(function: &str) -> LogEvidence {
    let value = json!({
        "format": 1,
        "function": function,
        "group": format!("/aws/lambda/{function}"),
        "from": "2026-11-10T10:00:00Z",
        "until": "2026-11-10T10:01:34Z",
        "way": "insights",
        "cut": null,
        "row_count": 900,
        "invocation_count": 400,
        "minutes": [],
        "durations": {"p50_ms": 120.0, "p99_ms": 900.0, "max_ms": 1_400.0},
        "cold_starts": {"count": 4, "durations": {"p50_ms": 300.0, "p99_ms": 410.0, "max_ms": 410.0}},
        "near_timeout": {"limit": 5_000.0, "count": 0, "percent_max": 28.0},
        "near_memory": {"limit": 128.0, "count": 0, "percent_max": 75.0},
        "timeout_count": 0,
        "out_of_memory_count": 0,
        "retries": {"request_count": 0, "attempts_max": 1, "request_ids": []},
        "error_count": 0,
        "error_groups": [],
        "other_error_count": 0,
        "untraced": {"structured_count": 400, "untraced_count": 0},
        "slowest": [],
        "failed": [],
    });
    serde_json::from_value(value).unwrap()
}

pub(in crate::report) fn traces() -> TraceEvidence {
    let value = json!({
        "format": 1,
        "from": "2026-11-10T10:00:00Z",
        "until": "2026-11-10T10:01:34Z",
        "way": "x_ray",
        "cut": null,
        "unknown": [],
        "trace_count": 12,
        "fault_count": 0,
        "error_count": 0,
        "throttle_count": 0,
        "slowest": [],
        "failed": [],
        "causes": [],
        "edges": [],
    });
    serde_json::from_value(value).unwrap()
}

/// A trace as an example.
fn example(number: u32, response_ms: f64, cause: Option<&str>) -> Value {
    json!({
        "id": format!("1-69132a00-{number:024x}"),
        "began_at": "2026-11-10T10:00:40Z",
        "response_ms": response_ms,
        "http_status": cause.map(|_| 502),
        "services": ["checkout"],
        "causes": cause.into_iter().collect::<Vec<_>>(),
    })
}

/// A function whose provider is slow, and the traces of both; the other function's logs could not be had.
pub(super) fn seen() -> Seen {
    let error = "PaymentError: provider answered in # ms";
    let mut checkout = logs("checkout-fn");
    checkout.cut = Some("there are more than 200000 lines".to_owned());
    checkout.near_timeout =
        serde_json::from_value(json!({"limit": 5_000.0, "count": 31, "percent_max": 99.1})).unwrap();
    checkout.durations =
        serde_json::from_value(json!({"p50_ms": 140.0, "p99_ms": 4_700.0, "max_ms": 4_955.0})).unwrap();
    checkout.untraced.untraced_count = 120;
    checkout.error_count = 58;
    checkout.error_groups = serde_json::from_value(json!([{
        "signature": error,
        "count": 52,
        "first_at": "2026-11-10T10:00:33Z",
        "last_at": "2026-11-10T10:00:58Z",
        "request_id": "8f2c1e00-0000-4000-8000-000000000003",
    }]))
    .unwrap();
    let slowest = json!([execution(1, 4_955.0, Some(320.0), None), execution(2, 4_900.0, None, None)]);
    checkout.slowest = serde_json::from_value(slowest).unwrap();
    let failed = json!([execution(3, 4_700.0, None, Some(error)), execution(4, 4_650.0, None, Some(error))]);
    checkout.failed = serde_json::from_value(failed).unwrap();
    let mut of_both = traces();
    of_both.trace_count = 61;
    of_both.fault_count = 2;
    let cause = "checkout → payments: TimeoutError";
    of_both.slowest = serde_json::from_value(json!([example(2, 5_100.0, None)])).unwrap();
    of_both.failed = serde_json::from_value(json!([example(3, 4_800.0, Some(cause))])).unwrap();
    of_both.causes = serde_json::from_value(json!([{"cause": cause, "count": 2}])).unwrap();
    let mut seen = Seen::default();
    seen.logs.insert("evidence/logs/checkout-fn.json".to_owned(), Ok(checkout));
    seen.traces.insert("evidence/traces/traces.json".to_owned(), Ok(of_both));
    seen
}
