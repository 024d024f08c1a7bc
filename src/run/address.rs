//! Where the targets are that loads call, for the processes that make load.

use std::collections::BTreeMap;

use super::stage::StageError;
use crate::aws::{Aws, AwsError, LoadedService};
use crate::fault::AwsResource;
use crate::load::{AwsAddress, Callee};
use crate::plan::{Place, Plan, TargetPlan};
use crate::unit::TargetId;

/// Looks up every target that a load invokes or sends to.
pub(super) async fn addresses(aws: &Aws, plan: &Plan) -> Result<BTreeMap<TargetId, AwsAddress>, StageError> {
    let mut found = BTreeMap::new();
    for target in plan.called_targets() {
        let Some(spec) = plan.targets.get(&target) else { continue };
        let address = address(aws, spec).await;
        let fail = |source| StageError::Target { target: target.clone(), source: Box::new(source) };
        if let Some(address) = address.map_err(fail)? {
            found.insert(target, address);
        }
    }
    Ok(found)
}

/// None for a target that no load can call, which `check` tells.
async fn address(aws: &Aws, target: &TargetPlan) -> Result<Option<AwsAddress>, AwsError> {
    let (service, callee) = match target {
        TargetPlan::Lambda { function, alias, .. } => {
            (LoadedService::Lambda, Callee::Function { name: function.clone(), qualifier: alias.clone() })
        }
        TargetPlan::Resource(AwsResource::Queue(name)) => {
            (LoadedService::Sqs, Callee::Queue { url: aws.sqs.queue_url(name).await? })
        }
        TargetPlan::Resource(AwsResource::Topic(name)) => {
            (LoadedService::Sns, Callee::Topic { arn: topic_arn(aws, name).await? })
        }
        TargetPlan::Resource(AwsResource::Bus(name)) => (LoadedService::Events, Callee::Bus { name: name.clone() }),
        TargetPlan::Resource(AwsResource::Stream(name)) => {
            (LoadedService::Kinesis, Callee::Stream { name: name.clone() })
        }
        TargetPlan::Resource(_) | TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => return Ok(None),
    };
    let endpoint = aws.endpoint(service)?;
    Ok(Some(AwsAddress { endpoint: endpoint.url, region: endpoint.region, callee }))
}

/// The ARN of a topic of the caller's account.
pub(super) async fn topic_arn(aws: &Aws, name: &str) -> Result<String, AwsError> {
    let region = aws.endpoint(LoadedService::Sns)?.region;
    Ok(Place::new(&region, &aws.caller_account().await?).topic(name))
}
