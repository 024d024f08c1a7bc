//! The look at every target before a run: is it there, can it be read, does it carry the tags that the environment asks for.

use std::collections::BTreeMap;

use super::address::topic_arn;
use super::stage::StageError;
use crate::aws::{Aws, AwsError};
use crate::fault::AwsResource;
use crate::plan::{ChangePlan, Plan, TargetPlan};
use crate::unit::TargetId;

type Tags = BTreeMap<String, String>;

/// The tag that is asked for and not carried, as a reason for not being ready.
pub(super) fn missing_tag(required: &Tags, carried: &Tags) -> Option<String> {
    let (key, value) = required.iter().find(|(key, value)| carried.get(*key) != Some(value))?;
    let found = match carried.get(key) {
        Some(found) => format!("the tag is `{key}: {found}`"),
        None => "it has no such tag".to_owned(),
    };
    Some(format!("it does not carry the tag `{key}: {value}` that the environment asks for; {found}"))
}

/// Looks at everything that is neither a function nor a proxy: one line for each.
pub(super) async fn check_resources(aws: &Aws, plan: &Plan, required: &Tags) -> Result<Vec<String>, StageError> {
    let mut checks = Vec::new();
    for (target, spec) in &plan.targets {
        let TargetPlan::Resource(resource) = spec else { continue };
        if let AwsResource::Other(_) = resource {
            check_other(plan, target, required)?;
            continue;
        }
        let fail = |source| StageError::Target { target: target.clone(), source: Box::new(source) };
        let tags = look(aws, resource, !required.is_empty()).await.map_err(fail)?;
        if let Some(why) = tags.and_then(|carried| missing_tag(required, &carried)) {
            return Err(StageError::NotReady { target: target.clone(), why });
        }
        checks.push(format!("{resource} is there"));
    }
    if !required.is_empty() {
        for change in plan.changes.values() {
            check_template(aws, change, required).await?;
        }
    }
    Ok(checks)
}

/// Asks for a resource, and for its tags where they are wanted.
async fn look(aws: &Aws, resource: &AwsResource, is_tagged: bool) -> Result<Option<Tags>, AwsError> {
    Ok(match resource {
        AwsResource::Role(name) => {
            aws.iam.role_arn(name).await?;
            if is_tagged { Some(aws.iam.role_tags(name).await?) } else { None }
        }
        AwsResource::Queue(name) => {
            let url = aws.sqs.queue_url(name).await?;
            if is_tagged { Some(aws.sqs.tags(&url).await?) } else { None }
        }
        AwsResource::Table(name) => {
            let arn = aws.dynamodb.table(name).await?.arn;
            if is_tagged { Some(aws.dynamodb.tags(&arn).await?) } else { None }
        }
        AwsResource::Rule { name, bus } => {
            let arn = aws.events.rule(name, bus.as_deref()).await?.arn;
            if is_tagged { Some(aws.events.tags(&arn).await?) } else { None }
        }
        AwsResource::Parameter(name) => {
            aws.ssm.existing_parameter(name).await?;
            if is_tagged { Some(aws.ssm.tags(name).await?) } else { None }
        }
        AwsResource::Topic(name) => {
            let arn = topic_arn(aws, name).await?;
            aws.sns.find_topic(&arn).await?;
            if is_tagged { Some(aws.sns.tags(&arn).await?) } else { None }
        }
        AwsResource::Bus(name) => {
            let arn = aws.events.bus_arn(name).await?;
            if is_tagged { Some(aws.events.tags(&arn).await?) } else { None }
        }
        AwsResource::Stream(name) => {
            aws.kinesis.find_stream(name).await?;
            if is_tagged { Some(aws.kinesis.tags(name).await?) } else { None }
        }
        AwsResource::Other(_) => None,
    })
}

/// What is named in words alone has no tags that could be read. A template of FIS says itself by which tags it chooses.
fn check_other(plan: &Plan, target: &TargetId, required: &Tags) -> Result<(), StageError> {
    let of_target = |change: &&ChangePlan| change.target == *target;
    let is_unread = plan.changes.values().filter(of_target).any(|change| template(change).is_none());
    let Some((key, value)) = required.iter().next().filter(|_| is_unread) else { return Ok(()) };
    let why = format!(
        "its tags can not be read, and the environment asks for `{key}: {value}`; let the fault name a target of another \
         kind than `other`"
    );
    Err(StageError::NotReady { target: target.clone(), why })
}

fn template(change: &ChangePlan) -> Option<&str> {
    change.spec.fis_experiment.as_ref().and_then(|experiment| experiment.template.as_deref())
}

/// A template of FIS works on what it names itself: each of its targets must be chosen by the tags, since what else it may
/// choose is known only when it does.
async fn check_template(aws: &Aws, change: &ChangePlan, required: &Tags) -> Result<(), StageError> {
    let Some(id) = template(change) else { return Ok(()) };
    let target = &change.target;
    let fail = |source| StageError::Target { target: target.clone(), source: Box::new(source) };
    for (name, tags) in aws.fis.template_tags(id).await.map_err(fail)? {
        if let Some((key, value)) = required.iter().find(|(key, value)| tags.get(*key) != Some(value)) {
            let why = format!(
                "target `{name}` of the experiment template `{id}` may choose resources without the tag `{key}: {value}` \
                 that the environment asks for; add it to the target's `resourceTags`"
            );
            return Err(StageError::NotReady { target: target.clone(), why });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Reply, Server};
    use crate::fault::testing::FakeFunctions;
    use crate::plan::testing::Sketch;
    use crate::scenario::Mode;

    fn tags(pairs: &[(&str, &str)]) -> Tags {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn plan(resource: AwsResource) -> Plan {
        let mut plan = Sketch::new(Mode::Drill).plan();
        plan.targets.insert("orders".parse().unwrap(), TargetPlan::Resource(resource));
        plan
    }

    async fn checked(resource: AwsResource, replies: &[(u16, &str)], required: &Tags) -> Result<Vec<String>, String> {
        let replies: Vec<Reply> = replies.iter().map(|(status, body)| Reply::new(*status, body)).collect();
        let server = Server::start(replies).await;
        let aws = Aws::made_up_at(&server, FakeFunctions::new([]));
        let checked = check_resources(&aws, &plan(resource), required).await;
        checked.map_err(|error| crate::unit::error_chain(&error))
    }

    #[tokio::test]
    async fn every_kind_of_resource_must_be_there_and_carry_the_tags() {
        let required = tags(&[("game-day", "yes")]);
        let name = || "orders".to_owned();
        let rule = AwsResource::Rule { name: name(), bus: None };
        let role = "<R><GetRoleResult><Role><Arn>arn</Arn></Role></GetRoleResult></R>";
        let role_tags = |value: &str| {
            format!(
                "<R><ListRoleTagsResult><Tags><member><Key>game-day</Key><Value>{value}</Value></member></Tags>\
                 <IsTruncated>false</IsTruncated></ListRoleTagsResult></R>"
            )
        };
        let list =
            |member: &str, value: &str| format!(r#"{{"{member}": [{{"Key": "game-day", "Value": "{value}"}}]}}"#);
        let table = r#"{"Table": {"TableArn": "arn", "TableStatus": "ACTIVE"}}"#;
        let queue_tags = |value: &str| format!(r#"{{"Tags": {{"game-day": "{value}"}}}}"#);
        let of = |value: &str| {
            [
                (AwsResource::Role(name()), role, role_tags(value)),
                (AwsResource::Queue(name()), r#"{"QueueUrl": "http://a/b"}"#, queue_tags(value)),
                (AwsResource::Table(name()), table, list("Tags", value)),
                (rule.clone(), r#"{"Arn": "arn", "State": "ENABLED"}"#, list("Tags", value)),
                (
                    AwsResource::Parameter(name()),
                    r#"{"Parameter": {"Value": "a", "Type": "String", "Version": 1}}"#,
                    list("TagList", value),
                ),
            ]
        };
        for (resource, found, carried) in of("yes") {
            let text = format!("{resource} is there");
            let ready = checked(resource.clone(), &[(200, found), (200, &carried)], &required).await;
            assert_eq!(ready, Ok(vec![text.clone()]));
            assert_eq!(checked(resource.clone(), &[(200, found)], &Tags::new()).await, Ok(vec![text]));
            // Unknown is never a pass.
            let unread =
                checked(resource.clone(), &[(200, found), (403, "{\"__type\": \"AccessDenied\"}")], &required).await;
            let expected = "target `orders` is not ready: ";
            assert!(unread.as_ref().is_err_and(|error| error.starts_with(expected)), "{resource}: {unread:?}");
            let absent =
                checked(resource.clone(), &[(400, "{\"__type\": \"ResourceNotFoundException\"}")], &Tags::new()).await;
            assert!(absent.as_ref().is_err_and(|error| error.starts_with(expected)), "{resource}: {absent:?}");
        }
        for (resource, found, carried) in of("no") {
            let error = checked(resource, &[(200, found), (200, &carried)], &required).await.unwrap_err();
            let expected = "target `orders` is not ready: it does not carry the tag `game-day: yes` that the environment \
                            asks for; the tag is `game-day: no`";
            assert_eq!(error, expected);
        }
    }

    #[tokio::test]
    async fn what_is_named_in_words_has_no_tags_unless_a_template_chooses_by_them() {
        let required = tags(&[("game-day", "yes")]);
        let mut plan = plan(AwsResource::Other("network".to_owned()));
        let mut change = crate::plan::testing::variable("cut", "orders", "A");
        let experiment = |json| serde_json::from_value(json).unwrap();
        change.spec = experiment(serde_json::json!({
            "fis_experiment": {"target": "orders", "action": {"id": "aws:fis:wait"}, "role": "r"},
        }));
        plan.changes.insert("cut".parse().unwrap(), change.clone());
        let check = async |plan: &Plan, body: &str, required: &Tags| {
            let server = Server::start([Reply::new(200, body)]).await;
            let aws = Aws::made_up_at(&server, FakeFunctions::new([]));
            check_resources(&aws, plan, required).await.map_err(|error| error.to_string())
        };
        let refused = check(&plan, "", &required).await.unwrap_err();
        assert!(refused.contains("its tags can not be read"), "{refused}");
        assert_eq!(check(&plan, "", &Tags::new()).await, Ok(Vec::new()));

        change.spec =
            experiment(serde_json::json!({"fis_experiment": {"target": "orders", "template": "EXT1a2b3c4d"}}));
        plan.changes.insert("cut".parse().unwrap(), change);
        let template = |tags: &str| {
            format!(
                r#"{{"experimentTemplate": {{"id": "EXT1a2b3c4d", "targets": {{"subnets": {{"resourceType": "aws:ec2:subnet",
                   "resourceTags": {tags}, "selectionMode": "ALL"}}}}}}}}"#
            )
        };
        assert_eq!(check(&plan, &template(r#"{"game-day": "yes", "a": "b"}"#), &required).await, Ok(Vec::new()));
        let refused = check(&plan, &template("{}"), &required).await.unwrap_err();
        assert!(refused.contains("target `subnets` of the experiment template `EXT1a2b3c4d` may choose"), "{refused}");
    }
}
