//! What the workspace's files and this machine tell, read by whoever asks.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::playbook::Playbook;
use crate::run::Barrier;
use crate::unit::PlaybookId;
use crate::workspace::Workload;

/// What files and this machine tell.
#[derive(Debug, Default)]
pub struct Facts {
    /// `workload.yaml`; none where there is none.
    pub workload: Option<Workload>,
    /// The accounts of environments by name, and whether customers depend on each.
    pub accounts: BTreeMap<String, (String, bool)>,
    /// The playbooks that can be read.
    pub playbooks: Vec<Playbook>,
    /// The files of those that can not.
    pub unread_playbooks: Vec<String>,
    /// When each playbook was last exercised.
    pub exercised: BTreeMap<PlaybookId, DateTime<Utc>>,
    /// The lessons that stand in the way.
    pub barriers: Vec<Barrier>,
    /// Lessons that nobody has settled and actions that are overdue, on what the scenario touches: a line each.
    pub unsettled: Vec<String>,
    /// What speaks against beginning now: window, schedule, freezes.
    pub closed: Vec<String>,
    /// When a fault of each kind was last undone in this environment, in runs that are kept.
    pub rehearsed: BTreeMap<String, DateTime<Utc>>,
    /// The last run of the scenario in this environment that came to its end.
    pub previous: Option<String>,
    /// Runs in this environment that are alive, or left something behind: a line each.
    pub others: Vec<String>,
    /// Why a run's socket can not be made; none where it can.
    pub no_socket: Option<String>,
    /// Why nothing can be written into the folder of reports; none where it can.
    pub not_writable: Option<String>,
    /// How many bytes are free there; none where that is not known.
    pub free_bytes: Option<u64>,
}
