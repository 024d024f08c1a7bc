//! Peers that are libraries: this program itself, started again, is their process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_lambda::config::{Credentials, Region};
use goose::config::GooseConfiguration;
use goose::prelude::*;
use tokio::time::Instant;

use crate::rig::say;

/// Which peer the process is, and its URL and seconds.
pub(crate) const VARIABLE: &str = "GAMEDAY_BENCH_PEER";

/// Does a peer's work, where the process is one, and says how many requests it made.
pub(crate) fn serve() -> bool {
    let Ok(text) = std::env::var(VARIABLE) else { return false };
    let words: Vec<&str> = text.split(' ').collect();
    let [peer, url, seconds] = words.as_slice() else { panic!("`{text}` is no peer") };
    let seconds: u64 = seconds.parse().expect("a number");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let count = match *peer {
        "sdk" => runtime.block_on(invoke(url, Duration::from_secs(seconds))),
        "goose" => runtime.block_on(attack(url, seconds)),
        other => panic!("`{other}` is no peer"),
    };
    say(&count.to_string());
    true
}

/// `aws-sdk-lambda` with fifty invocations at once.
async fn invoke(url: &str, lasting: Duration) -> u64 {
    let configuration = aws_config::defaults(aws_config::BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("gameday", "gameday", None, None, "made up"))
        .load()
        .await;
    let client = aws_sdk_lambda::Client::new(&configuration);
    let count = Arc::new(AtomicU64::new(0));
    let end = Instant::now() + lasting;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (client, count) = (client.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                while Instant::now() < end {
                    let payload = aws_sdk_lambda::primitives::Blob::new("{\"order\":17}");
                    let answer = client.invoke().function_name("fn").payload(payload).send().await.expect("an answer");
                    assert_eq!(answer.status_code(), 200);
                    count.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    count.load(Ordering::Relaxed)
}

/// Plain goose with fifty users, as its documentation has it.
async fn attack(url: &str, seconds: u64) -> u64 {
    async fn look(user: &mut GooseUser) -> TransactionResult {
        let answer = user.get("/1k").await?;
        if let Ok(response) = answer.response {
            response.bytes().await.ok();
        }
        Ok(())
    }
    let host = url.strip_suffix("/1k").expect("the file's URL");
    let mut configuration = GooseConfiguration::default();
    (configuration.no_print_metrics, configuration.no_telnet, configuration.no_websocket) = (true, true, true);
    configuration.quiet = 4;
    let users = scenario!("users").set_host(host).register_transaction(transaction!(look));
    let metrics = GooseAttack::initialize_with_config(configuration)
        .expect("a configuration")
        .register_scenario(users)
        .set_default(GooseDefault::TestPlan, format!("50,0;50,{seconds};0,0").as_str())
        .expect("a plan")
        .execute()
        .await
        .expect("it runs");
    let counts = metrics.requests.values().map(|request| request.success_count + request.fail_count);
    u64::try_from(counts.sum::<usize>()).expect("it fits")
}
