//! Queues and their policies, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};

pub(super) const SERVICE: Service = Service { name: "sqs", id: "SQS", is_global: false };

/// What a queue is set to, as far as messages can be lost by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSettings {
    /// Its ARN.
    pub arn: String,
    /// For how many seconds a message that was taken is not seen by others.
    pub visibility_seconds: u32,
    /// The ARN of its dead-letter queue; none where it has none.
    pub dead_letter: Option<String>,
}

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

    /// What a queue is set to. `sqs:GetQueueAttributes`.
    ///
    /// # Errors
    /// The call failed, also where there is no such queue; or the answer lacks something or has something that can not be read.
    pub async fn settings(&self, url: &str) -> Result<QueueSettings, AwsError> {
        let names = ["QueueArn", "VisibilityTimeout", "RedrivePolicy"];
        let answer = self.call("GetQueueAttributes", json!({"QueueUrl": url, "AttributeNames": names})).await?;
        let mut attributes = answer.json::<AttributesAnswer>()?.attributes;
        let arn = attributes.remove("QueueArn").ok_or_else(|| answer.bad("the answer has no ARN"))?;
        let visibility = attributes.remove("VisibilityTimeout").and_then(|text| text.parse().ok());
        let visibility_seconds = visibility.ok_or_else(|| answer.bad("the answer has no visibility timeout"))?;
        let redrive = attributes.remove("RedrivePolicy").filter(|text| !text.is_empty());
        let dead_letter = redrive.map(|text| {
            let policy: Value = serde_json::from_str(&text).unwrap_or_default();
            let target = policy.get("deadLetterTargetArn").and_then(Value::as_str);
            target.map(str::to_owned).ok_or_else(|| answer.bad("the redrive policy names no queue"))
        });
        Ok(QueueSettings { arn, visibility_seconds, dead_letter: dead_letter.transpose()? })
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
    async fn settings_are_read_whole_or_not_at_all() {
        let read = async |attributes: Value| {
            let body = json!({ "Attributes": attributes }).to_string();
            let server = Server::start([Reply::new(200, &body)]).await;
            Sqs::new(&server.signed()).settings(URL).await
        };
        let policy = json!({"deadLetterTargetArn": "arn:dead", "maxReceiveCount": 3}).to_string();
        let whole = json!({"QueueArn": "arn:q", "VisibilityTimeout": "30", "RedrivePolicy": policy});
        let settings = read(whole).await.unwrap();
        assert_eq!((settings.visibility_seconds, settings.dead_letter.as_deref()), (30, Some("arn:dead")));
        assert_eq!(read(json!({"QueueArn": "arn:q", "VisibilityTimeout": "30"})).await.unwrap().dead_letter, None);
        for lacking in [
            json!({}),
            json!({"QueueArn": "arn:q"}),
            json!({"QueueArn": "arn:q", "VisibilityTimeout": "soon"}),
            json!({"QueueArn": "arn:q", "VisibilityTimeout": "30", "RedrivePolicy": "{"}),
        ] {
            assert!(read(lacking).await.is_err());
        }
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
