//! Systems Manager's parameters, by signed requests.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};
use super::tag::{Tag, by_key};
use super::{AwsError, ParameterControl};
use crate::unit::Secret;

const SERVICE: Service = Service { name: "ssm", id: "SSM", is_global: false };

/// The Parameter Store of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Ssm {
    signed: Signed,
}

/// A parameter as it is now. `Debug` does not show the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The value, decrypted; at most 4 KB, 8 KB in the advanced tier.
    pub value: Secret,
    /// What kind of value it is.
    pub kind: ParameterKind,
    /// From 1, one more with each change.
    pub version: u64,
}

/// The kinds of parameters. AWS: `Type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum ParameterKind {
    /// Text.
    String,
    /// Texts with commas between them.
    StringList,
    /// Text that is encrypted with a KMS key.
    SecureString,
}

impl ParameterKind {
    /// As AWS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::StringList => "StringList",
            Self::SecureString => "SecureString",
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameterAnswer {
    parameter: ParameterAnswer,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ParameterAnswer {
    value: String,
    #[serde(rename = "Type")]
    kind: ParameterKind,
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutParameterAnswer {
    version: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagsAnswer {
    #[serde(default)]
    tag_list: Vec<Tag>,
}

impl Ssm {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// A parameter by its name or ARN, decrypted; none where there is no such parameter. `ssm:GetParameter`, and `kms:Decrypt`
    /// of the key of a `SecureString`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn parameter(&self, name: &str) -> Result<Option<Parameter>, AwsError> {
        match self.existing_parameter(name).await {
            Ok(parameter) => Ok(Some(parameter)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A parameter that should be there, by its name or ARN, decrypted. It needs what [`Self::parameter`] needs.
    ///
    /// # Errors
    /// The call failed, also where there is no such parameter.
    pub async fn existing_parameter(&self, name: &str) -> Result<Parameter, AwsError> {
        let answer = self.call("GetParameter", json!({"Name": name, "WithDecryption": true}), &[]).await?;
        let ParameterAnswer { value, kind, version } = answer.json::<GetParameterAnswer>()?.parameter;
        Ok(Parameter { value: Secret::new(value), kind, version })
    }

    /// The tags of a parameter, by its name. `ssm:ListTagsForResource`.
    ///
    /// # Errors
    /// The call failed, also where there is no such parameter.
    pub async fn tags(&self, name: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let body = json!({"ResourceType": "Parameter", "ResourceId": name});
        Ok(by_key(self.call("ListTagsForResource", body, &[]).await?.json::<TagsAnswer>()?.tag_list))
    }

    /// Sets a parameter and gives back its new version. Without `overwrite` one that exists is an error
    /// (`ParameterAlreadyExists`), also where an attempt got through whose answer was lost. `ssm:PutParameter`, and
    /// `kms:Encrypt` of the key of a `SecureString`.
    ///
    /// AWS encrypts a `SecureString` with the account's default key (`alias/aws/ssm`) when no key is named, as here: do not
    /// overwrite one that has a key of its own.
    ///
    /// # Errors
    /// The call failed. The value does not stand in the error.
    pub async fn put_parameter(
        &self,
        name: &str,
        value: &Secret,
        kind: ParameterKind,
        overwrite: bool,
    ) -> Result<u64, AwsError> {
        let body = json!({"Name": name, "Value": value.reveal(), "Type": kind.as_str(), "Overwrite": overwrite});
        let answer = self.call("PutParameter", body, &[value.reveal()]).await?;
        Ok(answer.json::<PutParameterAnswer>()?.version)
    }

    /// Takes a parameter away; one that is absent is fine. `ssm:DeleteParameter`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete_parameter(&self, name: &str) -> Result<(), AwsError> {
        match self.call("DeleteParameter", json!({"Name": name}), &[]).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call(&self, operation: &'static str, body: Value, secrets: &[&str]) -> Result<Answer, AwsError> {
        let input = Input::Json { version: JsonVersion::V1_1, target: "AmazonSSM", body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets }).await
    }
}

#[async_trait]
impl ParameterControl for Ssm {
    async fn read(&self, name: &str) -> Result<Option<Parameter>, AwsError> {
        self.parameter(name).await
    }

    async fn write(&self, name: &str, text: &str, overwrite: bool) -> Result<u64, AwsError> {
        self.put_parameter(name, &Secret::new(text), ParameterKind::String, overwrite).await
    }

    async fn remove(&self, name: &str) -> Result<(), AwsError> {
        self.delete_parameter(name).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    const PARAMETER: &str = r#"{"Parameter": {"Name": "/shop/mode", "Type": "SecureString", "Value": "s3cr3t", "Version": 7, "ARN": "arn"}}"#;

    #[tokio::test]
    async fn a_parameter_is_read_decrypted_and_not_shown() {
        let server = Server::start([Reply::new(200, PARAMETER)]).await;
        let ssm = Ssm::new(&server.signed());
        let parameter = ssm.parameter("/shop/mode").await.unwrap().unwrap();
        assert_eq!((parameter.kind, parameter.version), (ParameterKind::SecureString, 7));
        assert_eq!(parameter.value.reveal(), "s3cr3t");
        assert!(!format!("{parameter:?} {ssm:?}").contains("s3cr3t"));
        assert_eq!(server.only().json(), json!({"Name": "/shop/mode", "WithDecryption": true}));
    }

    #[tokio::test]
    async fn an_absent_parameter_is_none_and_need_not_be_deleted() {
        let body = r#"{"__type": "com.amazonaws.ssm#ParameterNotFound"}"#;
        let ssm = Ssm::new(&Server::start([Reply::new(400, body)]).await.signed());
        assert_eq!(ssm.parameter("/shop/mode").await, Ok(None));
        assert_eq!(ssm.delete_parameter("/shop/mode").await, Ok(()));
        let denied = r#"{"__type": "AccessDeniedException", "Message": "no"}"#;
        let ssm = Ssm::new(&Server::start([Reply::new(400, denied)]).await.signed());
        assert_eq!(ssm.parameter("/shop/mode").await.unwrap_err().code, "AccessDeniedException");
        assert_eq!(ssm.delete_parameter("/shop/mode").await.unwrap_err().operation, "DeleteParameter");
    }

    #[tokio::test]
    async fn a_parameter_is_put_whole_and_stays_out_of_errors() {
        let quoted = r#"{"__type": "ValidationException", "message": "Value 's3cr3t' failed"}"#;
        let server =
            Server::start([Reply::new(200, r#"{"Tier": "Standard", "Version": 8}"#), Reply::new(400, quoted)]).await;
        let ssm = Ssm::new(&server.signed());
        let value = Secret::new("s3cr3t");
        assert_eq!(ssm.put_parameter("/a", &value, ParameterKind::SecureString, true).await, Ok(8));
        let error = ssm.put_parameter("/a", &value, ParameterKind::String, false).await.unwrap_err();
        assert_eq!(error.message, "Value '***' failed");
        let expected = json!({"Name": "/a", "Value": "s3cr3t", "Type": "SecureString", "Overwrite": true});
        assert_eq!(server.recorded()[0].json(), expected);
    }
}
