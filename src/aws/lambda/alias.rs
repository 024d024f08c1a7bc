//! Versions and aliases: a version never changes, and an alias says which one serves, or how much of each.

use std::collections::BTreeMap;

use aws_sdk_lambda::types::AliasRoutingConfiguration;

use super::{Lambda, SERVICE, bad_answer};
use crate::aws::AwsError;

/// An alias of a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Alias {
    /// The version that serves what `weights` leaves.
    pub version: String,
    /// The share of other versions, 0 to 1, by version. AWS: at most one (`AdditionalVersionWeights`).
    pub weights: BTreeMap<String, f64>,
    /// The optimistic lock; emulators may have none.
    pub revision: Option<String>,
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVersion {
    /// Its number.
    pub version: String,
    /// What it was described as when it was published.
    pub description: String,
}

impl Lambda {
    /// `lambda:GetAlias`.
    ///
    /// # Errors
    /// The call failed; also where there is no such alias.
    pub async fn alias(&self, function: &str, alias: &str) -> Result<Alias, AwsError> {
        const OPERATION: &str = "GetAlias";
        let output = self.client.get_alias().function_name(function).name(alias).send().await;
        let output = output.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        let weights = output.routing_config().and_then(AliasRoutingConfiguration::additional_version_weights);
        Ok(Alias {
            version: output
                .function_version()
                .map(str::to_owned)
                .ok_or_else(|| bad_answer(OPERATION, "the answer has no `FunctionVersion`"))?,
            weights: weights.cloned().unwrap_or_default().into_iter().collect(),
            revision: output.revision_id().map(str::to_owned),
        })
    }

    /// `lambda:UpdateAlias`: sets the share of other versions, refused with a stale `revision`. No weights take the routing
    /// away.
    ///
    /// # Errors
    /// The call failed.
    pub async fn route_alias(
        &self,
        function: &str,
        alias: &str,
        weights: &BTreeMap<String, f64>,
        revision: Option<&str>,
    ) -> Result<(), AwsError> {
        let weights = weights.clone().into_iter().collect();
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        self.client
            .update_alias()
            .function_name(function)
            .name(alias)
            .routing_config(routing)
            .set_revision_id(revision.map(str::to_owned))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, "UpdateAlias", &error))?;
        Ok(())
    }

    /// `lambda:PublishVersion` of `$LATEST` with a description; its number.
    ///
    /// # Errors
    /// The call failed; also where `$LATEST` has other code than `code_sha256`.
    pub async fn publish_version(
        &self,
        function: &str,
        description: &str,
        code_sha256: &str,
    ) -> Result<String, AwsError> {
        const OPERATION: &str = "PublishVersion";
        let output = self
            .client
            .publish_version()
            .function_name(function)
            .description(description)
            // Emulators may have no digests.
            .set_code_sha256(Some(code_sha256.to_owned()).filter(|digest| !digest.is_empty()))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        output.version().map(str::to_owned).ok_or_else(|| bad_answer(OPERATION, "the answer has no `Version`"))
    }

    /// `lambda:ListVersionsByFunction`: every published version, without `$LATEST`.
    ///
    /// # Errors
    /// A call failed.
    pub async fn versions(&self, function: &str) -> Result<Vec<PublishedVersion>, AwsError> {
        let mut pages = self.client.list_versions_by_function().function_name(function).into_paginator().send();
        let mut versions = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk(SERVICE, "ListVersionsByFunction", &error))?;
            versions.extend(page.versions().iter().filter_map(|version| {
                let number = version.version().filter(|number| *number != "$LATEST")?;
                let description = version.description().unwrap_or_default().to_owned();
                Some(PublishedVersion { version: number.to_owned(), description })
            }));
        }
        Ok(versions)
    }

    /// `lambda:DeleteFunction` of one published version; one that is gone is well.
    ///
    /// # Errors
    /// The call failed; also where an alias uses the version.
    pub async fn delete_version(&self, function: &str, version: &str) -> Result<(), AwsError> {
        // Without a qualifier the call would delete the function itself.
        if version.is_empty() || !version.chars().all(|character| character.is_ascii_digit()) {
            return Err(bad_answer("DeleteFunction", &format!("`{version}` is not a published version")));
        }
        let outcome = self.client.delete_function().function_name(function).qualifier(version).send().await;
        match outcome.map_err(|error| AwsError::from_sdk(SERVICE, "DeleteFunction", &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
