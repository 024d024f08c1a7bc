//! Resources by their tags, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::AwsError;
use super::signed::{Call, Input, JsonVersion, Service, Signed};

const SERVICE: Service = Service { name: "tag", host: "tagging", id: "Resource Groups Tagging API", is_global: false };
/// How many pages are read; each has up to 100 resources (AWS).
const PAGES_MAX: usize = 100;

/// The Resource Groups Tagging API of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Tagging {
    signed: Signed,
}

/// A resource with its tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tagged {
    /// The resource's ARN.
    pub arn: String,
    /// All of its tags.
    pub tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetResourcesAnswer {
    #[serde(default)]
    pagination_token: String,
    resource_tag_mapping_list: Vec<Mapping>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Mapping {
    #[serde(rename = "ResourceARN")]
    arn: String,
    #[serde(default)]
    tags: Vec<Tag>,
}

/// A tag as most services write it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// Tags by their keys.
pub(super) fn by_key(tags: impl IntoIterator<Item = Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|Tag { key, value }| (key, value)).collect()
}

impl Tagging {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// The resources of the Region that have every one of `tags`, of the types in `kinds` (`lambda:function`, or a service:
    /// `lambda`); no types are all types. Resources that never had a tag are not found (AWS). `tag:GetResources`.
    ///
    /// # Errors
    /// A call failed, or there are more than 100 pages.
    pub async fn resources(&self, tags: &BTreeMap<String, String>, kinds: &[&str]) -> Result<Vec<Tagged>, AwsError> {
        let filters: Vec<_> = tags.iter().map(|(key, value)| json!({"Key": key, "Values": [value]})).collect();
        let mut found = Vec::new();
        let mut token = String::new();
        for page in 1.. {
            let mut body = json!({"TagFilters": filters});
            if !kinds.is_empty() {
                body["ResourceTypeFilters"] = json!(kinds);
            }
            if !token.is_empty() {
                body["PaginationToken"] = json!(token);
            }
            let input = Input::Json { version: JsonVersion::V1_1, target: "ResourceGroupsTaggingAPI_20170126", body };
            let call = Call { service: &SERVICE, operation: "GetResources", input, secrets: &[] };
            let answer = self.signed.send(&call).await?;
            let GetResourcesAnswer { pagination_token, resource_tag_mapping_list } = answer.json()?;
            found.extend(
                resource_tag_mapping_list.into_iter().map(|Mapping { arn, tags }| Tagged { arn, tags: by_key(tags) }),
            );
            if pagination_token.is_empty() {
                break;
            }
            if page >= PAGES_MAX {
                return Err(answer.bad("the list of resources has no end"));
            }
            token = pagination_token;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    fn page(token: &str, arn: &str) -> Reply {
        let mapping = json!({"ResourceARN": arn, "Tags": [{"Key": "game-day", "Value": "yes"}]});
        Reply::new(200, &json!({"PaginationToken": token, "ResourceTagMappingList": [mapping]}).to_string())
    }

    #[tokio::test]
    async fn resources_are_read_to_the_last_page() {
        let server = Server::start([page("next", "arn:1"), page("", "arn:2")]).await;
        let tags = BTreeMap::from([("game-day".to_owned(), "yes".to_owned())]);
        let found = Tagging::new(&server.signed()).resources(&tags, &["lambda:function"]).await.unwrap();
        let expected = ["arn:1", "arn:2"].map(|arn| Tagged { arn: arn.to_owned(), tags: tags.clone() });
        assert_eq!(found, expected);
        let [first, second] = server.recorded().try_into().unwrap();
        let mut body = json!({
            "TagFilters": [{"Key": "game-day", "Values": ["yes"]}], "ResourceTypeFilters": ["lambda:function"],
        });
        assert_eq!(first.json(), body);
        body["PaginationToken"] = json!("next");
        assert_eq!(second.json(), body);
    }

    #[tokio::test]
    async fn a_list_without_an_end_is_no_result() {
        let server = Server::start([page("again", "arn:1")]).await;
        let error = Tagging::new(&server.signed()).resources(&BTreeMap::new(), &[]).await.unwrap_err();
        assert_eq!((error.service, error.message.as_str()), ("tag", "the list of resources has no end"));
        assert_eq!(server.recorded().len(), PAGES_MAX);
    }
}
