//! The demo shop: two functions that any Lambda could run, a probe for tests, and the outside card provider.
//!
//! Owns: what the shop does and how it copes. Must not know: the sandbox. The functions learn all from their environment
//! variables and the Lambda APIs, so that what a game day shows about them is not staged.

mod checkout;
mod http;
mod payments;
mod probe;
mod provider;
mod settings;

use super::spec::Demo;

pub use provider::CardProvider;
pub use settings::DemoError;

/// Serves one built-in function under the Lambda Runtime API, until the API goes away.
///
/// # Errors
/// [`DemoError`]: the environment is not that of a Lambda function, a setting can not be read, or the API went away.
pub async fn run(demo: Demo) -> Result<(), DemoError> {
    // The runtime panics without it.
    settings::text("AWS_LAMBDA_RUNTIME_API")?;
    match demo {
        Demo::Checkout => checkout::run().await,
        Demo::Payments => payments::run().await,
        Demo::Probe => probe::run().await,
    }
}
