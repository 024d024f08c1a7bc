//! Walks over all functions and event source mappings of an account: one call serves fifty and more of them.

use aws_sdk_lambda::types::{
    EventSourceMappingConfiguration, FunctionConfiguration as SdkConfiguration, FunctionResponseType, LogFormat,
    SystemLogLevel, TracingMode,
};
use chrono::{DateTime, Utc};

use super::{Lambda, SERVICE, bad_answer, count};
use crate::aws::{AwsError, EnvironmentVariables};

/// How many functions a page has. Source: AWS, `ListFunctions`.
const PAGE_FUNCTIONS_MAX: i32 = 50;
/// How many mappings a page has. Source: AWS, `ListEventSourceMappings`.
const PAGE_SOURCES_MAX: i32 = 100;
/// How many pages of either are read.
const PAGES_MAX: usize = 100;
/// How many pages of a function's aliases are read.
const ALIAS_PAGES_MAX: usize = 5;

/// A function as a walk over all of them tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFunction {
    /// Its name.
    pub name: String,
    /// Its ARN; empty where an emulator has none.
    pub arn: String,
    /// `python3.12`; none for an image.
    pub runtime: Option<String>,
    /// Whole seconds, 1 to 900, where that is told.
    pub timeout_seconds: Option<u32>,
    /// When its code or settings last changed, where that can be read.
    pub modified_at: Option<DateTime<Utc>>,
    /// Whether every invocation is offered to X-Ray (`Active`); none where nothing is said of it.
    pub is_traced: Option<bool>,
    /// Whether its logs are JSON; none where nothing is said of it.
    pub logs_json: Option<bool>,
    /// Whether the level of its system log keeps the records of each invocation (`DEBUG`, `INFO`); none where it has no level.
    pub keeps_reports: Option<bool>,
    /// Its log group.
    pub log_group: String,
    /// The ARN of its dead-letter queue or topic.
    pub dead_letter: Option<String>,
    /// Its variables; none where AWS can not show them.
    pub environment: Option<EnvironmentVariables>,
}

/// The functions of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionList {
    /// In AWS's order.
    pub functions: Vec<ListedFunction>,
    /// Whether there are more than the 5,000 that are read.
    pub is_cut: bool,
}

/// An event source mapping as a walk over all of them tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSource {
    /// The ARN of the function, with its alias where it has one.
    pub function_arn: String,
    /// The ARN of what is polled; empty for sources that have none.
    pub source_arn: String,
    /// How often a record is tried again; none is without end, where the source is a stream.
    pub retries_max: Option<u32>,
    /// Whether a batch that fails is cut in two.
    pub bisects: bool,
    /// Whether the function says which records of a batch failed.
    pub reports_failures: bool,
}

/// The event source mappings of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceList {
    /// In AWS's order.
    pub sources: Vec<ListedSource>,
    /// Whether there are more than the 10,000 that are read.
    pub is_cut: bool,
}

impl Lambda {
    /// `lambda:ListFunctions`, page by page.
    ///
    /// # Errors
    /// A call failed, or a function has no name.
    pub async fn functions(&self) -> Result<FunctionList, AwsError> {
        const OPERATION: &str = "ListFunctions";
        let mut list = FunctionList::default();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let ask = self.client.list_functions().max_items(PAGE_FUNCTIONS_MAX).set_marker(marker);
            let output = ask.send().await.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            for function in output.functions() {
                list.functions.push(function_of(OPERATION, function)?);
            }
            marker = output.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(list);
            }
        }
        list.is_cut = true;
        Ok(list)
    }

    /// `lambda:ListEventSourceMappings` of the whole account, page by page.
    ///
    /// # Errors
    /// A call failed.
    pub async fn all_event_sources(&self) -> Result<SourceList, AwsError> {
        const OPERATION: &str = "ListEventSourceMappings";
        let mut list = SourceList::default();
        let mut marker: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let ask = self.client.list_event_source_mappings().max_items(PAGE_SOURCES_MAX).set_marker(marker);
            let output = ask.send().await.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            list.sources.extend(output.event_source_mappings().iter().map(source_of));
            marker = output.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(list);
            }
        }
        list.is_cut = true;
        Ok(list)
    }

    /// How many invocations may run at once in the account and Region. `lambda:GetAccountSettings`.
    ///
    /// # Errors
    /// The call failed, or the answer has no limit.
    pub async fn concurrency_limit(&self) -> Result<u32, AwsError> {
        const OPERATION: &str = "GetAccountSettings";
        let output = self.client.get_account_settings().send().await;
        let output = output.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        let limit = output.account_limit().ok_or_else(|| bad_answer(OPERATION, "the answer has no `AccountLimit`"))?;
        count(OPERATION, limit.concurrent_executions())
    }

    /// The names of a function's aliases. `lambda:ListAliases`.
    ///
    /// # Errors
    /// A call failed, or the list has no end.
    pub async fn aliases(&self, function: &str) -> Result<Vec<String>, AwsError> {
        const OPERATION: &str = "ListAliases";
        let (mut names, mut marker) = (Vec::new(), None);
        for _ in 0..ALIAS_PAGES_MAX {
            let ask = self.client.list_aliases().function_name(function).set_marker(marker);
            let output = ask.send().await.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            names.extend(output.aliases().iter().filter_map(|alias| alias.name().map(str::to_owned)));
            marker = output.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(names);
            }
        }
        Err(bad_answer(OPERATION, "the list has no end"))
    }
}

fn function_of(operation: &'static str, function: &SdkConfiguration) -> Result<ListedFunction, AwsError> {
    let name = function.function_name().ok_or_else(|| bad_answer(operation, "a function has no name"))?.to_owned();
    let logging = function.logging_config();
    let environment = match function.environment() {
        None => Some(EnvironmentVariables::default()),
        Some(environment) if environment.error().is_some() => None,
        Some(environment) => {
            let variables = environment.variables().cloned().unwrap_or_default();
            Some(EnvironmentVariables(variables.into_iter().collect()))
        }
    };
    Ok(ListedFunction {
        arn: function.function_arn().unwrap_or_default().to_owned(),
        runtime: function.runtime().map(|runtime| runtime.as_str().to_owned()),
        timeout_seconds: function.timeout().map(|seconds| count(operation, seconds)).transpose()?,
        modified_at: function.last_modified().and_then(moment),
        is_traced: function.tracing_config().and_then(|it| it.mode()).map(|mode| *mode == TracingMode::Active),
        logs_json: logging.and_then(|it| it.log_format()).map(|format| *format == LogFormat::Json),
        keeps_reports: logging
            .and_then(|it| it.system_log_level())
            .map(|level| matches!(level, SystemLogLevel::Debug | SystemLogLevel::Info)),
        log_group: logging.and_then(|it| it.log_group()).map_or_else(|| format!("/aws/lambda/{name}"), str::to_owned),
        dead_letter: function
            .dead_letter_config()
            .and_then(|it| it.target_arn())
            .filter(|arn| !arn.is_empty())
            .map(str::to_owned),
        environment,
        name,
    })
}

/// `2026-11-28T10:00:00.000+0000`, as Lambda writes it.
fn moment(text: &str) -> Option<DateTime<Utc>> {
    let read = DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z").or_else(|_| DateTime::parse_from_rfc3339(text));
    read.ok().map(|at| at.with_timezone(&Utc))
}

fn source_of(mapping: &EventSourceMappingConfiguration) -> ListedSource {
    ListedSource {
        function_arn: mapping.function_arn().unwrap_or_default().to_owned(),
        source_arn: mapping.event_source_arn().unwrap_or_default().to_owned(),
        // AWS: -1 is without end.
        retries_max: mapping.maximum_retry_attempts().and_then(|retries| u32::try_from(retries).ok()),
        bisects: mapping.bisect_batch_on_function_error() == Some(true),
        reports_failures: mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::{Aws, Reply, Server};
    use crate::fault::testing::FakeFunctions;

    async fn aws(replies: Vec<Reply>) -> (Server, Aws) {
        let server = Server::start(replies).await;
        let aws = Aws::made_up_at(&server, FakeFunctions::new([]));
        (server, aws)
    }

    const PAGE: &str = r#"{"Functions": [{"FunctionName": "orders", "FunctionArn": "arn:1", "Timeout": 3, "Runtime": "python3.12",
        "LastModified": "2026-11-28T10:00:00.000+0000", "TracingConfig": {"Mode": "Active"}, "DeadLetterConfig": {"TargetArn": ""},
        "LoggingConfig": {"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": "shop"},
        "Environment": {"Variables": {"A": "b"}}}], "NextMarker": "m"}"#;

    #[tokio::test]
    async fn functions_are_walked_to_the_end_with_what_they_are_set_to() {
        let second = r#"{"Functions": [{"FunctionName": "bare"}]}"#;
        let (server, aws) = aws(vec![Reply::new(200, PAGE), Reply::new(200, second)]).await;
        let list = aws.lambda.functions().await.unwrap();
        let [orders, bare] = list.functions.as_slice() else { panic!("{list:?}") };
        assert_eq!((orders.is_traced, orders.logs_json, orders.keeps_reports), (Some(true), Some(true), Some(false)));
        assert_eq!((orders.timeout_seconds, orders.log_group.as_str(), &orders.dead_letter), (Some(3), "shop", &None));
        assert_eq!(orders.modified_at.unwrap().to_rfc3339(), "2026-11-28T10:00:00+00:00");
        assert_eq!((bare.is_traced, bare.log_group.as_str(), bare.timeout_seconds), (None, "/aws/lambda/bare", None));
        assert!(!list.is_cut);
        assert!(server.recorded()[1].line.contains("Marker=m"), "{:?}", server.recorded());
    }

    #[tokio::test]
    async fn an_endless_list_is_cut_and_an_answer_that_is_none_is_no_list() {
        let (_server, aws) = aws(vec![Reply::new(200, PAGE)]).await;
        let list = aws.lambda.functions().await.unwrap();
        assert!(list.is_cut && list.functions.len() == PAGES_MAX);
        for reply in [Reply::new(503, "<html>busy</html>"), Reply::new(200, "<html>login</html>"), Reply::new(429, "")]
        {
            let (_server, aws) = self::aws(vec![reply]).await;
            assert!(aws.lambda.functions().await.is_err());
            assert!(aws.lambda.all_event_sources().await.is_err());
            assert!(aws.lambda.concurrency_limit().await.is_err());
            assert!(aws.lambda.aliases("orders").await.is_err());
        }
    }

    #[tokio::test]
    async fn mappings_are_walked_and_no_number_of_retries_is_without_end() {
        let first = r#"{"EventSourceMappings": [{"UUID": "1", "FunctionArn": "arn:f:live", "EventSourceArn": "arn:q",
            "FunctionResponseTypes": ["ReportBatchItemFailures"], "BisectBatchOnFunctionError": true,
            "MaximumRetryAttempts": -1}], "NextMarker": "m"}"#;
        let second = r#"{"EventSourceMappings": [{"UUID": "2", "MaximumRetryAttempts": 3}]}"#;
        let (_server, aws) = aws(vec![Reply::new(200, first), Reply::new(200, second)]).await;
        let list = aws.lambda.all_event_sources().await.unwrap();
        let expected = ListedSource {
            function_arn: "arn:f:live".to_owned(),
            source_arn: "arn:q".to_owned(),
            retries_max: None,
            bisects: true,
            reports_failures: true,
        };
        assert_eq!((&list.sources[0], list.sources[1].retries_max, list.is_cut), (&expected, Some(3), false));
    }

    #[tokio::test]
    async fn a_limit_that_is_not_told_is_none() {
        let (_server, aws) = aws(vec![Reply::new(200, "{}")]).await;
        assert!(aws.lambda.concurrency_limit().await.unwrap_err().message.contains("AccountLimit"));
        let told = r#"{"AccountLimit": {"ConcurrentExecutions": 1000}}"#;
        let (_server, aws) = self::aws(vec![Reply::new(200, told)]).await;
        assert_eq!(aws.lambda.concurrency_limit().await, Ok(1_000));
    }
}
