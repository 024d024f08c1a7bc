//! Stacks that are being changed, by signed requests.

use super::AwsError;
use super::signed::{Call, Input, Service, Signed};

const SERVICE: Service = Service { name: "cloudformation", id: "CloudFormation", is_global: false };
/// The version of the API. Source: AWS, CloudFormation API reference.
const VERSION: &str = "2010-05-15";
/// How many pages are read.
const PAGES_MAX: usize = 10;
/// The states of a stack that is being changed. Source: AWS, `ListStacks`, `StackStatusFilter`.
const IN_PROGRESS: [&str; 10] = [
    "CREATE_IN_PROGRESS",
    "DELETE_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "REVIEW_IN_PROGRESS",
    "ROLLBACK_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_IN_PROGRESS",
];

/// CloudFormation of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct CloudFormation {
    signed: Signed,
}

/// A stack that is being changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangingStack {
    /// Its name.
    pub name: String,
    /// AWS's word for its state: `UPDATE_IN_PROGRESS`.
    pub state: String,
}

impl CloudFormation {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// The stacks that are being changed. `cloudformation:ListStacks`.
    ///
    /// # Errors
    /// A call failed, the list has no end, or a stack has no name or state.
    pub async fn changing_stacks(&self) -> Result<Vec<ChangingStack>, AwsError> {
        let mut stacks = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let states = IN_PROGRESS.iter().enumerate();
            let mut parameters: Vec<(String, String)> = states
                .map(|(index, state)| (format!("StackStatusFilter.member.{}", index + 1), (*state).to_owned()))
                .collect();
            parameters.extend(token.take().map(|token| ("NextToken".to_owned(), token)));
            let input = Input::Query { version: VERSION, parameters };
            let call = Call { service: &SERVICE, operation: "ListStacks", input, secrets: &[] };
            let answer = self.signed.send(&call).await?;
            let root = answer.xml()?;
            let result = root.at(&["ListStacksResult"]).ok_or_else(|| answer.bad("the answer has no result"))?;
            for member in result.members(&["StackSummaries"]) {
                let text = |name| {
                    let text = member.text_at(&[name]).filter(|text| !text.is_empty());
                    text.map(str::to_owned).ok_or_else(|| answer.bad("a stack has no name or no state"))
                };
                let stack = ChangingStack { name: text("StackName")?, state: text("StackStatus")? };
                // Emulators may not know the filter.
                if stack.state.ends_with("_IN_PROGRESS") {
                    stacks.push(stack);
                }
            }
            token = result.text_at(&["NextToken"]).filter(|token| !token.is_empty()).map(str::to_owned);
            if token.is_none() {
                return Ok(stacks);
            }
            if stacks.len() > PAGES_MAX * 100 {
                break;
            }
        }
        Err(AwsError {
            service: SERVICE.name,
            operation: "ListStacks",
            code: "BadAnswer".to_owned(),
            message: "the list has no end".to_owned(),
            retryable: false,
            request_id: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    fn page(name: &str, state: &str, token: &str) -> Reply {
        Reply::new(
            200,
            &format!(
                "<ListStacksResponse><ListStacksResult><StackSummaries><member><StackName>{name}</StackName>\
                 <StackStatus>{state}</StackStatus></member></StackSummaries>{token}</ListStacksResult></ListStacksResponse>"
            ),
        )
    }

    #[tokio::test]
    async fn stacks_that_change_are_walked_to_the_end() {
        let more = "<NextToken>t</NextToken>";
        let replies = [page("shop", "UPDATE_IN_PROGRESS", more), page("old", "CREATE_COMPLETE", "")];
        let server = Server::start(replies).await;
        let stacks = CloudFormation::new(&server.signed()).changing_stacks().await.unwrap();
        assert_eq!(stacks.iter().map(|stack| stack.name.as_str()).collect::<Vec<_>>(), ["shop"]);
        let sent = server.recorded();
        assert!(sent[0].body.contains("StackStatusFilter.member.1=CREATE_IN_PROGRESS"), "{}", sent[0].body);
        assert!(sent[1].body.ends_with("NextToken=t"), "{}", sent[1].body);
        let endless = Server::start([page("shop", "UPDATE_IN_PROGRESS", more)]).await;
        let error = CloudFormation::new(&endless.signed()).changing_stacks().await.unwrap_err();
        assert_eq!(error.message, "the list has no end");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_no_list() {
        for reply in [
            Reply::new(200, "<R/>"),
            Reply::new(200, "<html>"),
            Reply::new(503, ""),
            Reply::new(400, "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>"),
            page("shop", "", ""),
        ] {
            let server = Server::start([reply]).await;
            assert!(CloudFormation::new(&server.signed()).changing_stacks().await.is_err());
        }
    }
}
