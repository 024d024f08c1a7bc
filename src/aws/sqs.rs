//! Queues and their policies, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};

pub(super) const SERVICE: Service = Service { name: "sqs", id: "SQS", is_global: false };

/// SQS of one Region. Clones share their connections. Changes of attributes take up to 60 s to be seen everywhere (AWS).
#[derive(Debug, Clone)]
pub struct Sqs {
    signed: Signed,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueUrlAnswer {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AttributesAnswer {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagsAnswer {
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

impl Sqs {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// The URL of a queue of this account. `sqs:GetQueueUrl`.
    ///
    /// # Errors
    /// The call failed, also where there is no such queue.
    pub async fn queue_url(&self, name: &str) -> Result<String, AwsError> {
        let answer = self.call("GetQueueUrl", json!({"QueueName": name})).await?;
        Ok(answer.json::<QueueUrlAnswer>()?.queue_url)
    }

    /// The policy of a queue, as its JSON document; none where it has none. `sqs:GetQueueAttributes`.
    ///
    /// # Errors
    /// The call failed, also where there is no such queue.
    pub async fn policy(&self, url: &str) -> Result<Option<String>, AwsError> {
        // A policy that was cleared may come back as an empty one.
        Ok(self.attribute(url, "Policy").await?.0.filter(|policy| !policy.is_empty()))
    }

    /// The ARN of a queue. `sqs:GetQueueAttributes`.
    ///
    /// # Errors
    /// The call failed, also where there is no such queue.
    pub async fn arn(&self, url: &str) -> Result<String, AwsError> {
        let (arn, answer) = self.attribute(url, "QueueArn").await?;
        arn.ok_or_else(|| answer.bad("the answer has no ARN"))
    }

    /// The tags of a queue. `sqs:ListQueueTags`.
    ///
    /// # Errors
    /// The call failed, also where there is no such queue.
    pub async fn tags(&self, url: &str) -> Result<BTreeMap<String, String>, AwsError> {
        Ok(self.call("ListQueueTags", json!({"QueueUrl": url})).await?.json::<TagsAnswer>()?.tags)
    }

    /// Replaces the policy of a queue; none takes it away. There is no lock: whoever writes last wins.
    /// `sqs:SetQueueAttributes`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn set_policy(&self, url: &str, policy: Option<&str>) -> Result<(), AwsError> {
        let body = json!({"QueueUrl": url, "Attributes": {"Policy": policy.unwrap_or_default()}});
        self.call("SetQueueAttributes", body).await.map(drop)
    }

    async fn attribute(&self, url: &str, name: &str) -> Result<(Option<String>, Answer), AwsError> {
        let answer = self.call("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": [name]})).await?;
        let value = answer.json::<AttributesAnswer>()?.attributes.remove(name);
        Ok((value, answer))
    }

    async fn call(&self, operation: &'static str, body: Value) -> Result<Answer, AwsError> {
        let input = Input::Json { version: JsonVersion::V1_0, target: "AmazonSQS", body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    const URL: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/orders";

    #[tokio::test]
    async fn a_policy_is_read_set_and_cleared() {
        let read = r#"{"Attributes": {"Policy": "{\"Version\": \"2012-10-17\"}"}}"#;
        let replies = [read, "", "", "{}", r#"{"Attributes": {"Policy": ""}}"#].map(|body| Reply::new(200, body));
        let server = Server::start(replies).await;
        let sqs = Sqs::new(&server.signed());
        assert_eq!(sqs.policy(URL).await.unwrap().as_deref(), Some("{\"Version\": \"2012-10-17\"}"));
        sqs.set_policy(URL, Some("{}")).await.unwrap();
        sqs.set_policy(URL, None).await.unwrap();
        assert_eq!((sqs.policy(URL).await, sqs.policy(URL).await), (Ok(None), Ok(None)));
        let sent = server.recorded();
        assert_eq!(sent[0].header("x-amz-target"), Some("AmazonSQS.GetQueueAttributes"));
        assert_eq!(sent[0].header("content-type"), Some("application/x-amz-json-1.0"));
        assert_eq!(sent[0].json(), json!({"QueueUrl": URL, "AttributeNames": ["Policy"]}));
        assert_eq!(sent[1].json(), json!({"QueueUrl": URL, "Attributes": {"Policy": "{}"}}));
        assert_eq!(sent[2].json(), json!({"QueueUrl": URL, "Attributes": {"Policy": ""}}));
    }

    #[tokio::test]
    async fn a_queue_is_found_by_its_name() {
        let url = json!({"QueueUrl": URL}).to_string();
        let arn = r#"{"Attributes": {"QueueArn": "arn:aws:sqs:eu-central-1:123456789012:orders"}}"#;
        let server = Server::start([Reply::new(200, &url), Reply::new(200, arn), Reply::new(200, "{}")]).await;
        let sqs = Sqs::new(&server.signed());
        assert_eq!(sqs.queue_url("orders").await.as_deref(), Ok(URL));
        assert_eq!(sqs.arn(URL).await.as_deref(), Ok("arn:aws:sqs:eu-central-1:123456789012:orders"));
        assert_eq!(sqs.arn(URL).await.unwrap_err().message, "the answer has no ARN");
    }
}
