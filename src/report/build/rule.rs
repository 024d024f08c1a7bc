//! The rules that find something worth a talk. An id, once given, is never given to another rule: people filter by it.

/// A rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// A change was left behind.
    Dirty,
    /// The run ended without its last event.
    Crashed,
    /// A gate stayed shut.
    GateShut,
    /// The system was not back in its bounds in time.
    NotSettled,
    /// A hypothesis does not hold.
    Refuted,
    /// A hypothesis does not hold, and no alarm told.
    RefutedUnalarmed,
    /// A known gap is closed.
    GapClosed,
    /// A hypothesis could not be judged.
    Inconclusive,
    /// A hypothesis was not tested.
    NotTested,
    /// A fault could not be injected.
    NotInjected,
    /// A fault's effect was never proven.
    NotEffective,
    /// Nothing shows that a fault did anything.
    Unproven,
    /// A fault was taken away by somebody else.
    Lost,
    /// Nobody noticed a fault.
    Unnoticed,
    /// A fault was noticed only after somebody was told.
    NoticedLate,
    /// It took long until the system was well again after the undo.
    SlowRecovery,
    /// An expected alarm kept silent.
    SilentAlarm,
    /// An alarm fired that nobody had named.
    UnexpectedAlarm,
    /// It is not known what an expected alarm did.
    UnknownAlarm,
    /// An alarm went to `ALARM` again and again.
    NoisyAlarm,
    /// An alarm was late to clear.
    LateToClear,
    /// Alarms could not be read.
    AlarmsUnread,
    /// No person took part.
    Unattended,
    /// A step was overdue.
    Overdue,
    /// A step that must be done was skipped.
    Skipped,
    /// A step that must be done was left open.
    LeftOpen,
    /// Steps were answered by `--yes`.
    Rehearsed,
    /// A load was lost.
    LoadLost,
    /// A load was smaller than asked for.
    LoadShort,
    /// A load's figures may tell of the machine that made it.
    LoadDoubtful,
    /// Seconds of a load are missing.
    LoadGap,
    /// Requests were throttled, and no alarm told.
    ThrottledUnalarmed,
    /// Many invocations had to wait for a cold start.
    ColdStarts,
    /// A guardrail ended the run.
    GuardrailTripped,
    /// A guardrail warned.
    GuardrailWarned,
    /// An action of the timeline was left out.
    LeftOut,
    /// What the workload wants to reach was not reached.
    TargetMissed,
    /// A lesson that was settled was shown again.
    LessonRegressed,
    /// A file is not what the manifest says.
    EvidenceChanged,
    /// The run began at a time that is not meant for it.
    Overridden,
    /// Something that the run's folder keeps can not be read.
    KeptUnread,
    /// An alarm is too slow for what a hypothesis asks of it.
    SlowAlarm,
    /// An alarm fired and told nobody.
    MutedAlarm,
    /// An alarm was changed while the run lasted.
    EditedAlarm,
}

impl Rule {
    /// Its id, its kind as the report names it, and the questions of the Well-Architected Framework that it is about.
    pub(super) fn describe(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Dirty => ("F-01", "dirty", &["OPS5", "OPS6"]),
            Self::Crashed => ("F-02", "crashed", &["OPS7"]),
            Self::GateShut => ("F-03", "gate_shut", &["OPS7"]),
            Self::NotSettled => ("F-04", "not_settled", &["OPS5", "OPS10"]),
            Self::Refuted => ("F-05", "refuted", &["OPS7"]),
            Self::RefutedUnalarmed => ("F-06", "refuted_without_alarm", &["OPS8", "SL-OPS1"]),
            Self::GapClosed => ("F-07", "gap_closed", &["OPS11"]),
            Self::Inconclusive => ("F-08", "inconclusive", &["OPS4"]),
            Self::NotTested => ("F-09", "not_tested", &["OPS7"]),
            Self::NotInjected => ("F-10", "not_injected", &["OPS7"]),
            Self::NotEffective => ("F-11", "not_effective", &["OPS4"]),
            Self::Unproven => ("F-12", "unproven", &["OPS4"]),
            Self::Lost => ("F-13", "lost", &["OPS7"]),
            Self::Unnoticed => ("F-14", "unnoticed", &["OPS8", "OPS10", "SL-OPS1"]),
            Self::NoticedLate => ("F-15", "noticed_late", &["OPS8", "OPS10"]),
            Self::SlowRecovery => ("F-16", "slow_recovery", &["OPS5"]),
            Self::SilentAlarm => ("F-17", "silent_alarm", &["OPS8", "SL-OPS1"]),
            Self::UnexpectedAlarm => ("F-18", "unexpected_alarm", &["OPS8", "OPS10"]),
            Self::UnknownAlarm => ("F-19", "unknown_alarm", &["OPS8"]),
            Self::NoisyAlarm => ("F-20", "noisy_alarm", &["OPS8", "OPS10"]),
            Self::LateToClear => ("F-21", "late_to_clear", &["OPS8"]),
            Self::AlarmsUnread => ("F-22", "alarms_unread", &["OPS8"]),
            Self::Unattended => ("F-23", "unattended", &["OPS9", "OPS10"]),
            Self::Overdue => ("F-24", "overdue", &["OPS7", "OPS10"]),
            Self::Skipped => ("F-25", "skipped", &["OPS7", "OPS10"]),
            Self::LeftOpen => ("F-26", "left_open", &["OPS7", "OPS10"]),
            Self::Rehearsed => ("F-27", "rehearsed", &["OPS7"]),
            Self::LoadLost => ("F-28", "load_lost", &["OPS7"]),
            Self::LoadShort => ("F-29", "load_short", &["OPS7"]),
            Self::LoadDoubtful => ("F-30", "load_doubtful", &["OPS7"]),
            Self::LoadGap => ("F-31", "load_gap", &["OPS4"]),
            Self::ThrottledUnalarmed => ("F-32", "throttled_without_alarm", &["OPS8", "SL-OPS1"]),
            Self::ColdStarts => ("F-33", "cold_starts", &["SL-OPS1"]),
            Self::GuardrailTripped => ("F-34", "guardrail_tripped", &["OPS6"]),
            Self::GuardrailWarned => ("F-35", "guardrail_warned", &["OPS6"]),
            Self::LeftOut => ("F-36", "left_out", &[]),
            Self::TargetMissed => ("F-37", "target_missed", &["OPS9"]),
            Self::LessonRegressed => ("F-38", "lesson_regressed", &["OPS11"]),
            Self::EvidenceChanged => ("F-39", "evidence_changed", &["OPS11"]),
            Self::Overridden => ("F-40", "overridden", &["OPS6"]),
            Self::KeptUnread => ("F-41", "kept_unread", &["OPS11"]),
            Self::SlowAlarm => ("F-42", "slow_alarm", &["OPS8", "SL-OPS1"]),
            Self::MutedAlarm => ("F-43", "muted_alarm", &["OPS8", "OPS10"]),
            Self::EditedAlarm => ("F-44", "edited_alarm", &["OPS6", "OPS8"]),
        }
    }
}
