//! Topics, by signed requests.

use std::collections::BTreeMap;

use super::AwsError;
use super::signed::{Answer, Call, Input, Service, Signed};
use crate::unit::SNS_API_VERSION;

pub(super) const SERVICE: Service = Service { name: "sns", id: "SNS", is_global: false };

/// How many pages of a topic's subscriptions are read; a page has up to 100 (AWS).
const PAGES_MAX: usize = 10;

/// Who is told by a topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subscriptions {
    /// How many have confirmed.
    pub confirmed: usize,
    /// How many have not: nothing is sent to them.
    pub pending: usize,
    /// Whether there are more than the 1,000 that are read.
    pub is_cut: bool,
}

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

    /// Who is told by a topic, by its ARN. `sns:ListSubscriptionsByTopic`.
    ///
    /// # Errors
    /// A call failed, also where there is no such topic; or a subscription has no ARN.
    pub async fn subscriptions(&self, arn: &str) -> Result<Subscriptions, AwsError> {
        let mut found = Subscriptions::default();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut parameters = vec![("TopicArn".to_owned(), arn.to_owned())];
            parameters.extend(token.take().map(|token| ("NextToken".to_owned(), token)));
            let answer = self.ask("ListSubscriptionsByTopic", parameters).await?;
            let root = answer.xml()?;
            let result = root.at(&["ListSubscriptionsByTopicResult"]);
            let result = result.ok_or_else(|| answer.bad("the answer has no result"))?;
            for member in result.members(&["Subscriptions"]) {
                let arn = member.text_at(&["SubscriptionArn"]).unwrap_or_default();
                // AWS: `PendingConfirmation`, and `Deleted` for what is gone.
                match arn {
                    "" => return Err(answer.bad("a subscription has no ARN")),
                    arn if arn.starts_with("arn:") => found.confirmed += 1,
                    _ => found.pending += 1,
                }
            }
            token = result.text_at(&["NextToken"]).filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(found);
            }
        }
        found.is_cut = true;
        Ok(found)
    }

    async fn call(&self, operation: &'static str, name: &str, value: &str) -> Result<Answer, AwsError> {
        self.ask(operation, vec![(name.to_owned(), value.to_owned())]).await
    }

    async fn ask(&self, operation: &'static str, parameters: Vec<(String, String)>) -> Result<Answer, AwsError> {
        let input = Input::Query { version: SNS_API_VERSION, parameters };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    fn subscribed(members: &str, token: &str) -> Reply {
        let body = format!(
            "<R><ListSubscriptionsByTopicResult><Subscriptions>{members}</Subscriptions>{token}\
             </ListSubscriptionsByTopicResult></R>"
        );
        Reply::new(200, &body)
    }

    #[tokio::test]
    async fn those_who_have_not_confirmed_are_not_told() {
        let of = |arn: &str| format!("<member><SubscriptionArn>{arn}</SubscriptionArn></member>");
        let replies = [
            subscribed(&of("PendingConfirmation"), "<NextToken>t</NextToken>"),
            subscribed(&of("arn:aws:sns:eu-central-1:1:orders:1"), ""),
        ];
        let server = Server::start(replies).await;
        let found = Sns::new(&server.signed()).subscriptions("arn:topic").await.unwrap();
        assert_eq!(found, Subscriptions { confirmed: 1, pending: 1, is_cut: false });
        assert!(server.recorded()[1].body.ends_with("NextToken=t"));
        let endless = Server::start([subscribed("", "<NextToken>t</NextToken>")]).await;
        assert!(Sns::new(&endless.signed()).subscriptions("arn:topic").await.unwrap().is_cut);
        for reply in [
            Reply::new(200, "<R/>"),
            Reply::new(200, "<html>"),
            Reply::new(503, ""),
            Reply::new(429, ""),
            subscribed("<member/>", ""),
        ] {
            let server = Server::start([reply]).await;
            assert!(Sns::new(&server.signed()).subscriptions("arn:topic").await.is_err());
        }
    }

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
