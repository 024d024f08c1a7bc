//! The tags of many resources at once, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::AwsError;
use super::signed::{Call, Input, JsonVersion, Service, Signed};
use super::tag::{Tag, by_key};

const SERVICE: Service = Service { name: "tagging", id: "Resource Groups Tagging API", is_global: false };
/// How many resources a page has. Source: AWS, `GetResources`.
const PAGE_RESOURCES_MAX: u32 = 100;
/// How many pages are read.
const PAGES_MAX: usize = 100;

/// The Resource Groups Tagging API of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Tagging {
    signed: Signed,
}

/// Resources with their tags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaggedResources {
    /// Tags by the ARN of what carries them. What never had a tag is not in it (AWS).
    pub tags: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether there are more than the 10,000 that are read.
    pub is_cut: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageAnswer {
    resource_tag_mapping_list: Vec<MappingAnswer>,
    pagination_token: Option<String>,
}

#[derive(Deserialize)]
struct MappingAnswer {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    #[serde(rename = "Tags", default)]
    tags: Vec<Tag>,
}

impl Tagging {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// All resources of some types that carry a tag, or did. `tag:GetResources`.
    ///
    /// # Errors
    /// A call failed, or a resource has no ARN.
    pub async fn resources(&self, types: &[&str]) -> Result<TaggedResources, AwsError> {
        let mut found = TaggedResources::default();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let mut body = json!({"ResourcesPerPage": PAGE_RESOURCES_MAX, "ResourceTypeFilters": types});
            if let Some(token) = token.take() {
                body["PaginationToken"] = token.into();
            }
            let target = "ResourceGroupsTaggingAPI_20170126";
            let input = Input::Json { version: JsonVersion::V1_1, target, body };
            let call = Call { service: &SERVICE, operation: "GetResources", input, secrets: &[] };
            let page: PageAnswer = self.signed.send(&call).await?.json()?;
            let pairs = page.resource_tag_mapping_list.into_iter();
            found.tags.extend(pairs.map(|mapping| (mapping.resource_arn, by_key(mapping.tags))));
            token = page.pagination_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(found);
            }
        }
        found.is_cut = true;
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    #[tokio::test]
    async fn tags_are_walked_to_the_end() {
        let first = r#"{"ResourceTagMappingList": [{"ResourceARN": "arn:1", "Tags": [{"Key": "a", "Value": "b"}]}],
            "PaginationToken": "t"}"#;
        let second = r#"{"ResourceTagMappingList": [{"ResourceARN": "arn:2"}], "PaginationToken": ""}"#;
        let server = Server::start([Reply::new(200, first), Reply::new(200, second)]).await;
        let found = Tagging::new(&server.signed()).resources(&["lambda:function"]).await.unwrap();
        assert_eq!((found.tags["arn:1"]["a"].as_str(), found.tags["arn:2"].len(), found.is_cut), ("b", 0, false));
        assert_eq!(server.recorded()[1].json()["PaginationToken"], "t");
        let endless = Server::start([Reply::new(200, first)]).await;
        assert!(Tagging::new(&endless.signed()).resources(&["sqs"]).await.unwrap().is_cut);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_no_list() {
        let throttled = r#"{"__type": "ThrottledException", "Message": "slow"}"#;
        for reply in [Reply::new(200, "{}"), Reply::new(200, "<html>"), Reply::new(503, ""), Reply::new(400, throttled)]
        {
            let server = Server::start([reply]).await;
            assert!(Tagging::new(&server.signed()).resources(&["sqs"]).await.is_err());
        }
    }
}
