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
        let address = address(aws, plan.environment.kind.account(), spec).await;
        let fail = |source| StageError::Target { target: target.clone(), source: Box::new(source) };
        if let Some(address) = address.map_err(fail)? {
            found.insert(target, address);
        }
    }
    Ok(found)
}

/// None for a target that no load can call, which `check` tells. In an account that the environment is bound to, nothing is
/// called by a name alone: with the credentials of another account a name would be somebody else's.
async fn address(aws: &Aws, account: Option<&str>, target: &TargetPlan) -> Result<Option<AwsAddress>, AwsError> {
    let known = |of: fn(&Place, &str) -> String, name: &str| match account {
        Some(account) => of(&Place::new(&aws.region(), account), name),
        None => name.to_owned(),
    };
    let (service, callee) = match target {
        TargetPlan::Lambda { function, alias, .. } => {
            if let Some(alias) = alias {
                aws.lambda.alias(function, alias).await?;
            }
            let (function, qualifier) = (known(Place::function, function), alias.clone());
            (LoadedService::Lambda, Callee::Function { function, qualifier })
        }
        TargetPlan::Resource(AwsResource::Queue(name)) => {
            (LoadedService::Sqs, Callee::Queue { url: aws.sqs.queue_url(name).await? })
        }
        TargetPlan::Resource(AwsResource::Topic(name)) => {
            let arn = match account {
                Some(account) => Place::new(&aws.region(), account).topic(name),
                None => topic_arn(aws, name).await?,
            };
            (LoadedService::Sns, Callee::Topic { arn })
        }
        TargetPlan::Resource(AwsResource::Bus(name)) => {
            (LoadedService::Events, Callee::Bus { bus: known(Place::bus, name) })
        }
        TargetPlan::Resource(AwsResource::Stream(name)) => {
            (LoadedService::Kinesis, Callee::Stream { stream: known(Place::stream, name) })
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
