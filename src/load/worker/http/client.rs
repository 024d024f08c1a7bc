//! Sending requests, and the origins to which they may go.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::connect::Connector;
use super::{ConnectionCounts, Failure, Limits, Origin, Outcome, Outgoing, Pool, Received, Timings, Version, body};
use crate::load::failure::FailureKind;
use crate::unit::SignRequest;

/// What all users of a load share.
#[derive(Debug)]
pub(crate) struct Client {
    connector: Connector,
    pools: Mutex<HashMap<Origin, Arc<Pool>>>,
    signer: Option<Arc<dyn SignRequest>>,
}

impl Client {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, pools: Mutex::default(), signer: None }
    }

    /// The same, which can sign.
    pub(crate) fn signing(self, signer: Arc<dyn SignRequest>) -> Self {
        Self { signer: Some(signer), ..self }
    }

    /// What requests are signed with; none where none is.
    pub(crate) fn signer(&self) -> Option<Arc<dyn SignRequest>> {
        self.signer.clone()
    }

    /// The version of HTTP that is asked for.
    pub(crate) fn version(&self) -> Version {
        self.connector.version()
    }

    /// How many connections there are.
    pub(crate) fn counts(&self) -> &ConnectionCounts {
        self.connector.counts()
    }

    /// Allows requests to an origin, and gives the connections to it.
    pub(crate) fn allow(&self, origin: Origin) -> Arc<Pool> {
        Arc::clone(self.pools().entry(origin.clone()).or_insert_with(|| Arc::new(Pool::new(origin))))
    }

    /// The connections to an origin; none where requests to it are not allowed.
    pub(crate) fn pool(&self, origin: &Origin) -> Option<Arc<Pool>> {
        self.pools().get(origin).map(Arc::clone)
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<Origin, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request over one of the pool's connections and receives its answer to the last byte, until `deadline`. The body is
    /// kept where `keeps_body`.
    pub(crate) async fn send(
        &self,
        pool: &Arc<Pool>,
        outgoing: Outgoing,
        limits: Limits,
        deadline: Instant,
        keeps_body: bool,
    ) -> Outcome {
        let mut timings = Timings::default();
        let mut bytes = 0;
        let answer = {
            // Pinned where it is: it is large, and moving it for each request costs more than anything else here.
            let mut exchange = pin!(self.exchange(pool, outgoing, limits, keeps_body, &mut timings, &mut bytes));
            timeout_at(deadline, exchange.as_mut()).await.unwrap_or_else(|_| {
                Err(Failure::new(FailureKind::Timeout, "its time was over before all of the answer was there"))
            })
        };
        let (answer, ended) = match answer {
            Ok((received, ended)) => (Ok(received), ended),
            Err(failure) => (Err(failure), Instant::now()),
        };
        let status = answer.as_ref().ok().map(|received| received.status);
        Outcome { answer, status, timings, bytes, ended }
    }

    async fn exchange(
        &self,
        pool: &Arc<Pool>,
        outgoing: Outgoing,
        limits: Limits,
        keeps_body: bool,
        timings: &mut Timings,
        bytes: &mut u64,
    ) -> Result<(Received, Instant), Failure> {
        let Outgoing { method, target, headers, body } = outgoing;
        let mut headers = Arc::unwrap_or_clone(headers);
        loop {
            let mut lease = pool.lease(&self.connector, limits.connect, timings).await?;
            let is_new = timings.connect.is_some();
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            match lease.version() {
                Version::Http1 => {
                    *request.uri_mut() = target.path();
                    headers.entry(HOST).or_insert_with(|| target.host.clone());
                }
                Version::Http2 => {
                    *request.uri_mut() = target.absolute();
                    *request.version_mut() = hyper::Version::HTTP_2;
                }
            }
            *request.headers_mut() = std::mem::take(&mut headers);
            let sent = Instant::now();
            let answered = match limits.first_byte {
                None => lease.send(request).await,
                Some(limit) => match timeout_at(sent + limit, lease.send(request)).await {
                    Ok(answered) => answered,
                    Err(_) => return Err(Failure::new(FailureKind::Timeout, "no answer began in its time")),
                },
            };
            let response: Response<Incoming> = match answered {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // It was idle for so long that the server closed it in that very moment.
                    Some(unsent) if !is_new => {
                        headers = unsent.into_parts().0.headers;
                        continue;
                    }
                    Some(_) | None => return Err(Failure::of_connection(error.error())),
                },
            };
            timings.first_byte = Some(sent.elapsed());
            let (head, incoming) = response.into_parts();
            let body = body::receive(incoming, keeps_body, bytes).await?;
            let ended = Instant::now();
            lease.give_back(ended);
            return Ok((Received { status: head.status.as_u16(), headers: head.headers, body }, ended));
        }
    }
}
