//! Topics, by signed requests.

use std::collections::BTreeMap;

use super::AwsError;
use super::signed::{Answer, Call, Input, Service, Signed};
use crate::unit::SNS_API_VERSION;

pub(super) const SERVICE: Service = Service { name: "sns", id: "SNS", is_global: false };

/// SNS of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Sns {
    signed: Signed,
}

impl Sns {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// Looks for a topic, by its ARN. `sns:GetTopicAttributes`.
    ///
    /// # Errors
    /// The call failed, also where there is no such topic.
    pub async fn find_topic(&self, arn: &str) -> Result<(), AwsError> {
        self.call("GetTopicAttributes", "TopicArn", arn).await.map(drop)
    }

    /// The tags of a topic, by its ARN. `sns:ListTagsForResource`.
    ///
    /// # Errors
    /// The call failed, also where there is no such topic.
    pub async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let answer = self.call("ListTagsForResource", "ResourceArn", arn).await?;
        let root = answer.xml()?;
        let members = root.members(&["ListTagsForResourceResult", "Tags"]);
        let pairs = members.filter_map(|member| {
            Some((member.text_at(&["Key"])?.to_owned(), member.text_at(&["Value"]).unwrap_or_default().to_owned()))
        });
        Ok(pairs.collect())
    }

    async fn call(&self, operation: &'static str, name: &str, value: &str) -> Result<Answer, AwsError> {
        let input = Input::Query { version: SNS_API_VERSION, parameters: vec![(name.to_owned(), value.to_owned())] };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    #[tokio::test]
    async fn a_topic_is_found_with_its_tags() {
        let arn = "arn:aws:sns:eu-central-1:123456789012:orders";
        let tags = "<R><ListTagsForResourceResult><Tags><member><Key>a</Key><Value>b</Value></member></Tags>\
                    </ListTagsForResourceResult></R>";
        let gone = "<ErrorResponse><Error><Code>NotFound</Code><Message>no</Message></Error></ErrorResponse>";
        let server = Server::start([Reply::new(200, "<R/>"), Reply::new(200, tags), Reply::new(404, gone)]).await;
        let sns = Sns::new(&server.signed());
        assert_eq!(sns.find_topic(arn).await, Ok(()));
        assert_eq!(sns.tags(arn).await, Ok(BTreeMap::from([("a".to_owned(), "b".to_owned())])));
        assert!(sns.find_topic(arn).await.unwrap_err().is_not_found());
    }
}
