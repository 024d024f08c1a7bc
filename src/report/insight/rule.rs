//! The rules: each with an id of its own, which is never given to another.

/// A rule that finds something in the evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InsightRule {
    /// A part of the invocations, or of a load's requests, failed.
    ErrorRate,
    /// Calls were throttled.
    Throttled,
    /// Many invocations had to wait for a start.
    ColdStarts,
    /// Requests were tried more than once.
    Retried,
    /// Invocations came near the function's timeout.
    NearTimeout,
    /// Invocations came near the function's memory.
    NearMemory,
    /// A function has far more memory than it uses.
    Oversized,
    /// Invocations were ended by the function's timeout.
    TimedOut,
    /// Processes were out of memory.
    OutOfMemory,
    /// The most frequent kind of error.
    ErrorGroup,
    /// Lines that nothing connects with others.
    Untraced,
    /// Messages went to a dead-letter queue, or not even there.
    DeadLetters,
    /// A stream is read ever later.
    IteratorAge,
    /// Most of the concurrency that there is was used.
    Concurrency,
    /// A figure is not as in the baseline phase.
    Anomaly,
    /// The slowest invocations.
    Slowest,
    /// Failed invocations.
    Failed,
    /// The slowest traces.
    SlowTraces,
    /// Traces with a failure of a server in them.
    FailedTraces,
}

/// What a rule is called, what it is about, and what could be done.
pub(super) struct Description {
    pub(super) id: &'static str,
    pub(super) kind: &'static str,
    pub(super) questions: &'static [&'static str],
    pub(super) suggestion: &'static str,
}

impl InsightRule {
    /// Every rule.
    #[cfg(test)]
    pub(super) const ALL: [Self; 19] = [
        Self::ErrorRate,
        Self::Throttled,
        Self::ColdStarts,
        Self::Retried,
        Self::NearTimeout,
        Self::NearMemory,
        Self::Oversized,
        Self::TimedOut,
        Self::OutOfMemory,
        Self::ErrorGroup,
        Self::Untraced,
        Self::DeadLetters,
        Self::IteratorAge,
        Self::Concurrency,
        Self::Anomaly,
        Self::Slowest,
        Self::Failed,
        Self::SlowTraces,
        Self::FailedTraces,
    ];

    /// As a gap names it: `I-03 cold starts`.
    pub(super) fn name(self) -> String {
        let Description { id, kind, .. } = self.describe();
        format!("{id} {}", kind.replace('_', " "))
    }

    pub(super) fn describe(self) -> Description {
        let (id, kind, questions): (_, _, &[&str]) = match self {
            Self::ErrorRate => ("I-01", "error_rate", &["OPS8", "SL-OPS1"]),
            Self::Throttled => ("I-02", "throttled", &["OPS8", "SL-OPS1"]),
            Self::ColdStarts => ("I-03", "cold_starts", &["SL-OPS1"]),
            Self::Retried => ("I-04", "retries", &["OPS7", "SL-OPS1"]),
            Self::NearTimeout => ("I-05", "near_timeout", &["OPS8", "SL-OPS1"]),
            Self::NearMemory => ("I-06", "near_memory", &["OPS8", "SL-OPS1"]),
            Self::Oversized => ("I-07", "oversized_memory", &["SL-OPS1"]),
            Self::TimedOut => ("I-08", "timeouts", &["OPS7", "SL-OPS1"]),
            Self::OutOfMemory => ("I-09", "out_of_memory", &["OPS7", "SL-OPS1"]),
            Self::ErrorGroup => ("I-10", "error_group", &["OPS8", "OPS11"]),
            Self::Untraced => ("I-11", "untraced_lines", &["OPS4", "SL-OPS1"]),
            Self::DeadLetters => ("I-12", "dead_letters", &["OPS8", "OPS10", "SL-OPS1"]),
            Self::IteratorAge => ("I-13", "iterator_age", &["OPS8", "SL-OPS1"]),
            Self::Concurrency => ("I-14", "concurrency", &["OPS8", "SL-OPS1"]),
            Self::Anomaly => ("I-15", "anomaly", &["OPS8"]),
            Self::Slowest => ("I-16", "slowest_invocations", &["SL-OPS1"]),
            Self::Failed => ("I-17", "failed_invocations", &["OPS8", "SL-OPS1"]),
            Self::SlowTraces => ("I-18", "slowest_traces", &["OPS4", "SL-OPS1"]),
            Self::FailedTraces => ("I-19", "failed_traces", &["OPS4", "OPS8"]),
        };
        Description { id, kind, questions, suggestion: self.suggestion() }
    }

    fn suggestion(self) -> &'static str {
        match self {
            Self::ErrorRate => "Look at the groups of errors, and alarm on the share of failures, not on their number.",
            Self::Throttled => {
                "Raise the reserved concurrency or the quota, or let a queue take the peak; alarm on `Throttles`, which `Errors` \
                 does not hold."
            }
            Self::ColdStarts => "Look at provisioned concurrency, and at what is loaded at the start.",
            Self::Retried => {
                "Make sure that the work may be done twice, and set how often and for how long an event is tried again."
            }
            Self::NearTimeout => {
                "Look for what it waits for, give its clients timeouts of their own, and alarm below the function's timeout."
            }
            Self::NearMemory => "Raise the function's memory, or look for what is kept between invocations.",
            Self::Oversized => {
                "Try it with less memory and measure: a function gets its share of the processor by its memory."
            }
            Self::TimedOut => {
                "Give the calls that it makes shorter timeouts than its own, so that it can still answer and log."
            }
            Self::OutOfMemory => "Raise the function's memory, or bound what it reads at a time.",
            Self::ErrorGroup => {
                "Look at the request that is named; write a playbook's step for it if it will come again."
            }
            Self::Untraced => "Put the trace's id or a correlation id into every line (Powertools: Logger).",
            Self::DeadLetters => {
                "Alarm when the queue is not empty, and write the playbook for sending its messages again."
            }
            Self::IteratorAge => {
                "Look at the parallelization factor, the batch size, and for one record that is tried again and again."
            }
            Self::Concurrency => {
                "Raise what is provisioned, or scale it with its utilization, before the peak that the scenario stands for."
            }
            Self::Anomaly => "Ask whether an alarm or a board would have shown it, and whether a hypothesis bounds it.",
            Self::Slowest => "Follow one of them through its trace: what did it wait for?",
            Self::Failed => "Look for one of the requests in the logs: is what stands there enough to know why?",
            Self::SlowTraces => "Open one of them: which service took the time?",
            Self::FailedTraces => "Open one of them: does the outermost service say what the innermost one failed for?",
        }
    }
}
