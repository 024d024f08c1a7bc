//! Tables and how much of them may be used, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};
use super::tag::{Tag, by_key};

const SERVICE: Service = Service { name: "dynamodb", id: "DynamoDB", is_global: false };
/// What DynamoDB writes for "no maximum" (OnDemandThroughput).
const NO_MAXIMUM: i64 = -1;
/// How many pages of tags are read. A table has up to 50 tags (AWS).
const TAG_PAGES_MAX: usize = 50;

/// DynamoDB of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct DynamoDb {
    signed: Signed,
}

/// A table as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The table's ARN.
    pub arn: String,
    /// Whether it can be changed.
    pub status: TableStatus,
    /// Whether it is paid by request (`PAY_PER_REQUEST`): only then it can have a maximum.
    pub on_demand: bool,
    /// The most read units a second; none where there is no maximum.
    pub max_read: Option<i64>,
    /// The most write units a second; none where there is no maximum.
    pub max_write: Option<i64>,
}

/// Whether a table can be used and changed. AWS: `TableStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TableStatus {
    /// It serves and can be changed.
    Active,
    /// It is being made.
    Creating,
    /// It serves, and a change is under way: another is refused.
    Updating,
    /// It goes away.
    Deleting,
    /// Its key can not be used.
    InaccessibleEncryptionCredentials,
    /// It is put away, since its key can not be used.
    Archiving,
    /// It was put away.
    Archived,
    /// A replica of it can not be reached.
    ReplicationNotAuthorized,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeTableAnswer {
    table: TableAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TableAnswer {
    table_arn: String,
    table_status: TableStatus,
    billing_mode_summary: Option<BillingModeSummary>,
    on_demand_throughput: Option<OnDemandThroughput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BillingModeSummary {
    billing_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct OnDemandThroughput {
    max_read_request_units: Option<i64>,
    max_write_request_units: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagsAnswer {
    #[serde(default)]
    tags: Vec<Tag>,
    next_token: Option<String>,
}

impl DynamoDb {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// A table by its name or ARN. `dynamodb:DescribeTable`.
    ///
    /// # Errors
    /// The call failed, also where there is no such table.
    pub async fn table(&self, name: &str) -> Result<Table, AwsError> {
        let answer = self.call("DescribeTable", json!({"TableName": name})).await?;
        let TableAnswer { table_arn, table_status, billing_mode_summary, on_demand_throughput } =
            answer.json::<DescribeTableAnswer>()?.table;
        let billing_mode = billing_mode_summary.and_then(|summary| summary.billing_mode);
        let maximum = |units: fn(&OnDemandThroughput) -> Option<i64>| {
            on_demand_throughput.as_ref().and_then(units).filter(|units| *units != NO_MAXIMUM)
        };
        Ok(Table {
            arn: table_arn,
            status: table_status,
            on_demand: billing_mode.as_deref() == Some("PAY_PER_REQUEST"),
            max_read: maximum(|throughput| throughput.max_read_request_units),
            max_write: maximum(|throughput| throughput.max_write_request_units),
        })
    }

    /// The tags of a table, by its ARN. `dynamodb:ListTagsOfResource`.
    ///
    /// # Errors
    /// A call failed, also where there is no such table; or there are more than 50 pages.
    pub async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let (mut found, mut body) = (BTreeMap::new(), json!({"ResourceArn": arn}));
        for _ in 0..TAG_PAGES_MAX {
            let answer = self.call("ListTagsOfResource", body.clone()).await?;
            let TagsAnswer { tags, next_token } = answer.json()?;
            found.extend(by_key(tags));
            match next_token {
                Some(token) => body["NextToken"] = Value::from(token),
                None => return Ok(found),
            }
        }
        let (operation, message) = ("ListTagsOfResource", "the list of tags has no end".to_owned());
        let (service, code) = (SERVICE.name, "BadAnswer".to_owned());
        Err(AwsError { service, operation, code, message, retryable: false, request_id: None })
    }

    /// Sets the most units a second that an on-demand table takes; none within takes the maximum away, none at all leaves it as
    /// it is. The table is `Updating` for a while, and its indexes keep their own maximum (AWS). `dynamodb:UpdateTable`.
    ///
    /// # Errors
    /// The call failed: `ResourceInUseException` while an update is under way, `ValidationException` where the table is not
    /// on demand.
    pub async fn set_on_demand_maximum(
        &self,
        name: &str,
        read: Option<Option<i64>>,
        write: Option<Option<i64>>,
    ) -> Result<(), AwsError> {
        let maxima = [("MaxReadRequestUnits", read), ("MaxWriteRequestUnits", write)];
        let given =
            maxima.into_iter().filter_map(|(key, units)| Some((key.to_owned(), units?.unwrap_or(NO_MAXIMUM).into())));
        let throughput: serde_json::Map<String, Value> = given.collect();
        self.call("UpdateTable", json!({"TableName": name, "OnDemandThroughput": throughput})).await.map(drop)
    }

    async fn call(&self, operation: &'static str, body: Value) -> Result<Answer, AwsError> {
        let input = Input::Json { version: JsonVersion::V1_0, target: "DynamoDB_20120810", body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    async fn table(description: Value) -> Result<Table, AwsError> {
        let server = Server::start([Reply::new(200, &json!({"Table": description}).to_string())]).await;
        let table = DynamoDb::new(&server.signed()).table("orders").await;
        assert_eq!(server.only().header("x-amz-target"), Some("DynamoDB_20120810.DescribeTable"));
        table
    }

    #[tokio::test]
    async fn a_maximum_is_a_number_or_none() {
        let described = table(json!({
            "TableArn": "arn", "TableStatus": "ACTIVE", "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
            "OnDemandThroughput": {"MaxReadRequestUnits": 40, "MaxWriteRequestUnits": -1},
        }));
        let on_demand = Table {
            arn: "arn".to_owned(),
            status: TableStatus::Active,
            on_demand: true,
            max_read: Some(40),
            max_write: None,
        };
        assert_eq!(described.await, Ok(on_demand.clone()));
        let provisioned = table(json!({"TableArn": "arn", "TableStatus": "UPDATING"})).await;
        let expected = Table { status: TableStatus::Updating, on_demand: false, max_read: None, ..on_demand };
        assert_eq!(provisioned, Ok(expected));
        assert_eq!(table(json!({"TableArn": "arn", "TableStatus": "MELTING"})).await.unwrap_err().code, "BadAnswer");
    }

    #[tokio::test]
    async fn no_maximum_is_sent_as_minus_one() {
        let server = Server::start([Reply::new(200, "{}")]).await;
        DynamoDb::new(&server.signed()).set_on_demand_maximum("orders", Some(Some(1)), Some(None)).await.unwrap();
        let throughput = json!({"MaxReadRequestUnits": 1, "MaxWriteRequestUnits": -1});
        assert_eq!(server.only().json(), json!({"TableName": "orders", "OnDemandThroughput": throughput}));
    }
}
