//! What Logs Insights is asked: for lines, of which nothing but their kind is left to it. What they mean is the fold's.

/// A query: which lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogQuery {
    /// What Lambda says of each invocation.
    Reports,
    /// Lines that tell of an error, a timeout or memory.
    Errors,
    /// Structured lines of the function's own.
    Structured,
}

/// All that is asked, in this order.
pub const QUERIES: [LogQuery; 3] = [LogQuery::Reports, LogQuery::Errors, LogQuery::Structured];

impl LogQuery {
    /// The query in the language of Logs Insights.
    #[must_use]
    pub fn text(self) -> String {
        const LINE: &str = "fields @timestamp, @logStream, substr(@message, 0, 1500) as line";
        let filter = match self {
            Self::Reports => {
                r#"@message like /^REPORT RequestId:/ or @message like /"type":\s*"platform\.report"/"#.to_owned()
            }
            Self::Errors => format!(
                "@message like /(?i)(error|exception|fatal|critical|timed out after|out of memory|outofmemory)/ and {OWN}"
            ),
            Self::Structured => format!(r"@message like /^\s*\{{/ and {OWN}"),
        };
        format!("{LINE} | filter {filter} | sort @timestamp asc")
    }

    /// How many lines are enough; none where all are wanted.
    #[must_use]
    pub fn sample(self) -> Option<usize> {
        match self {
            Self::Reports | Self::Errors => None,
            Self::Structured => Some(1_000),
        }
    }
}

/// Lines that are not Lambda's own.
const OWN: &str = r#"@message not like /^(START|END|REPORT|INIT_START|INIT_REPORT|EXTENSION)\s/ and @message not like /"type":\s*"platform\./"#;

#[cfg(test)]
mod tests {
    use super::*;

    /// No Insights here reads them: they are held against AWS's documentation, and are never built from what anybody else wrote.
    #[test]
    fn the_queries_are_as_they_were_reviewed() {
        let all: Vec<String> = QUERIES.into_iter().map(LogQuery::text).collect();
        assert_eq!(
            all[0],
            "fields @timestamp, @logStream, substr(@message, 0, 1500) as line | filter @message like /^REPORT RequestId:/ or \
             @message like /\"type\":\\s*\"platform\\.report\"/ | sort @timestamp asc"
        );
        assert!(all[1].contains("(?i)(error|exception|fatal|critical|timed out after|out of memory|outofmemory)"));
        assert!(all[2].contains(r"@message like /^\s*\{/ and @message not like"));
        assert!(all.iter().all(|text| text.len() < 10_000));
    }
}
