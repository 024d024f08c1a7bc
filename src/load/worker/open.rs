//! The open model: users come when the schedule says, whether or not the server has answered those before.
//!
//! Owns: the pacer, and the thread that all users of an open load live on. Must not know: what a user does.
//!
//! - One thread, so that nothing is passed between cores for each request.
//! - A user who has finished takes the next arrival, if one waits; a new one is only made when none is idle.
//! - The pacer waits on a timer of the system's own: tokio's alone would add half a millisecond of false latency.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::desk::{Desk, Seat};
use super::http::Client;
use super::prepare::Prepared;
use super::recorder::Recorder;
use super::visitor::Visitor;
use crate::load::schedule::Stripe;
use crate::unit::ExactTimer;

/// The pacer wakes no more often than this: above 20,000 arrivals a second several share a wake-up.
const PACE_LEAST: Duration = Duration::from_micros(50);

/// An open load that is ready to begin.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) client: Arc<Client>,
    pub(super) prepared: Arc<Prepared>,
    pub(super) seed: u64,
    pub(super) stripe: Stripe,
}

impl Opening {
    /// Begins the load on a thread of its own. The receiver is told why that could not go on.
    pub(super) fn begin(self, recorder: Arc<Recorder>, desk: Arc<Desk>) -> io::Result<oneshot::Receiver<io::Error>> {
        let (failed, failure) = oneshot::channel();
        std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            if let Err(error) = self.run(&recorder, &desk) {
                // Nobody waits for what becomes of a load that is over.
                failed.send(error).ok();
            }
        })?;
        Ok(failure)
    }

    fn run(self, recorder: &Arc<Recorder>, desk: &Arc<Desk>) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let opening = Arc::new(self);
        runtime.block_on(async {
            // The worker ends the process when users are done, or their time is over.
            opening.pace(recorder, desk).await
        })
    }

    /// Calls users as their time comes.
    async fn pace(self: &Arc<Self>, recorder: &Arc<Recorder>, desk: &Arc<Desk>) -> io::Result<()> {
        let mut timer = ExactTimer::open()?;
        loop {
            let (made, next) = desk.call();
            for number in made {
                tokio::spawn(serve(Arc::clone(self), Arc::clone(recorder), Arc::clone(desk), Seat::new(number)));
            }
            let Some(next) = next else {
                desk.steered().await;
                continue;
            };
            tokio::select! {
                waited = timer.until(next.max(Instant::now() + PACE_LEAST)) => waited?,
                () = desk.steered() => {}
            }
        }
    }
}

/// One user after the other, each from its arrival to the end of its journey.
async fn serve(opening: Arc<Opening>, recorder: Arc<Recorder>, desk: Arc<Desk>, mut seat: Seat) {
    while let Some(arrival) = desk.next(&mut seat).await {
        let Stripe { index, of } = opening.stripe;
        let number = recorder.enter() * u64::from(of) + u64::from(index);
        let mut visitor = Visitor::new(&opening.prepared, opening.seed, number, recorder.clock());
        let has_begun = visitor.walk(&opening.client, &opening.prepared, &recorder, arrival).await;
        recorder.leave();
        if !has_begun {
            desk.take_back();
        }
    }
}
