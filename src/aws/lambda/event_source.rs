//! Event source mappings: Lambda polls a queue or a stream, and hands its records to a function in batches.

use aws_sdk_lambda::types::{EventSourceMappingConfiguration, ScalingConfig};

use super::{Lambda, SERVICE, bad_answer, count, signed};
use crate::aws::AwsError;

/// An event source mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// Its id.
    pub uuid: String,
    /// The ARN of what is polled; empty for sources that have none.
    pub source_arn: String,
    /// `Enabled`, `Disabled`, or what it is on the way to: `Enabling`, `Disabling`, `Updating`, `Creating`, `Deleting`.
    pub state: String,
    /// The most records of one batch.
    pub batch_size: u32,
    /// How many invocations may run at once; none is no limit of its own.
    pub maximum_concurrency: Option<u32>,
}

/// A change to an event source mapping: only what is given changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSourceUpdate {
    /// Whether it polls.
    pub is_enabled: Option<bool>,
    /// The most records of one batch.
    pub batch_size: Option<u32>,
    /// How many invocations may run at once, 2 to 1,000; none within is no limit.
    pub maximum_concurrency: Option<Option<u32>>,
}

impl EventSource {
    /// Whether a change of it is under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        matches!(self.state.as_str(), "Enabled" | "Disabled")
    }
}

impl Lambda {
    /// `lambda:ListEventSourceMappings` of a function.
    ///
    /// # Errors
    /// A call failed.
    pub async fn event_sources(&self, function: &str) -> Result<Vec<EventSource>, AwsError> {
        const OPERATION: &str = "ListEventSourceMappings";
        let mut pages = self.client.list_event_source_mappings().function_name(function).into_paginator().send();
        let mut sources = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            for mapping in page.event_source_mappings() {
                sources.push(read(OPERATION, mapping)?);
            }
        }
        Ok(sources)
    }

    /// `lambda:GetEventSourceMapping`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn event_source(&self, uuid: &str) -> Result<EventSource, AwsError> {
        const OPERATION: &str = "GetEventSourceMapping";
        let output = self.client.get_event_source_mapping().uuid(uuid).send().await;
        let output = output.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        let mapping = EventSourceMappingConfiguration::builder()
            .set_uuid(output.uuid)
            .set_event_source_arn(output.event_source_arn)
            .set_state(output.state)
            .set_batch_size(output.batch_size)
            .set_scaling_config(output.scaling_config)
            .build();
        read(OPERATION, &mapping)
    }

    /// `lambda:UpdateEventSourceMapping`; it is under way when this returns.
    ///
    /// # Errors
    /// The call failed.
    pub async fn update_event_source(&self, uuid: &str, update: &EventSourceUpdate) -> Result<(), AwsError> {
        const OPERATION: &str = "UpdateEventSourceMapping";
        let batch_size = update.batch_size.map(|size| signed(OPERATION, size)).transpose()?;
        // AWS: an empty `ScalingConfig` takes the limit away, an absent one leaves it.
        let scaling = update.maximum_concurrency.map(|limit| {
            let limit = limit.map(|limit| signed(OPERATION, limit)).transpose()?;
            Ok::<_, AwsError>(ScalingConfig::builder().set_maximum_concurrency(limit).build())
        });
        self.client
            .update_event_source_mapping()
            .uuid(uuid)
            .set_enabled(update.is_enabled)
            .set_batch_size(batch_size)
            .set_scaling_config(scaling.transpose()?)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        Ok(())
    }
}

fn read(operation: &'static str, mapping: &EventSourceMappingConfiguration) -> Result<EventSource, AwsError> {
    let limit = mapping.scaling_config().and_then(ScalingConfig::maximum_concurrency);
    Ok(EventSource {
        uuid: mapping.uuid().ok_or_else(|| bad_answer(operation, "the answer has no `UUID`"))?.to_owned(),
        source_arn: mapping.event_source_arn().unwrap_or_default().to_owned(),
        state: mapping.state().unwrap_or("Enabled").to_owned(),
        batch_size: mapping.batch_size().map_or(Ok(0), |size| count(operation, size))?,
        maximum_concurrency: limit.map(|limit| count(operation, limit)).transpose()?,
    })
}
