//! Data streams, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};
use super::tag::{Tag, by_key};

pub(super) const SERVICE: Service = Service { name: "kinesis", id: "Kinesis", is_global: false };

/// Kinesis of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Kinesis {
    signed: Signed,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagsAnswer {
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Kinesis {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// Looks for a stream, by its name. `kinesis:DescribeStreamSummary`.
    ///
    /// # Errors
    /// The call failed, also where there is no such stream.
    pub async fn find_stream(&self, name: &str) -> Result<(), AwsError> {
        self.call("DescribeStreamSummary", name).await.map(drop)
    }

    /// The tags of a stream, which are at most 50 (AWS). `kinesis:ListTagsForStream`.
    ///
    /// # Errors
    /// The call failed, also where there is no such stream.
    pub async fn tags(&self, name: &str) -> Result<BTreeMap<String, String>, AwsError> {
        Ok(by_key(self.call("ListTagsForStream", name).await?.json::<TagsAnswer>()?.tags))
    }

    async fn call(&self, operation: &'static str, name: &str) -> Result<Answer, AwsError> {
        let body: Value = json!({"StreamName": name});
        let input = Input::Json { version: JsonVersion::V1_1, target: "Kinesis_20131202", body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    #[tokio::test]
    async fn a_stream_is_found_with_its_tags() {
        let tags = r#"{"HasMoreTags": false, "Tags": [{"Key": "a", "Value": "b"}]}"#;
        let gone = r#"{"__type": "ResourceNotFoundException"}"#;
        let server = Server::start([Reply::new(200, "{}"), Reply::new(200, tags), Reply::new(400, gone)]).await;
        let kinesis = Kinesis::new(&server.signed());
        assert_eq!(kinesis.find_stream("clicks").await, Ok(()));
        assert_eq!(kinesis.tags("clicks").await, Ok(BTreeMap::from([("a".to_owned(), "b".to_owned())])));
        assert!(kinesis.find_stream("clicks").await.unwrap_err().is_not_found());
        let sent = server.recorded();
        assert_eq!(sent[0].header("x-amz-target"), Some("Kinesis_20131202.DescribeStreamSummary"));
        assert_eq!(sent[0].json(), json!({"StreamName": "clicks"}));
    }
}
