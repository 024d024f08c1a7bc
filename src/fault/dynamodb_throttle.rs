//! `dynamodb_throttle`: gives an on-demand table a maximum, so that DynamoDB throttles what is above it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange, Settling};
use super::shell::word;
use super::switch::{Cover, Switch, SwitchCall};
use super::target::{AwsResource, TargetNeed};
use crate::aws::{Table, TableStatus};
use crate::unit::TargetId;

/// How long an update of a table may be under way.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);
/// What DynamoDB writes for "no maximum" (OnDemandThroughput).
const NO_MAXIMUM: i64 = -1;

const READS: &str = "maximum of reads";
const WRITES: &str = "maximum of writes";

/// Sets the most that a table takes in a second. AWS: on-demand tables alone; kept to as well as may be, not to the unit
/// (UpdateTable, `OnDemandThroughput`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DynamodbThrottle {
    /// The table, a `table` target.
    #[schemars(example = &"orders-table")]
    pub target: TargetId,
    /// The most read request units a second, from 1; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<u64>,
    /// The most write request units a second, from 1; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<u64>,
}

impl DynamodbThrottle {
    fn maxima(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let of = |key, name, value: Option<u64>| value.map(|value| (key, name, value));
        [of("read", READS, self.read), of("write", WRITES, self.write)].into_iter().flatten()
    }
}

impl Fault for DynamodbThrottle {
    type Change = SettingsChange<OnDemandMaximum>;
    const ABOUT: About = About {
        effect: "requests above the maximum are refused with ThrottlingException; SDKs try again, so calls come late first",
        undo: "UpdateTable with the former maxima, or without any (-1); the table is UPDATING for a while",
        blast_radius: "everybody who uses the table; its indexes keep maxima of their own",
    };
    const TARGET: TargetNeed = TargetNeed::Table;
    const CALLS: Calls = Calls {
        inject: &["dynamodb:DescribeTable", "dynamodb:UpdateTable"],
        undo: &["dynamodb:DescribeTable", "dynamodb:UpdateTable"],
    };

    fn objections(&self) -> Vec<Objection> {
        if self.maxima().next().is_none() {
            return vec![Objection::nothing("add `read: 1`, `write: 1` or both")];
        }
        let wrong = |(key, _, value): (&'static str, &str, u64)| {
            let is_right = i64::try_from(value).is_ok_and(|units| units >= 1);
            let message = format!("DynamoDB takes no maximum of {value} units a second");
            let help = "write a whole number from 1; to deny all use, take `iam_deny`";
            (!is_right).then(|| Objection::value(key, "out-of-range", message, help))
        };
        self.maxima().filter_map(wrong).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<OnDemandMaximum>, FaultError> {
        let AwsResource::Table(table) = environment.resource(&self.target)? else {
            return Err(FaultError::Target(self.target.clone()));
        };
        if !self.objections().is_empty() {
            return Err(FaultError::not_safe(table, "the maximum of the fault is not a number of units from 1"));
        }
        let found = settled(environment, table).await?;
        if let Some(why) = obstacle(&found) {
            return Err(FaultError::not_safe(table, why));
        }
        let injected = self.maxima().map(|(_, name, value)| (name.to_owned(), Some(value.into()))).collect();
        Ok(SettingsChange::new(OnDemandMaximum { table: table.clone() }, &settings(&found), injected))
    }

    fn text(&self) -> ChangeText {
        let maxima: Vec<String> = self.maxima().map(|(_, name, value)| format!("the {name} to {value}/s")).collect();
        ChangeText {
            change: format!("set {} on the table `{}`", maxima.join(" and "), self.target),
            undo: "put the former maxima back, and take away what was not there".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.maxima().map(|(_, name, _)| name.to_owned()).collect()
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["dynamodb:UpdateTable"])
    }
}

/// Reads a table once no update of it is under way.
async fn settled(environment: &FaultEnvironment, table: &str) -> Result<Table, FaultError> {
    let settling = Settling::within(table, SETTLE_TIMEOUT);
    loop {
        let found = environment.aws.dynamodb.table(table).await?;
        if found.status != TableStatus::Updating {
            return Ok(found);
        }
        settling.wait().await?;
    }
}

/// What of a table keeps this fault from being undone for certain.
fn obstacle(table: &Table) -> Option<&'static str> {
    match table.status {
        TableStatus::Active if table.on_demand => None,
        TableStatus::Active => {
            Some("it is not on demand (`BillingMode` is not `PAY_PER_REQUEST`), and can have no maximum")
        }
        TableStatus::Updating => Some("an update of it is under way"),
        TableStatus::Creating => Some("it is being made (`TableStatus` is `CREATING`)"),
        TableStatus::Deleting => Some("it is being deleted"),
        TableStatus::InaccessibleEncryptionCredentials => Some("its KMS key can not be used"),
        TableStatus::Archiving | TableStatus::Archived => Some("it was put away, since its KMS key can not be used"),
        TableStatus::ReplicationNotAuthorized => Some("a replica of it can not be reached"),
    }
}

fn settings(table: &Table) -> Settings {
    let maximum = |name: &str, value: Option<i64>| value.map(|value| (name.to_owned(), value.into()));
    [maximum(READS, table.max_read), maximum(WRITES, table.max_write)].into_iter().flatten().collect()
}

/// The maxima of a table. AWS has no lock for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnDemandMaximum {
    table: String,
}

impl Resource for OnDemandMaximum {
    fn name(&self) -> &str {
        &self.table
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let found = settled(environment, &self.table).await?;
        Ok(Found { settings: settings(&found), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let is_changed = |name: &str| found.settings.get(name) != wanted.get(name);
        let maximum = |name: &str| is_changed(name).then(|| wanted.get(name).and_then(Value::as_i64));
        let (read, write) = (maximum(READS), maximum(WRITES));
        Ok(environment.aws.dynamodb.set_on_demand_maximum(&self.table, read, write).await?)
    }

    fn show(&self, _name: &str, value: &Value) -> String {
        format!("{value}/s")
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        // UpdateTable leaves what it is not told as it is.
        let units: BTreeMap<&str, i64> = changes
            .iter()
            .filter_map(|change| {
                let key = match change.name.as_str() {
                    READS => "MaxReadRequestUnits",
                    WRITES => "MaxWriteRequestUnits",
                    _ => return None,
                };
                Some((key, change.before.as_ref().and_then(Value::as_i64).unwrap_or(NO_MAXIMUM)))
            })
            .collect();
        let units: Vec<String> = units.iter().map(|(key, units)| format!("{key}={units}")).collect();
        let (table, units) = (word(&self.table), units.join(","));
        vec![format!("aws dynamodb update-table --table-name {table} --on-demand-throughput {units}")]
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let before = |name: &str| changes.iter().find(|change| change.name == name).map(|change| change.before.clone());
        let units = [("MaxReadRequestUnits", before(READS)), ("MaxWriteRequestUnits", before(WRITES))];
        let units: Map<String, Value> = units
            .into_iter()
            .filter_map(|(member, before)| Some((member.to_owned(), before?.unwrap_or_else(|| NO_MAXIMUM.into()))))
            .collect();
        let table = Some(self.table.as_str().into());
        Switch::Call(SwitchCall::of(
            "dynamodb",
            "updateTable",
            [("TableName", table), ("OnDemandThroughput", Some(units.into()))],
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::change::Revertible as _;
    use super::*;

    fn throttle(read: Option<u64>, write: Option<u64>) -> DynamodbThrottle {
        DynamodbThrottle { target: "orders".parse().unwrap(), read, write }
    }

    #[test]
    fn a_maximum_is_a_number_of_units_from_one() {
        assert_eq!(throttle(Some(1), Some(40_000)).objections(), []);
        for (wrong, problems) in
            [(throttle(None, None), 1), (throttle(Some(0), Some(0)), 2), (throttle(None, Some(u64::MAX)), 1)]
        {
            assert_eq!(wrong.objections().len(), problems, "{wrong:?}");
        }
    }

    #[test]
    fn a_table_that_could_not_be_restored_is_refused() {
        let table =
            |status, on_demand| Table { arn: "arn".to_owned(), status, on_demand, max_read: None, max_write: None };
        assert_eq!(obstacle(&table(TableStatus::Active, true)), None);
        for (status, on_demand) in
            [(TableStatus::Active, false), (TableStatus::Updating, true), (TableStatus::Archived, true)]
        {
            assert!(obstacle(&table(status, on_demand)).is_some(), "{status:?}");
        }
    }

    #[test]
    fn by_hand_an_absent_maximum_is_minus_one_and_others_are_not_named() {
        let by_hand = |found: Settings, injected: &[(&str, u64)]| {
            let injected = injected.iter().map(|(name, value)| ((*name).to_owned(), Some(json!(value)))).collect();
            let change = SettingsChange::new(OnDemandMaximum { table: "orders".to_owned() }, &found, injected);
            change.by_hand(Path::new("undo.json")).remove(0)
        };
        let command = "aws dynamodb update-table --table-name orders --on-demand-throughput";
        assert_eq!(by_hand(Settings::new(), &[(READS, 1)]), format!("{command} MaxReadRequestUnits=-1"));
        let found = Settings::from([(WRITES.to_owned(), json!(40))]);
        let expected = format!("{command} MaxReadRequestUnits=-1,MaxWriteRequestUnits=40");
        assert_eq!(by_hand(found, &[(READS, 1), (WRITES, 1)]), expected);
    }
}
