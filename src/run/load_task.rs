//! A load worker's keeper: starts it, passes its frames on, stops it, and says when it is lost.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::load::{Frame, LoadPlan, LoadWorker, SETUP_MAX, WorkerRecord};
use crate::unit::{LoadId, error_chain};

/// How long a worker may say nothing once its setup is done; it says something each second.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// What comes from a load.
#[derive(Debug)]
pub(super) enum LoadNews {
    /// Its worker runs.
    Started { load: LoadId, pid: u32 },
    /// A second of it.
    Frame(Box<Frame>),
    /// It is over; `lost` says why, where it was not by its shape or by us.
    Over { load: LoadId, lost: Option<String> },
}

/// Keeps one worker until it is over. Cancelling `stop` lets it end within about a second, and the time of its teardown.
pub(super) async fn keep(
    gameday: PathBuf,
    plan: LoadPlan,
    stop: CancellationToken,
    news: mpsc::UnboundedSender<LoadNews>,
) {
    let load = plan.load.clone();
    let lost = follow(&gameday, &plan, &stop, &news).await.err();
    // The engine is gone only when the whole run is.
    news.send(LoadNews::Over { load, lost }).ok();
}

async fn follow(
    gameday: &std::path::Path,
    plan: &LoadPlan,
    stop: &CancellationToken,
    news: &mpsc::UnboundedSender<LoadNews>,
) -> Result<(), String> {
    let mut worker = LoadWorker::spawn(gameday, plan).await.map_err(|error| error_chain(&error))?;
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
            Ok(Some(Ok(WorkerRecord::Ended { .. }))) => {}
        }
    }
}
