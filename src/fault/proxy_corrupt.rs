//! `proxy_corrupt`: the bodies of a proxied dependency's answers are others.

use serde_json::{Map, Value};

use super::change::Fault;
use super::rule::{as_rule, rule_fault};
use crate::proxy::http::{Action, Corrupt};

rule_fault! {
    /// Changes the body of answers, whose length is told anew. One of `json_merge`, `replace` and `bytes`.
    pub struct ProxyCorrupt {
        /// An object that is merged into a JSON body (RFC 7396): a `null` takes a member away. Another body passes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub json_merge: Option<Map<String, Value>>,
        /// The whole body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub replace: Option<String>,
        /// How many bytes, at places that the seed decides, become others: 1 to 65536.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub bytes: Option<u32>,
    }
}

impl ProxyCorrupt {
    fn action(&self) -> Action {
        Action::Corrupt(Corrupt {
            json_merge: self.json_merge.clone(),
            replace: self.replace.clone(),
            bytes: self.bytes,
        })
    }

    fn words(&self, requests: &str) -> String {
        let how = match (&self.json_merge, &self.replace, self.bytes) {
            (Some(_), ..) => "merge JSON into".to_owned(),
            (None, Some(_), _) => "replace".to_owned(),
            (None, None, bytes) => format!("change {} bytes of", bytes.unwrap_or_default()),
        };
        format!("{how} the answers to {requests}")
    }
}

impl Fault for ProxyCorrupt {
    as_rule!("answers of the dependency have another body", "body of its answers");
}
