//! The HTTP probe: a GET at a fixed interval, outside the load, by a client that never retries.

use std::time::Duration;

use super::{HttpSignal, HttpStatistic};

/// A sample in its signal's unit: a ratio of 0 or 1, or seconds; none where the statistic has no value.
pub type ProbeSample = Option<f64>;

/// Why a probe cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The URL is none.
    #[error("`{url}` is not a URL that can be probed")]
    Url {
        /// The text.
        url: String,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The client could not be made.
    #[error("failed to make an HTTP client")]
    Client(#[source] reqwest::Error),
}

/// A probe, ready to ask.
#[derive(Debug, Clone)]
pub struct HttpProbe {
    client: reqwest::Client,
    url: reqwest::Url,
    interval: Duration,
    statistic: HttpStatistic,
}

impl HttpProbe {
    /// Makes the probe of a signal; `url` has every placeholder filled in. `authorities` (PEM) are trusted beside the system's.
    ///
    /// # Errors
    /// The URL is none, or there is no client to be had.
    pub fn new(signal: &HttpSignal, url: &str, authorities: &[String]) -> Result<Self, ProbeError> {
        let authorities = authorities.iter().map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()));
        let authorities = authorities.collect::<Result<Vec<_>, _>>().map_err(ProbeError::Client)?;
        let client = reqwest::Client::builder()
            .tls_certs_merge(authorities)
            .timeout(signal.timeout())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(ProbeError::Client)?;
        let parsed = reqwest::Url::parse(url)
            .map_err(|source| ProbeError::Url { url: url.to_owned(), source: Box::new(source) })?;
        Ok(Self { client, url: parsed, interval: signal.interval(), statistic: signal.statistic() })
    }

    /// How often it asks.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Asks once. A status below 400 whose body came in time is a success.
    pub async fn sample(&self) -> ProbeSample {
        let start = tokio::time::Instant::now();
        let outcome = async {
            let response = self.client.get(self.url.clone()).send().await?;
            let status = response.status();
            response.bytes().await?;
            Ok::<_, reqwest::Error>(status)
        }
        .await;
        let is_success = outcome.is_ok_and(|status| status.as_u16() < 400);
        match self.statistic {
            HttpStatistic::SuccessRatio => Some(f64::from(u8::from(is_success))),
            HttpStatistic::Latency => is_success.then(|| start.elapsed().as_secs_f64()),
        }
    }
}
