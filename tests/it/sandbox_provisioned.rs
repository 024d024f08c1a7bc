//! Provisioned concurrency of the sandbox, with real processes and the AWS SDK.

use aws_sdk_lambda::types::ProvisionedConcurrencyStatusEnum as Status;

use crate::sandbox::{client, eventually, is_gone, process_id, start};
use crate::support::processes_with;

#[tokio::test]
async fn provisioned_processes_are_there_before_they_are_needed_and_end_with_the_configuration() {
    let sandbox = start("functions: {probe: {demo: probe, update_ms: 300, aliases: {live: 1}}}").await;
    let client = client(&sandbox).await;
    let put = |count| {
        let put = client.put_provisioned_concurrency_config().function_name("probe").qualifier("live");
        put.provisioned_concurrent_executions(count).send()
    };
    let get = || client.get_provisioned_concurrency_config().function_name("probe").qualifier("live").send();
    let missing = get().await.expect_err("nothing yet").into_service_error();
    assert!(missing.is_provisioned_concurrency_config_not_found_exception(), "{missing:?}");

    let answer = put(2).await.expect("a configuration");
    assert_eq!(
        (answer.status(), answer.requested_provisioned_concurrent_executions()),
        (Some(&Status::InProgress), Some(2))
    );
    assert_eq!(answer.allocated_provisioned_concurrent_executions(), Some(0));
    eventually("it is ready", async || get().await.expect("it").status() == Some(&Status::Ready)).await;
    assert_eq!(get().await.expect("it").available_provisioned_concurrent_executions(), Some(2));
    let started = processes_with(&format!("AWS_ENDPOINT_URL={}", sandbox.endpoint()));
    assert_eq!(started.len(), 2, "nobody has invoked yet");
    let served = process_id(&client, "probe:live").await;
    assert!(started.contains(&served), "no cold start: {served} of {started:?}");

    let limit = client.get_account_settings().send().await.expect("the settings").account_limit.expect("a limit");
    assert_eq!((limit.concurrent_executions, limit.unreserved_concurrent_executions), (1_000, Some(998)));
    let listed = client.list_provisioned_concurrency_configs().function_name("probe").send().await.expect("all");
    let arns: Vec<_> = listed.provisioned_concurrency_configs().iter().map(|config| config.function_arn()).collect();
    assert_eq!(arns, [Some("arn:aws:lambda:us-east-1:000000000000:function:probe:live")]);

    let delete = || client.delete_provisioned_concurrency_config().function_name("probe").qualifier("live").send();
    delete().await.expect("no configuration");
    eventually("its processes are gone", async || started.iter().all(|process| is_gone(*process))).await;
    let cold = process_id(&client, "probe:live").await;
    assert!(!started.contains(&cold), "the next invocation is a cold start");
    let limit = client.get_account_settings().send().await.expect("the settings").account_limit.expect("a limit");
    assert_eq!(limit.unreserved_concurrent_executions, Some(1_000));
    sandbox.stop().await;
}

#[tokio::test]
async fn what_can_not_be_provisioned_is_refused_and_a_function_that_does_not_start_fails() {
    let functions = "
functions:
  probe: {demo: probe, reserved: 5, aliases: {live: 1}}
  broken: {demo: probe, environment: {PROBE_INIT: exit}, aliases: {live: 1}}
";
    let sandbox = start(functions).await;
    let client = client(&sandbox).await;
    let put = |function: &str, qualifier: &str, count| {
        let put = client.put_provisioned_concurrency_config().function_name(function).qualifier(qualifier);
        put.provisioned_concurrent_executions(count).send()
    };
    for (function, qualifier, count) in
        [("probe", "$LATEST", 1), ("probe", "live", 0), ("probe", "live", 6), ("broken", "live", 901)]
    {
        let error = put(function, qualifier, count).await.expect_err(qualifier).into_service_error();
        assert!(error.is_invalid_parameter_value_exception(), "{function}:{qualifier} {count}: {error:?}");
    }
    let missing = put("probe", "7", 1).await.expect_err("no such version").into_service_error();
    assert!(missing.is_resource_not_found_exception(), "{missing:?}");
    put("broken", "live", 1).await.expect("a configuration");
    let get = || client.get_provisioned_concurrency_config().function_name("broken").qualifier("live").send();
    eventually("it has failed", async || get().await.expect("it").status() == Some(&Status::Failed)).await;
    let reason = get().await.expect("it").status_reason.expect("a reason");
    assert!(reason.contains("exit status 7"), "{reason}");
    sandbox.stop().await;
}
