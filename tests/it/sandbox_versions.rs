//! Versions, aliases and layers of the sandbox, with real processes and the AWS SDK.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use gameday::sandbox::Sandbox;
use serde_json::json;
use tokio::task::JoinSet;

use crate::sandbox::{client, eventually, invoke, is_gone, process_id, start, variables};

/// A function with version 1 behind `live`, whose colour is red, and version 2, whose colour is blue.
async fn two_versions() -> (Sandbox, Client) {
    let sandbox = start("functions: {probe: {demo: probe, aliases: {live: 1}, environment: {COLOUR: red}}}").await;
    let client = client(&sandbox).await;
    paint(&client, "blue").await;
    let published =
        client.publish_version().function_name("probe").description("blue").send().await.expect("a version");
    assert_eq!((published.version(), published.description()), (Some("2"), Some("blue")));
    assert_eq!(published.function_arn(), Some("arn:aws:lambda:us-east-1:000000000000:function:probe:2"));
    (sandbox, client)
}

async fn paint(client: &Client, colour: &str) {
    let update = client.update_function_configuration().function_name("probe");
    update.environment(variables(&[("COLOUR", colour)])).send().await.expect("an update");
    let is_done = async || {
        let now = client.get_function_configuration().function_name("probe").send().await.expect("it");
        now.last_update_status().is_some_and(|status| status.as_str() == "Successful")
    };
    eventually("the update has ended", is_done).await;
}

fn weights(version: &str, weight: f64) -> AliasRoutingConfiguration {
    AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build()
}

/// How many of `count` invocations each version got, by the answer's header and by the answer itself.
async fn split(client: &Client, count: usize) -> BTreeMap<(String, String), usize> {
    const AT_ONCE: usize = 4;
    let mut callers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let client = client.clone();
        callers.spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..count / AT_ONCE {
                let call = client.invoke().function_name("probe").qualifier("live");
                let call = call.payload(Blob::new(json!({"do": "env", "name": "COLOUR"}).to_string()));
                let answer = call.send().await.expect("an answer");
                let payload: serde_json::Value =
                    serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON");
                let colour = payload["value"].as_str().expect("a colour").to_owned();
                seen.push((answer.executed_version().expect("a version").to_owned(), colour));
            }
            seen
        });
    }
    let mut counts = BTreeMap::new();
    for seen in callers.join_all().await.into_iter().flatten() {
        *counts.entry(seen).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn an_alias_with_a_weight_of_30_percent_gives_30_percent_to_the_second_version() {
    let (sandbox, client) = two_versions().await;
    let shift = client.update_alias().function_name("probe").name("live").routing_config(weights("2", 0.3));
    let shifted = shift.send().await.expect("a shift");
    assert_eq!(shifted.function_version(), Some("1"));
    let counts = split(&client, 2_000).await;
    let of = |version: &str, colour: &str| counts.get(&(version.to_owned(), colour.to_owned())).copied();
    let second = of("2", "blue").expect("some go to version 2");
    assert!((540..=660).contains(&second), "{counts:?}");
    assert_eq!(of("1", "red"), Some(2_000 - second), "each version runs its own configuration: {counts:?}");

    let back = client.update_alias().function_name("probe").name("live");
    let back = back.routing_config(AliasRoutingConfiguration::builder().build()).send().await.expect("a way back");
    assert_eq!(back.routing_config(), None);
    assert_eq!(split(&client, 40).await.into_keys().collect::<Vec<_>>(), [("1".to_owned(), "red".to_owned())]);
    sandbox.stop().await;
}

#[tokio::test]
async fn the_url_of_an_alias_is_split_as_well() {
    let functions = "functions: {shop: {demo: checkout, aliases: {live: 1}}}";
    let sandbox = start(functions).await;
    let client = client(&sandbox).await;
    let update = client.update_function_configuration().function_name("shop").timeout(9);
    update.send().await.expect("an update");
    client.publish_version().function_name("shop").send().await.expect("version 2");
    let shift = client.update_alias().function_name("shop").name("live").routing_config(weights("2", 0.5));
    shift.send().await.expect("a shift");
    let url = format!("{}/health", sandbox.function_url("shop:live").expect("a URL"));
    // Both versions have written their START lines once both have served.
    eventually("both versions serve the URL", async || {
        assert_eq!(reqwest::get(&url).await.expect("an answer").status(), 200);
        processes_of(&sandbox) == 2
    })
    .await;
    sandbox.stop().await;
}

/// How many processes of the sandbox's functions run.
fn processes_of(sandbox: &Sandbox) -> usize {
    crate::support::processes_with(&format!("AWS_ENDPOINT_URL={}", sandbox.endpoint())).len()
}

#[tokio::test]
async fn warm_processes_are_kept_by_version_and_end_with_it() {
    let (sandbox, client) = two_versions().await;
    let pids = [process_id(&client, "probe:1").await, process_id(&client, "probe:2").await];
    assert_ne!(pids[0], pids[1]);
    assert_eq!([process_id(&client, "probe:1").await, process_id(&client, "probe:2").await], pids);

    let delete = |version: &str| client.delete_function().function_name("probe").qualifier(version).send();
    let in_use = delete("1").await.expect_err("`live` leads to it").into_service_error();
    assert!(in_use.is_resource_conflict_exception(), "{in_use:?}");
    let shift = |weight| client.update_alias().function_name("probe").name("live").routing_config(weights("2", weight));
    shift(0.0).send().await.expect("a shift");
    let in_use = delete("2").await.expect_err("`live` leads to it, with whatever weight").into_service_error();
    assert!(in_use.is_resource_conflict_exception(), "{in_use:?}");

    let alone = client.update_alias().function_name("probe").name("live");
    alone.routing_config(AliasRoutingConfiguration::builder().build()).send().await.expect("one version");
    delete("2").await.expect("nobody uses it");
    eventually("its process is gone", async || is_gone(pids[1])).await;
    assert_eq!(process_id(&client, "probe:1").await, pids[0]);
    let missing = delete("2").await.expect_err("it is gone").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    for refused in ["$LATEST", "live"] {
        let error = delete(refused).await.expect_err(refused).into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn publishing_is_guarded_and_makes_a_version_only_of_what_has_changed() {
    let (sandbox, client) = two_versions().await;
    let publish = || client.publish_version().function_name("probe");
    assert_eq!(publish().send().await.expect("a version").version(), Some("2"));
    let latest = client.get_function_configuration().function_name("probe").send().await.expect("it");
    let revision = latest.revision_id().expect("a revision").to_owned();
    let stale = publish().revision_id("stale").send().await.expect_err("stale").into_service_error();
    assert!(stale.is_precondition_failed_exception(), "{stale:?}");
    let other = publish().code_sha256("x").send().await.expect_err("other code").into_service_error();
    assert!(other.is_invalid_parameter_value_exception(), "{other:?}");
    paint(&client, "green").await;
    let stale = publish().revision_id(revision).send().await.expect_err("stale").into_service_error();
    assert!(stale.is_precondition_failed_exception(), "{stale:?}");
    let sha256 = latest.code_sha256().expect("a digest");
    assert_eq!(publish().code_sha256(sha256).send().await.expect("a version").version(), Some("3"));
    for (version, colour) in [("1", "red"), ("2", "blue"), ("3", "green")] {
        let payload = invoke(&client, &format!("probe:{version}"), json!({"do": "env", "name": "COLOUR"})).await;
        assert_eq!(payload["value"], colour, "a version keeps its configuration");
    }
    sandbox.stop().await;
}

#[tokio::test]
async fn an_alias_is_made_changed_and_deleted_under_its_revision() {
    let (sandbox, client) = two_versions().await;
    let create = |name: &str, version: &str| {
        client.create_alias().function_name("probe").name(name).function_version(version).send()
    };
    let made = create("next", "2").await.expect("an alias");
    assert_eq!(made.alias_arn(), Some("arn:aws:lambda:us-east-1:000000000000:function:probe:next"));
    assert_eq!(invoke(&client, "probe:next", json!({"do": "env", "name": "COLOUR"})).await["value"], "blue");
    let twice = create("next", "1").await.expect_err("it is there").into_service_error();
    assert!(twice.is_resource_conflict_exception(), "{twice:?}");
    let missing = create("later", "7").await.expect_err("no such version").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");

    let update = |revision: &str| {
        client.update_alias().function_name("probe").name("next").function_version("1").revision_id(revision).send()
    };
    let first = made.revision_id().expect("a revision");
    let updated = update(first).await.expect("an update");
    assert_ne!(updated.revision_id(), Some(first));
    let stale = update(first).await.expect_err("a stale revision").into_service_error();
    assert!(stale.is_precondition_failed_exception(), "{stale:?}");
    assert_eq!(invoke(&client, "probe:next", json!({"do": "env", "name": "COLOUR"})).await["value"], "red");

    client.delete_alias().function_name("probe").name("next").send().await.expect("it is gone");
    let gone = client.get_alias().function_name("probe").name("next").send().await.expect_err("gone");
    assert!(gone.into_service_error().is_resource_not_found_exception());
    sandbox.stop().await;
}

#[tokio::test]
async fn layers_are_told_in_their_order_and_replaced_as_a_whole() {
    let layer = |name: &str| format!("arn:aws:lambda:us-east-1:000000000000:layer:{name}:1");
    let sandbox = start(&format!("functions: {{probe: {{demo: probe, layers: ['{}']}}}}", layer("base"))).await;
    let client = client(&sandbox).await;
    let layers = async || {
        let now = client.get_function_configuration().function_name("probe").send().await.expect("it");
        now.layers().iter().map(|layer| layer.arn().expect("an ARN").to_owned()).collect::<Vec<_>>()
    };
    let update =
        |layers: Vec<String>| client.update_function_configuration().function_name("probe").set_layers(Some(layers));
    assert_eq!(layers().await, [layer("base")]);
    update(vec![layer("chaos"), layer("base")]).send().await.expect("an update");
    assert_eq!(layers().await, [layer("chaos"), layer("base")]);
    let six = ["a", "b", "c", "d", "e", "f"].map(layer).to_vec();
    let error = update(six).send().await.expect_err("six layers").into_service_error();
    assert!(error.is_invalid_parameter_value_exception(), "{error:?}");
    update(Vec::new()).send().await.expect("an update");
    assert_eq!(layers().await, Vec::<String>::new());
    sandbox.stop().await;
}
