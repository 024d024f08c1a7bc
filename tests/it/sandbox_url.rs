//! Who may call a function URL of the sandbox.

use aws_sdk_lambda::types::FunctionUrlAuthType;

use crate::sandbox::{client, start};

#[tokio::test]
async fn a_url_with_iam_refuses_what_is_not_signed() {
    let sandbox = start("functions: {shop: {demo: checkout, aliases: {live: 1}}}").await;
    let client = client(&sandbox).await;
    let http = reqwest::Client::new();
    let url = format!("{}/health", sandbox.function_url("shop").expect("a URL"));
    let set = |auth_type| client.update_function_url_config().function_name("shop").auth_type(auth_type).send();
    let status = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
    assert_eq!(status(http.get(&url)).await, 200);

    let updated = set(FunctionUrlAuthType::AwsIam).await.expect("an update");
    assert_eq!(updated.auth_type(), &FunctionUrlAuthType::AwsIam);
    assert_ne!(updated.last_modified_time(), updated.creation_time());
    let refused = http.get(&url).send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    assert_eq!(refused.text().await.expect("a body"), r#"{"Message":"Forbidden"}"#);
    let signature = "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/lambda/aws4_request, Signature=00";
    assert_eq!(status(http.get(&url).header("Authorization", signature)).await, 200);
    assert_eq!(status(http.get(format!("{url}?X-Amz-Signature=00"))).await, 200);
    assert_eq!(status(http.get(&url).header("Authorization", "Bearer x")).await, 403);

    let alias = format!("{}/health", sandbox.function_url("shop:live").expect("a URL"));
    assert_eq!(status(http.get(&alias)).await, 200, "the URL of an alias has settings of its own");
    let live = client.update_function_url_config().function_name("shop").qualifier("live");
    live.auth_type(FunctionUrlAuthType::AwsIam).send().await.expect("an update");
    assert_eq!(status(http.get(&alias)).await, 403);

    set(FunctionUrlAuthType::None).await.expect("an update");
    assert_eq!(status(http.get(&url)).await, 200);
    let now = client.get_function_url_config().function_name("shop").send().await.expect("it");
    assert_eq!(now.auth_type(), &FunctionUrlAuthType::None);
    sandbox.stop().await;
}
