//! A load worker's keeper: starts it, passes its frames on, stops it, and says when it is lost.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::load::{Frame, LoadPlan, LoadWorker, SETUP_MAX, Steer, WorkerRecord};
use crate::unit::{LoadId, error_chain};

/// How long a worker may say nothing once its setup is done; it says something each second.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How a load's keeper is spoken to.
#[derive(Debug)]
pub(super) struct Reins {
    /// Cancelling it lets the load end within about a second, and the time of its teardown.
    pub(super) stop: CancellationToken,
    /// How the load is to go on.
    pub(super) steer: watch::Sender<Steer>,
}

/// What comes from a load.
#[derive(Debug)]
pub(super) enum LoadNews {
    /// Its worker runs.
    Started { load: LoadId, pid: u32 },
    /// A second of it.
    Frame(Box<Frame>),
    /// No request of it begins any more.
    Closing { load: LoadId },
    /// It is over; `lost` says why, where it was not by its shape or by us.
    Over { load: LoadId, lost: Option<String> },
}

/// A load that is to be kept.
#[derive(Debug)]
pub(super) struct Keeper {
    gameday: PathBuf,
    plan: LoadPlan,
    stop: CancellationToken,
    steers: watch::Receiver<Steer>,
}

impl Keeper {
    pub(super) fn new(gameday: PathBuf, plan: LoadPlan) -> (Self, Reins) {
        let stop = CancellationToken::new();
        let (steer, steers) = watch::channel(Steer::default());
        (Self { gameday, plan, stop: stop.clone(), steers }, Reins { stop, steer })
    }
}

/// Keeps one worker until it is over.
pub(super) async fn keep(keeper: Keeper, news: mpsc::UnboundedSender<LoadNews>) {
    let load = keeper.plan.load.clone();
    let lost = follow(keeper, &news).await.err();
    // The engine is gone only when the whole run is.
    news.send(LoadNews::Over { load, lost }).ok();
}

async fn follow(keeper: Keeper, news: &mpsc::UnboundedSender<LoadNews>) -> Result<(), String> {
    let Keeper { gameday, plan, stop, mut steers } = keeper;
    let mut worker = LoadWorker::spawn(&gameday, &plan).await.map_err(|error| error_chain(&error))?;
    news.send(LoadNews::Started { load: plan.load.clone(), pid: worker.pid() }).ok();
    let mut is_stopping = false;
    let mut silence_max = if plan.setup.is_empty() { SILENCE_MAX } else { SILENCE_MAX + SETUP_MAX };
    loop {
        let record = tokio::select! {
            () = stop.cancelled(), if !is_stopping => {
                is_stopping = true;
                worker.request_stop();
                continue;
            }
            Ok(()) = steers.changed(), if !is_stopping => {
                let to = *steers.borrow_and_update();
                worker.steer(to).await.map_err(|error| error_chain(&error))?;
                continue;
            }
            record = tokio::time::timeout(silence_max, worker.next()) => record,
        };
        match record {
            Err(_) => return Err(format!("the load worker has said nothing for {} s", silence_max.as_secs())),
            Ok(None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(error_chain(&error)),
            Ok(Some(Ok(WorkerRecord::Frame(frame)))) => {
                news.send(LoadNews::Frame(Box::new(frame))).ok();
            }
            Ok(Some(Ok(WorkerRecord::Ready { .. }))) => silence_max = SILENCE_MAX,
            Ok(Some(Ok(WorkerRecord::Closing))) => {
                news.send(LoadNews::Closing { load: plan.load.clone() }).ok();
            }
            Ok(Some(Ok(WorkerRecord::Ended { .. }))) => {}
        }
    }
}
