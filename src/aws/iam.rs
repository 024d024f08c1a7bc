//! Roles, their inline policies, and what policies come to, by signed requests.

use std::collections::BTreeMap;

use super::AwsError;
use super::signed::{Answer, Call, Element, Input, Service, Signed, percent_decode};

const SERVICE: Service = Service { name: "iam", id: "IAM", is_global: true };
/// How many pages of a simulation are read; each has up to 100 results (AWS's default for `MaxItems`).
const SIMULATION_PAGES_MAX: usize = 100;
/// How many pages of tags are read. A role has up to 50 tags (AWS).
const TAG_PAGES_MAX: usize = 50;

/// IAM of the partition. Clones share their connections. What is written here is seen everywhere only after some seconds.
#[derive(Debug, Clone)]
pub struct Iam {
    signed: Signed,
}

/// What policies say to one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The action: `lambda:PutFunctionConcurrency`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// Whether it may be done.
    pub decision: Decision,
    /// Keys of conditions that decide about it and that the simulation was not told: `aws:SourceIp`.
    pub missing_keys: Vec<String>,
}

/// Whether policies let an action through. AWS: `PolicyEvaluationDecisionType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// A policy allows it, and none denies it.
    Allowed,
    /// A policy denies it.
    ExplicitDeny,
    /// No policy allows it.
    ImplicitDeny,
}

impl Iam {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// An inline policy of a role, as its JSON document; none where the role has no such policy, or is no role.
    /// `iam:GetRolePolicy`.
    ///
    /// # Errors
    /// The call failed, or the document can not be read.
    pub async fn role_policy(&self, role: &str, name: &str) -> Result<Option<String>, AwsError> {
        match self.call("GetRolePolicy", &[("RoleName", role), ("PolicyName", name)]).await {
            Ok(answer) => {
                let root = answer.xml()?;
                let document = root.text_at(&["GetRolePolicyResult", "PolicyDocument"]).and_then(percent_decode);
                document.map(Some).ok_or_else(|| answer.bad("the answer has no document that can be read"))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sets an inline policy of a role, whatever was there. `iam:PutRolePolicy`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn put_role_policy(&self, role: &str, name: &str, document: &str) -> Result<(), AwsError> {
        let parameters = [("RoleName", role), ("PolicyName", name), ("PolicyDocument", document)];
        self.call("PutRolePolicy", &parameters).await.map(drop)
    }

    /// Takes an inline policy of a role away; one that is absent is fine. `iam:DeleteRolePolicy`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete_role_policy(&self, role: &str, name: &str) -> Result<(), AwsError> {
        match self.call("DeleteRolePolicy", &[("RoleName", role), ("PolicyName", name)]).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The ARN of a role, with the path that its name leaves out. `iam:GetRole`.
    ///
    /// # Errors
    /// The call failed, also where there is no such role.
    pub async fn role_arn(&self, role: &str) -> Result<String, AwsError> {
        let answer = self.call("GetRole", &[("RoleName", role)]).await?;
        let arn = answer.xml()?.text_at(&["GetRoleResult", "Role", "Arn"]).map(str::to_owned);
        arn.ok_or_else(|| answer.bad("the answer has no ARN"))
    }

    /// The tags of a role. `iam:ListRoleTags`.
    ///
    /// # Errors
    /// A call failed, also where there is no such role; or there are more than 50 pages.
    pub async fn role_tags(&self, role: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let mut tags = BTreeMap::new();
        let mut marker: Option<String> = None;
        for page in 1.. {
            let mut parameters = vec![("RoleName".to_owned(), role.to_owned())];
            parameters.extend(marker.take().map(|marker| ("Marker".to_owned(), marker)));
            let answer = self.send("ListRoleTags", parameters).await?;
            let root = answer.xml()?;
            for tag in root.members(&["ListRoleTagsResult", "Tags"]) {
                let (key, value) = (tag.text_at(&["Key"]), tag.text_at(&["Value"]).unwrap_or_default());
                let key = key.ok_or_else(|| answer.bad("a tag has no key"))?;
                tags.insert(key.to_owned(), value.to_owned());
            }
            marker = root.text_at(&["ListRoleTagsResult", "Marker"]).map(str::to_owned);
            if root.text_at(&["ListRoleTagsResult", "IsTruncated"]) != Some("true") {
                break;
            }
            if page >= TAG_PAGES_MAX || marker.is_none() {
                return Err(answer.bad("the list of tags has no end"));
            }
        }
        Ok(tags)
    }

    /// What the policies of a user, group or role (not of a session) say to each of `actions` on each of `resources`; no
    /// resources stand for `*`. `context` gives the values of condition keys. Boundaries and service control policies count;
    /// session policies and resource policies are not looked at (AWS). `iam:SimulatePrincipalPolicy`.
    ///
    /// # Errors
    /// A call failed, or there are more than 100 pages of results.
    pub async fn simulate(
        &self,
        principal_arn: &str,
        actions: &[&str],
        resources: &[&str],
        context: &[(&str, &str)],
    ) -> Result<Vec<Simulated>, AwsError> {
        let list = |name: &str, members: &[&str]| -> Vec<(String, String)> {
            let named =
                |(index, member): (usize, &&str)| (format!("{name}.member.{}", index + 1), (*member).to_owned());
            members.iter().enumerate().map(named).collect()
        };
        let mut parameters = vec![("PolicySourceArn".to_owned(), principal_arn.to_owned())];
        parameters.extend(list("ActionNames", actions));
        parameters.extend(list("ResourceArns", resources));
        for (index, (key, value)) in context.iter().enumerate() {
            let entry = format!("ContextEntries.member.{}", index + 1);
            parameters.push((format!("{entry}.ContextKeyName"), (*key).to_owned()));
            parameters.push((format!("{entry}.ContextKeyType"), "string".to_owned()));
            parameters.push((format!("{entry}.ContextKeyValues.member.1"), (*value).to_owned()));
        }
        let mut simulated = Vec::new();
        let mut marker: Option<String> = None;
        for page in 1.. {
            let mut parameters = parameters.clone();
            parameters.extend(marker.take().map(|marker| ("Marker".to_owned(), marker)));
            let answer = self.send("SimulatePrincipalPolicy", parameters).await?;
            let root = answer.xml()?;
            for result in root.members(&["SimulatePrincipalPolicyResult", "EvaluationResults"]) {
                read_result(result, &mut simulated)
                    .ok_or_else(|| answer.bad("a result of the simulation is unknown"))?;
            }
            let is_truncated = root.text_at(&["SimulatePrincipalPolicyResult", "IsTruncated"]) == Some("true");
            marker = root.text_at(&["SimulatePrincipalPolicyResult", "Marker"]).map(str::to_owned);
            if !is_truncated {
                break;
            }
            if page >= SIMULATION_PAGES_MAX || marker.is_none() {
                return Err(answer.bad("the simulation has no end"));
            }
        }
        Ok(simulated)
    }

    async fn call(&self, operation: &'static str, parameters: &[(&str, &str)]) -> Result<Answer, AwsError> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        self.send(operation, parameters.iter().map(own).collect()).await
    }

    async fn send(&self, operation: &'static str, parameters: Vec<(String, String)>) -> Result<Answer, AwsError> {
        let input = Input::Query { version: "2010-05-08", parameters };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

/// Adds what one result says: of each resource where it tells them apart, else of the one that it names.
fn read_result(result: &Element, simulated: &mut Vec<Simulated>) -> Option<()> {
    let action = result.text_at(&["EvalActionName"])?.to_owned();
    let before = simulated.len();
    // Where a boundary or a service control policy does not allow it, no policy of the principal's can.
    let is_cut_off = [
        ["OrganizationsDecisionDetail", "AllowedByOrganizations"],
        ["PermissionsBoundaryDecisionDetail", "AllowedByPermissionsBoundary"],
    ]
    .iter()
    .any(|path| result.text_at(path) == Some("false"));
    let decision = |text: &str| match decision(text)? {
        Decision::Allowed if is_cut_off => Some(Decision::ImplicitDeny),
        decision => Some(decision),
    };
    let missing = |of: &Element| -> Vec<String> {
        of.members(&["MissingContextValues"]).filter_map(|key| key.text_at(&[]).map(str::to_owned)).collect()
    };
    let of_all = missing(result);
    for specific in result.members(&["ResourceSpecificResults"]) {
        let decision = decision(specific.text_at(&["EvalResourceDecision"])?)?;
        let resource = specific.text_at(&["EvalResourceName"])?.to_owned();
        let missing_keys = of_all.iter().cloned().chain(missing(specific)).collect();
        simulated.push(Simulated { action: action.clone(), resource, decision, missing_keys });
    }
    if simulated.len() == before {
        let resource = result.text_at(&["EvalResourceName"]).unwrap_or("*").to_owned();
        let decision = decision(result.text_at(&["EvalDecision"])?)?;
        simulated.push(Simulated { action, resource, decision, missing_keys: of_all });
    }
    Some(())
}

fn decision(text: &str) -> Option<Decision> {
    match text {
        "allowed" => Some(Decision::Allowed),
        "explicitDeny" => Some(Decision::ExplicitDeny),
        "implicitDeny" => Some(Decision::ImplicitDeny),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    fn iam(server: &Server) -> Iam {
        Iam::new(&server.signed())
    }

    #[tokio::test]
    async fn a_policy_is_read_decoded_and_put_encoded() {
        let body = "<GetRolePolicyResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRolePolicyResult>\
            <PolicyDocument>%7B%22Statement%22%3A%5B%5D%2C%22Id%22%3A%22a+b%22%7D</PolicyDocument>\
            </GetRolePolicyResult></GetRolePolicyResponse>";
        let server = Server::start([Reply::new(200, body)]).await;
        let document = iam(&server).role_policy("shop", "gameday-r1").await.unwrap();
        assert_eq!(document.as_deref(), Some(r#"{"Statement":[],"Id":"a+b"}"#));
        let sent = server.only();
        assert_eq!(sent.body, "Action=GetRolePolicy&Version=2010-05-08&RoleName=shop&PolicyName=gameday-r1");
        let scope = "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request";
        assert!(sent.header("authorization").unwrap().contains(scope), "{sent:?}");

        let server = Server::start([Reply::new(200, "<PutRolePolicyResponse/>")]).await;
        iam(&server).put_role_policy("shop", "p", "{\"a\": 1}").await.unwrap();
        let expected =
            "Action=PutRolePolicy&Version=2010-05-08&RoleName=shop&PolicyName=p&PolicyDocument=%7B%22a%22%3A%201%7D";
        assert_eq!(server.only().body, expected);
    }

    #[tokio::test]
    async fn an_absent_policy_is_none_and_need_not_be_deleted() {
        let body = "<ErrorResponse><Error><Code>NoSuchEntity</Code><Message>m</Message></Error></ErrorResponse>";
        let server = Server::start([Reply::new(404, body)]).await;
        assert_eq!(iam(&server).role_policy("shop", "p").await, Ok(None));
        assert_eq!(iam(&server).delete_role_policy("shop", "p").await, Ok(()));
        assert!(iam(&server).role_arn("shop").await.unwrap_err().is_not_found());
    }

    #[tokio::test]
    async fn a_role_has_its_path_in_its_arn() {
        let body = "<GetRoleResponse><GetRoleResult><Role><Arn>arn:aws:iam::123456789012:role/team/shop</Arn></Role>\
            </GetRoleResult></GetRoleResponse>";
        let server = Server::start([Reply::new(200, body)]).await;
        assert_eq!(iam(&server).role_arn("shop").await.as_deref(), Ok("arn:aws:iam::123456789012:role/team/shop"));
    }

    fn page(results: &str, end: &str) -> Reply {
        Reply::new(
            200,
            &format!(
                "<SimulatePrincipalPolicyResponse><SimulatePrincipalPolicyResult><EvaluationResults>{results}\
                 </EvaluationResults>{end}</SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
            ),
        )
    }

    #[tokio::test]
    async fn a_simulation_is_read_to_its_end_and_tells_resources_apart() {
        let first = "<member><EvalActionName>sqs:SendMessage</EvalActionName><EvalResourceName>*</EvalResourceName>\
            <EvalDecision>implicitDeny</EvalDecision><ResourceSpecificResults>\
            <member><EvalResourceName>arn:1</EvalResourceName><EvalResourceDecision>allowed</EvalResourceDecision></member>\
            <member><EvalResourceName>arn:2</EvalResourceName><EvalResourceDecision>explicitDeny</EvalResourceDecision>\
            </member></ResourceSpecificResults></member>";
        let second = "<member><EvalActionName>sqs:GetQueueUrl</EvalActionName><EvalResourceName>arn:1</EvalResourceName>\
            <EvalDecision>implicitDeny</EvalDecision></member>";
        let replies = [
            page(first, "<IsTruncated>true</IsTruncated><Marker>m=1</Marker>"),
            page(second, "<IsTruncated>false</IsTruncated>"),
        ];
        let server = Server::start(replies).await;
        let actions = ["sqs:SendMessage", "sqs:GetQueueUrl"];
        let context = [("iam:PassedToService", "fis.amazonaws.com")];
        let simulated = iam(&server).simulate("arn:role", &actions, &["arn:1", "arn:2"], &context).await.unwrap();
        let of = |action: &str, resource: &str, decision| Simulated {
            action: action.to_owned(),
            resource: resource.to_owned(),
            decision,
            missing_keys: Vec::new(),
        };
        let expected = [
            of("sqs:SendMessage", "arn:1", Decision::Allowed),
            of("sqs:SendMessage", "arn:2", Decision::ExplicitDeny),
            of("sqs:GetQueueUrl", "arn:1", Decision::ImplicitDeny),
        ];
        assert_eq!(simulated, expected);
        let [first, second] = server.recorded().try_into().unwrap();
        let parameters = "Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=arn%3Arole\
            &ActionNames.member.1=sqs%3ASendMessage&ActionNames.member.2=sqs%3AGetQueueUrl\
            &ResourceArns.member.1=arn%3A1&ResourceArns.member.2=arn%3A2\
            &ContextEntries.member.1.ContextKeyName=iam%3APassedToService&ContextEntries.member.1.ContextKeyType=string\
            &ContextEntries.member.1.ContextKeyValues.member.1=fis.amazonaws.com";
        assert_eq!((first.body.as_str(), second.body), (parameters, format!("{parameters}&Marker=m%3D1")));
    }

    #[tokio::test]
    async fn what_an_organization_does_not_allow_is_denied() {
        for detail in [
            "<OrganizationsDecisionDetail><AllowedByOrganizations>false</AllowedByOrganizations></OrganizationsDecisionDetail>",
            "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>false</AllowedByPermissionsBoundary>\
             </PermissionsBoundaryDecisionDetail>",
        ] {
            let result = format!(
                "<member><EvalActionName>a</EvalActionName><EvalDecision>allowed</EvalDecision>{detail}</member>"
            );
            let server = Server::start([page(&result, "<IsTruncated>false</IsTruncated>")]).await;
            let simulated = iam(&server).simulate("arn:role", &["a"], &[], &[]).await.unwrap();
            assert_eq!(simulated[0].decision, Decision::ImplicitDeny);
        }
    }

    #[tokio::test]
    async fn a_simulation_that_is_cut_short_or_has_no_end_is_no_result() {
        for end in ["<IsTruncated>true</IsTruncated>", "<IsTruncated>true</IsTruncated><Marker>again</Marker>"] {
            let server = Server::start([page("", end)]).await;
            let error = iam(&server).simulate("arn:role", &["sqs:SendMessage"], &[], &[]).await.unwrap_err();
            assert_eq!(error.message, "the simulation has no end");
            assert!(server.recorded().len() <= SIMULATION_PAGES_MAX);
        }
        let unknown = "<member><EvalActionName>a</EvalActionName><EvalDecision>perhaps</EvalDecision></member>";
        let server = Server::start([page(unknown, "<IsTruncated>false</IsTruncated>")]).await;
        assert_eq!(iam(&server).simulate("arn:role", &["a"], &[], &[]).await.unwrap_err().code, "BadAnswer");
    }
}
