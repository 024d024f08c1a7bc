//! The questions of the Well-Architected Framework that a game day can answer: the Operational Excellence pillar, and the
//! Serverless Applications Lens (AWS: Well-Architected Framework, OPS 1 to 11; Serverless Lens, OPS 1 and 2).

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// As files name it: `OPS8`, `SL-OPS1`.
    pub id: &'static str,
    /// What it is about, in our words.
    pub about: &'static str,
}

/// Every question, in AWS's order.
pub const QUESTIONS: [Question; 13] = [
    Question { id: "OPS1", about: "what comes first, and why" },
    Question { id: "OPS2", about: "who owns what" },
    Question { id: "OPS3", about: "a culture in which people may try, stop and ask" },
    Question { id: "OPS4", about: "a workload that tells its state" },
    Question { id: "OPS5", about: "fewer defects, easier remedies, a flow to production" },
    Question { id: "OPS6", about: "deployments that can do little harm" },
    Question { id: "OPS7", about: "being ready to support the workload" },
    Question { id: "OPS8", about: "using what the workload tells" },
    Question { id: "OPS9", about: "the health of operations themselves" },
    Question { id: "OPS10", about: "handling events of workload and operations" },
    Question { id: "OPS11", about: "learning, sharing and improving" },
    Question { id: "SL-OPS1", about: "the health of a serverless application" },
    Question { id: "SL-OPS2", about: "the life cycle of a serverless application" },
];

impl Question {
    /// The question of that id.
    #[must_use]
    pub fn of(id: &str) -> Option<Self> {
        QUESTIONS.into_iter().find(|question| question.id == id)
    }
}
