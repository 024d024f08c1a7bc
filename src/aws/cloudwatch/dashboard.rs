//! Dashboards: their names, and what stands on each.

use super::{CloudWatch, bad_answer, failed, next};
use crate::aws::AwsError;

const LIST: &str = "ListDashboards";
const GET: &str = "GetDashboard";
/// How many pages of names are read; a page has up to 1,000.
const PAGES_MAX: usize = 5;

/// The names of dashboards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DashboardList {
    /// In AWS's order.
    pub names: Vec<String>,
    /// Whether there are more than are read.
    pub is_cut: bool,
}

impl CloudWatch {
    /// The names of the account's dashboards. `cloudwatch:ListDashboards`.
    ///
    /// # Errors
    /// A call failed, or a dashboard has no name.
    pub async fn dashboards(&self) -> Result<DashboardList, AwsError> {
        let mut list = DashboardList::default();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let ask = self.client.list_dashboards().set_next_token(token);
            let output = ask.send().await.map_err(|error| failed(LIST, &error))?;
            for entry in output.dashboard_entries() {
                let name = entry.dashboard_name();
                let name = name.ok_or_else(|| bad_answer(LIST, "a dashboard has no name".to_owned()))?;
                list.names.push(name.to_owned());
            }
            token = next(output.next_token());
            if token.is_none() {
                return Ok(list);
            }
        }
        list.is_cut = true;
        Ok(list)
    }

    /// What stands on a dashboard, as its JSON. `cloudwatch:GetDashboard`.
    ///
    /// # Errors
    /// The call failed, or the answer has no body.
    pub async fn dashboard(&self, name: &str) -> Result<String, AwsError> {
        let output = self.client.get_dashboard().dashboard_name(name).send().await;
        let output = output.map_err(|error| failed(GET, &error))?;
        let body = output.dashboard_body().ok_or_else(|| bad_answer(GET, "the answer has no body".to_owned()))?;
        Ok(body.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::{Aws, Reply, Server};
    use crate::fault::testing::FakeFunctions;

    /// An empty answer in CBOR would be one byte; HTML and silence are none at all.
    #[tokio::test]
    async fn what_is_no_answer_is_no_dashboard() {
        for reply in [Reply::new(503, ""), Reply::new(200, "<html>login</html>"), Reply::new(429, "slow down")] {
            let server = Server::start([reply]).await;
            let aws = Aws::made_up_at(&server, FakeFunctions::new([]));
            assert!(aws.cloudwatch.dashboards().await.is_err());
            assert!(aws.cloudwatch.dashboard("shop").await.is_err());
        }
    }
}
