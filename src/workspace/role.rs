//! A role of the bound account that a run assumes. Owns: what its keys may say. Must not know: AWS.

use serde::{Deserialize, Serialize};

use super::environment::EnvironmentProblem;

/// How many characters a role's ARN has at most (AWS: `RoleArn` of AssumeRole).
const ROLE_ARN_CHARS_MAX: usize = 2048;
/// How many characters an external id has (AWS: `ExternalId` of AssumeRole).
const EXTERNAL_ID_CHARS: std::ops::RangeInclusive<usize> = 2..=1224;
/// What an external id may have beside letters and digits (AWS: `[\w+=,.@:\/-]*`).
const EXTERNAL_ID_SIGNS: &str = "_+=,.@:/-";
/// What a role's name and path may have beside letters and digits (AWS: `[\w+=,.@-]+`, and slashes in a path).
const ROLE_NAME_SIGNS: &str = "_+=,.@-/";

/// A role that is assumed for every call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssumedRole {
    /// Its ARN.
    pub arn: String,
    /// What its owner asks to be told. AWS does not hold it for a secret; `Debug` does not show it all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
}

impl std::fmt::Debug for AssumedRole {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("AssumedRole").field("arn", &self.arn).finish_non_exhaustive()
    }
}

/// The role that the keys describe, for an environment that is bound to `account`.
pub(super) fn resolve(
    account: Option<&str>,
    arn: Option<&str>,
    external_id: Option<&str>,
) -> Result<Option<AssumedRole>, Vec<EnvironmentProblem>> {
    let mut problems = Vec::new();
    let mut tell = |key, message: String, help: String, is_missing| {
        problems.push(EnvironmentProblem { key, message, help, is_missing });
    };
    if let Some(arn) = arn {
        match (account_of(arn), account) {
            (None, _) => tell(
                "role_arn",
                format!("`{arn}` is not the ARN of a role"),
                "write `arn:aws:iam::111122223333:role/NAME`".to_owned(),
                false,
            ),
            (Some(_), None) => tell(
                "role_arn",
                "`role_arn` needs the key `account` beside it".to_owned(),
                "bind the account of the role: nothing is done in any other".to_owned(),
                true,
            ),
            (Some(of_role), Some(account)) if of_role != account => tell(
                "role_arn",
                format!("the role is in account `{of_role}`, and the environment is bound to account `{account}`"),
                "name a role of the bound account; credentials of another account may assume it".to_owned(),
                false,
            ),
            (Some(_), Some(_)) => {}
        }
    }
    if let Some(external_id) = external_id {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || EXTERNAL_ID_SIGNS.contains(c);
        if !EXTERNAL_ID_CHARS.contains(&external_id.chars().count()) || !external_id.chars().all(is_allowed) {
            let help = format!("AWS takes 2 to 1224 letters, digits and `{EXTERNAL_ID_SIGNS}`");
            tell("external_id", "this is not an external id".to_owned(), help, false);
        }
        if arn.is_none() {
            let message = "`external_id` needs the key `role_arn` beside it".to_owned();
            tell("external_id", message, "it is told when a role is assumed".to_owned(), true);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(arn.map(|arn| AssumedRole { arn: arn.to_owned(), external_id: external_id.map(str::to_owned) }))
}

/// The account in a role's ARN; none where it is no role's ARN.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let mut next = || parts.next();
    let (prefix, partition, service, region) = (next()?, next()?, next()?, next()?);
    let (account, resource) = (next()?, next()?);
    let is_role = resource.strip_prefix("role/").is_some_and(|name| {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ROLE_NAME_SIGNS.contains(c);
        !name.is_empty() && !name.ends_with('/') && name.chars().all(is_allowed)
    });
    let is_partition = partition == "aws" || partition.starts_with("aws-");
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_arn = prefix == "arn" && is_partition && service == "iam" && region.is_empty();
    (is_arn && is_account && is_role && arn.len() <= ROLE_ARN_CHARS_MAX).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_arn_of_a_role_has_an_account() {
        for (arn, account) in [
            ("arn:aws:iam::111122223333:role/gameday", Some("111122223333")),
            ("arn:aws-cn:iam::111122223333:role/a/b/game.day", Some("111122223333")),
            ("arn:aws:iam::111122223333:user/gameday", None),
            ("arn:aws:iam::111122223333:role/", None),
            ("arn:aws:iam::1111:role/gameday", None),
            ("arn:aws:sts::111122223333:assumed-role/gameday/x", None),
            ("arn:aws:iam:eu-west-1:111122223333:role/gameday", None),
            ("arn:aws:iam::111122223333:role/game day", None),
            ("gameday", None),
        ] {
            assert_eq!(account_of(arn), account, "{arn}");
        }
    }

    #[test]
    fn an_external_id_is_never_shown() {
        let role = AssumedRole { arn: "arn".to_owned(), external_id: Some("hidden".to_owned()) };
        assert!(!format!("{role:?}").contains("hidden"));
        let problems = resolve(Some("111122223333"), None, Some("no spaces")).unwrap_err();
        assert_eq!(problems.iter().map(|it| it.key).collect::<Vec<_>>(), ["external_id", "external_id"]);
        assert!(problems.iter().all(|it| !it.message.contains("no spaces")));
    }
}
