//! Assuming a role: `sts:AssumeRole`, again before the session ends.

use aws_config::SdkConfig;
use aws_config::sts::AssumeRoleProvider;

use crate::unit::RoleAccess;

/// How many characters a session's name has (AWS: `RoleSessionName` of AssumeRole).
const SESSION_CHARS: std::ops::RangeInclusive<usize> = 2..=64;
/// What a session's name may have beside letters and digits (AWS: `[\w+=,.@-]*`).
const SESSION_SIGNS: &str = "_+=,.@-";

/// A role, and how it is assumed. `Debug` shows no external id.
#[derive(Clone, PartialEq, Eq)]
pub struct Role {
    arn: String,
    external_id: Option<String>,
    session: String,
}

impl std::fmt::Debug for Role {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Role").field("arn", &self.arn).field("session", &self.session).finish_non_exhaustive()
    }
}

impl Role {
    /// The role of that ARN; `session` is what CloudTrail shows of who assumed it, cut to what AWS takes.
    #[must_use]
    pub fn new(arn: &str, external_id: Option<&str>, session: &str) -> Self {
        let allowed = |c: char| if c.is_ascii_alphanumeric() || SESSION_SIGNS.contains(c) { c } else { '-' };
        let mut session: String = session.chars().map(allowed).take(*SESSION_CHARS.end()).collect();
        while session.len() < *SESSION_CHARS.start() {
            session.push('-');
        }
        Self { arn: arn.to_owned(), external_id: external_id.map(str::to_owned), session }
    }

    /// What another process of ours must know to assume it.
    pub(super) fn access(&self) -> RoleAccess {
        RoleAccess { arn: self.arn.clone(), external_id: self.external_id.clone(), session: self.session.clone() }
    }

    pub(super) fn of(access: &RoleAccess) -> Self {
        Self::new(&access.arn, access.external_id.as_deref(), &access.session)
    }

    /// Assumes the role with the credentials of `configuration`, whose endpoint, Region and limits hold.
    pub(super) async fn provider(&self, configuration: &SdkConfig) -> AssumeRoleProvider {
        let builder = AssumeRoleProvider::builder(&self.arn).session_name(&self.session).configure(configuration);
        match &self.external_id {
            Some(external_id) => builder.external_id(external_id).build().await,
            None => builder.build().await,
        }
    }

    /// What a shell must say after it can use the credentials that assume the role, so that `aws` works as the role. An
    /// external id is asked for, not told.
    #[must_use]
    pub fn shell(&self) -> String {
        const KEYS: [(&str, &str); 3] = [
            ("AWS_ACCESS_KEY_ID", "AccessKeyId"),
            ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey"),
            ("AWS_SESSION_TOKEN", "SessionToken"),
        ];
        let keys = KEYS.map(|(variable, member)| format!("join('=',['{variable}',{member}])")).join(",");
        let external_id = match &self.external_id {
            Some(_) => {
                " --external-id \"${EXTERNAL_ID:?set it to the external_id of the environment in gameday.yaml}\""
            }
            None => "",
        };
        // Not `export $(…)`, which would end well where the role can not be assumed.
        format!(
            "KEYS=$(aws sts assume-role --role-arn {} --role-session-name gameday-by-hand{external_id} --query \
             \"Credentials.[{keys}]\" --output text) && export $KEYS && unset AWS_PROFILE KEYS",
            self.arn
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sessions_name_is_one_that_aws_takes() {
        let session = |text: &str| Role::new("arn:aws:iam::111122223333:role/g", None, text).session;
        assert_eq!(session("gameday-2026-11-10-1000-shop"), "gameday-2026-11-10-1000-shop");
        assert_eq!(session("who is/käy"), "who-is-k-y");
        assert_eq!(session(&"a".repeat(99)).len(), 64);
        assert_eq!(session("").len(), 2);
    }

    #[test]
    fn an_external_id_is_neither_shown_nor_told() {
        let role = Role::new("arn:aws:iam::111122223333:role/g", Some("hidden"), "gameday");
        assert!(!format!("{role:?}{}", role.shell()).contains("hidden"));
        assert!(role.shell().contains("--external-id"));
        assert!(!Role::new("arn", None, "gameday").shell().contains("external"));
    }
}
