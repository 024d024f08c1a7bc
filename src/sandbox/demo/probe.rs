//! `probe`: does what its event says, so that a test can see how the sandbox takes it.
//!
//! | event | what it does |
//! | --- | --- |
//! | `{"do": "echo", …}` | answers the event |
//! | `{"do": "pid"}` | answers `{"pid": n}` |
//! | `{"do": "env", "name": "X"}` | answers `{"value": "…"}`, `null` when it is not set |
//! | `{"do": "sleep", "ms": 100}` | answers later |
//! | `{"do": "hang", "file": "…"}` | starts a child, writes both process ids to the file, and never answers |
//! | `{"do": "print", "text": "…"}` | writes a line to standard output |
//! | `{"do": "append", "file": "…", "text": "…", "then": {…}}` | adds a line to the file, then does what `then` says |
//! | `{"Records": [{"body": "…"}, …]}` | does what each body says, as from a queue; answers how many there were |
//! | `{"do": "large", "bytes": n}` | answers a text of that length |
//! | `{"do": "fail"}` | fails as a handler does |
//! | `{"do": "crash", "code": 3}` | exits |
//!
//! With `PROBE_INIT=exit` it exits before it asks for work.

use std::io::Write as _;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::{Value, json};

use super::settings::DemoError;

/// How the probe exits when it is told to fail in its init.
const INIT_EXIT_CODE: i32 = 7;

pub(super) async fn run() -> Result<(), DemoError> {
    if std::env::var("PROBE_INIT").as_deref() == Ok("exit") {
        exit(INIT_EXIT_CODE);
    }
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| handle(event.payload).await))
        .await
        .map_err(DemoError::Runtime)
}

async fn handle(event: Value) -> Result<Value, Diagnostic> {
    let Some(records) = event["Records"].as_array() else { return act(event).await };
    for record in records {
        let body = record["body"].as_str().unwrap_or_default();
        let event = serde_json::from_str(body).map_err(|error| failure("Probe.Body", &error.to_string()))?;
        act(event).await?;
    }
    Ok(json!({"records": records.len()}))
}

async fn act(event: Value) -> Result<Value, Diagnostic> {
    let text = |name: &str| event[name].as_str().unwrap_or_default();
    let number = |name: &str| event[name].as_u64().unwrap_or_default();
    match text("do") {
        "echo" => Ok(event),
        "pid" => Ok(json!({"pid": std::process::id()})),
        "env" => Ok(json!({"value": std::env::var(text("name")).ok()})),
        "sleep" => {
            tokio::time::sleep(Duration::from_millis(number("ms"))).await;
            Ok(json!({"pid": std::process::id()}))
        }
        "hang" => hang(text("file")).await,
        "print" => {
            writeln!(std::io::stdout(), "{}", text("text"))
                .map_err(|error| failure("Probe.Print", &error.to_string()))?;
            Ok(json!({}))
        }
        "append" => {
            append(text("file"), text("text")).map_err(|error| failure("Probe.Append", &error.to_string()))?;
            match event.get("then") {
                Some(then) => Box::pin(act(then.clone())).await,
                None => Ok(json!({})),
            }
        }
        "large" => Ok(Value::String("x".repeat(usize::try_from(number("bytes")).unwrap_or_default()))),
        "fail" => Err(failure("Probe.Failed", "the probe was told to fail")),
        "crash" => exit(i32::try_from(number("code")).unwrap_or(1)),
        other => Err(failure("Probe.Unknown", &format!("the probe can not `{other}`"))),
    }
}

/// One write a line, so that lines of several processes do not mix.
fn append(file: &str, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(format!("{text}\n").as_bytes())
}

async fn hang(file: &str) -> Result<Value, Diagnostic> {
    let problem = |error: std::io::Error| failure("Probe.Hang", &error.to_string());
    let child = std::process::Command::new("sleep").arg("600").spawn().map_err(problem)?;
    std::fs::write(file, format!("{} {}\n", std::process::id(), child.id())).map_err(problem)?;
    std::future::pending().await
}

fn failure(kind: &str, text: &str) -> Diagnostic {
    Diagnostic { error_type: kind.to_owned(), error_message: text.to_owned() }
}

#[expect(clippy::disallowed_methods, reason = "a crash is what the probe is asked for; it has nothing to undo")]
fn exit(code: i32) -> ! {
    std::process::exit(code)
}
