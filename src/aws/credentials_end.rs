//! When credentials end, as far as anybody can know before they do.

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature;
use chrono::{DateTime, Utc};

/// Where tools that put session credentials into variables say when these end, as AWS's own tools read and write it.
const EXPIRATION_VARIABLE: &str = "AWS_CREDENTIAL_EXPIRATION";

/// When the credentials that somebody gave us end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialsEnd {
    /// They are those of a user, without a session.
    Never,
    /// They end, and are asked for again before: a role, single sign-on, a process, an instance. Whether there will be any
    /// then, nobody knows.
    Renewed,
    /// They end for good.
    At(DateTime<Utc>),
    /// They are those of a session that somebody wrote down without its end.
    Unknown,
}

impl CredentialsEnd {
    pub(super) fn of(credentials: &Credentials, variable: impl Fn(&str) -> Option<String>) -> Self {
        let features = credentials.get_property::<Vec<AwsCredentialFeature>>();
        let is_from_variables =
            features.is_some_and(|features| features.contains(&AwsCredentialFeature::CredentialsEnvVars));
        if credentials.session_token().is_none() {
            Self::Never
        } else if is_from_variables {
            let text = variable(EXPIRATION_VARIABLE);
            let end = text.and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
            end.map_or(Self::Unknown, |end| Self::At(end.to_utc()))
        } else if credentials.expiry().is_some() {
            Self::Renewed
        } else {
            Self::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn end(token: Option<&str>, expiry: Option<SystemTime>, is_from_variables: bool, text: &str) -> CredentialsEnd {
        let mut credentials = Credentials::new("id", "secret", token.map(str::to_owned), expiry, "test");
        if is_from_variables {
            credentials.set_property(vec![AwsCredentialFeature::CredentialsEnvVars]);
        }
        CredentialsEnd::of(&credentials, |name| (name == EXPIRATION_VARIABLE).then(|| text.to_owned()))
    }

    #[test]
    fn what_ends_when_is_told_and_what_nobody_knows_is_not_guessed() {
        let (token, then) = (Some("token"), Some(SystemTime::UNIX_EPOCH));
        let written = "1970-01-01T01:00:00+01:00";
        assert_eq!(end(None, None, true, ""), CredentialsEnd::Never);
        assert_eq!(end(token, None, true, written), CredentialsEnd::At(DateTime::UNIX_EPOCH));
        assert_eq!(end(token, None, true, "soon"), CredentialsEnd::Unknown);
        assert_eq!(end(token, None, false, written), CredentialsEnd::Unknown, "the variable is about variables");
        assert_eq!(end(token, then, false, ""), CredentialsEnd::Renewed);
    }
}
