//! `lambda_proxy`: leads a function's HTTPS through a proxy that speaks CONNECT.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::{self, Configuration, variable};
use super::lambda_endpoint::url_objection;
use super::settings::SettingsChange;
use super::switch::Cover;
use super::target::TargetNeed;
use crate::unit::TargetId;

/// What most HTTP clients read.
const VARIABLE: &str = "HTTPS_PROXY";

/// Sets `HTTPS_PROXY`: most HTTP clients send what is HTTPS through it. Lambda's Runtime API is plain HTTP and stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaProxy {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The proxy: `http://10.0.1.7:18474`.
    pub url: String,
}

impl Fault for LambdaProxy {
    type Change = SettingsChange<Configuration>;
    const ABOUT: About = About {
        effect: "the function's HTTPS goes through a proxy",
        undo: "UpdateFunctionConfiguration with the former value of this variable alone",
        blast_radius: "every invocation of `$LATEST`; new environments start cold, twice",
    };
    const TARGET: TargetNeed = TargetNeed::Latest;
    const CALLS: Calls = configuration::CALLS;

    fn objections(&self) -> Vec<Objection> {
        url_objection(&self.url).into_iter().collect()
    }

    fn url(&self) -> Option<&str> {
        Some(&self.url)
    }

    fn set_url(&mut self, url: String) {
        self.url = url;
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Configuration>, FaultError> {
        let set = [(variable(VARIABLE), Some(self.url.clone().into()))];
        Configuration::prepare(environment, &self.target, set.into()).await
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("lead the HTTPS of `{}` through {}", self.target, self.url),
            undo: "put the former proxy back, or none".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![variable(VARIABLE)]
    }

    fn cover(&self) -> Cover {
        Cover::None(configuration::VARIABLES_UNCOVERED)
    }
}

#[cfg(test)]
mod tests {
    use super::super::owed;
    use super::super::testing::Field;
    use super::*;
    use crate::fault::FaultKind;

    #[tokio::test(start_paused = true)]
    async fn it_owes_what_every_fault_on_a_function_owes() {
        let target = "checkout".parse().unwrap();
        let fault = FaultKind::LambdaProxy(LambdaProxy { target, url: "http://10.0.1.7:3128".to_owned() });
        owed::all(&fault, &[Field::Variable(VARIABLE.to_owned())]).await;
    }
}
