//! Every kind of event, in past participles, with what each carries. Values that may be secret never stand here.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{
    AbortCause, AlarmNote, EvidenceKept, FaultEnd, FaultIdentity, HypothesisResult, LoadSecond, LoadSteer, PhaseEnd,
    ProcessKind, ProxySecond, Recoverer, RunOutcome, StepAsks, StepOutcome, SwitchStep,
};
use crate::unit::{
    AlarmSettings, AlarmState, ComponentId, FaultId, GuardrailId, HintId, HypothesisId, InjectId, LoadId, PersonId,
    PhaseId, PlaybookId, RunId, ScenarioId, SignalId, StepId, TargetId,
};

/// What happened. In JSON one key names the kind: `{"phase_started": {"phase": "baseline"}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The first event of every log.
    RunStarted {
        /// The log's format: 1.
        format: u32,
        /// The run.
        run: RunId,
        /// The scenario.
        scenario: ScenarioId,
        /// Its title.
        title: String,
        /// The environment's name.
        environment: String,
        /// The program's version.
        version: String,
        /// The seed of every generator of the run.
        seed: u64,
        /// SHA-256 of `plan.json`.
        plan_sha256: String,
        /// The process that runs it.
        process: u32,
    },
    /// Somebody had agreed to the run's plan.
    RunApproved {
        /// In which role.
        role: PersonId,
        /// Who.
        by: String,
        /// When.
        given_at: DateTime<Utc>,
        /// What else they said.
        note: Option<String>,
    },
    /// Somebody let the run begin although the scenario's schedule speaks against it: why, and what does.
    #[expect(missing_docs, reason = "said above")]
    ScheduleOverridden { reason: String, objections: Vec<String> },
    /// A process that outlives or serves the run was started.
    ProcessStarted {
        /// What it is.
        process: ProcessKind,
        /// Its process id.
        pid: u32,
        /// Where it is reached: a socket path or an address.
        address: String,
    },
    /// Targets were found, the caller is the right one, nothing is in the way.
    ReadinessPassed {
        /// One line for each thing looked at.
        checks: Vec<String>,
    },
    /// A phase began.
    PhaseStarted {
        /// The phase.
        phase: PhaseId,
    },
    /// The phase's clock stands still, since a fault or a card waits for people.
    PhaseHeld {
        /// The phase.
        phase: PhaseId,
        /// What for: `step go`, `responder to join`.
        waits_for: Vec<String>,
    },
    /// The phase's clock goes on.
    PhaseReleased {
        /// The phase.
        phase: PhaseId,
    },
    /// A phase was over.
    PhaseEnded {
        /// The phase.
        phase: PhaseId,
        /// Why.
        why: PhaseEnd,
    },
    /// A gate was judged at the end of its phase.
    GateJudged {
        /// The phase.
        phase: PhaseId,
        /// Whether the way is open.
        open: bool,
        /// Each hypothesis, judged over the gate's own window.
        results: Vec<HypothesisResult>,
    },
    /// A load worker was started.
    LoadStarted {
        /// The load.
        load: LoadId,
        /// The worker's process id.
        pid: u32,
    },
    /// What a load did in one second.
    LoadRecorded(LoadSecond),
    /// What passed through a proxy in about a second; a second in which nothing did is left out.
    ProxyRecorded(ProxySecond),
    /// A person steered a load.
    LoadSteered {
        /// The load.
        load: LoadId,
        /// How it goes on.
        how: LoadSteer,
        /// Who.
        by: Option<String>,
    },
    /// A load ended as planned.
    LoadEnded {
        /// The load.
        load: LoadId,
    },
    /// A load worker died, or said nothing for too long.
    LoadLost {
        /// The load.
        load: LoadId,
        /// What is known of it.
        why: String,
    },
    /// A probe reported.
    SignalSampled {
        /// The signal.
        signal: SignalId,
        /// The value, in the signal's unit (seconds, ratio, count); none where the probe failed to get one.
        value: Option<f64>,
    },
    /// Data points of a CloudWatch metric were read, or read anew with other values.
    MetricRead {
        /// The signal.
        signal: SignalId,
        /// When each period began, in milliseconds since the run's start, and its value, as CloudWatch tells it.
        points: Vec<(u64, f64)>,
    },
    /// Metrics can not be read. Told once, until they are read again.
    MetricsUnread {
        /// Until when all data points are known, in milliseconds since the run's start.
        known_ms: u64,
        /// The error.
        why: String,
    },
    /// Metrics are read again.
    MetricsReread,
    /// An alarm that is watched was read for the first time: before the first phase, or once it was there.
    AlarmFound {
        /// Its name.
        alarm: String,
        /// Its state.
        state: AlarmState,
        /// When it came into this state, by AWS's clock.
        transitioned_at: DateTime<Utc>,
        /// Whether it does anything when it changes its state.
        actions_enabled: bool,
        /// How far back it looks, in milliseconds; none for a composite alarm and for metric math.
        looks_back_ms: Option<u64>,
        /// What it watches, how it decides, and whom it tells; old logs have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        settings: Option<Box<AlarmSettings>>,
    },
    /// An alarm has changed its state. Also one that nobody named is told of once it goes to `ALARM`.
    AlarmTransitioned {
        /// Its name.
        alarm: String,
        /// The state before, as it was last read; none for one that was not watched before.
        from: Option<AlarmState>,
        /// The state.
        to: AlarmState,
        /// When, in milliseconds since the run's start: AWS's `StateTransitionedTimestamp` on the run's clock.
        at_ms: u64,
        /// The same as AWS tells it.
        transitioned_at: DateTime<Utc>,
        /// Whether AWS told it; otherwise it is the time of an update of the alarm, which may be later.
        is_exact: bool,
        /// Why, in AWS's words.
        reason: String,
        /// From when on its state is not known, where it was not read for a while or changed more than once in between.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unseen_from_ms: Option<u64>,
    },
    /// An alarm is in the state in which it was last read before a time without readings, and nothing tells whether it has been
    /// in others in between.
    AlarmUnseen {
        /// Its name.
        alarm: String,
        /// The state.
        state: AlarmState,
        /// When it was read before, in milliseconds since the run's start.
        from_ms: u64,
    },
    /// An alarm that was watched is no longer there.
    AlarmLost {
        /// Its name.
        alarm: String,
        /// When it was last read, in milliseconds since the run's start; 0 where an old log does not say.
        #[serde(default)]
        from_ms: u64,
    },
    /// AWS's own history of an alarm over the run was read, when everything was undone.
    AlarmHistoryRead {
        /// Its name.
        alarm: String,
        /// Its entries, oldest first.
        notes: Vec<AlarmNote>,
        /// Whether there are more.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_cut: bool,
        /// The rules that muted it then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        muted_by: Vec<String>,
        /// Why it, or what mutes it, could not be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unknown: Option<String>,
    },
    /// Alarms can not be read since some moment. Told once, until they are read again.
    AlarmsUnread {
        /// When they were last read, in milliseconds since the run's start.
        since_ms: u64,
        /// The error.
        why: String,
    },
    /// Alarms are read again.
    AlarmsReread,
    /// A fault will be injected: what will change, and what it takes to undo it, in words.
    FaultIntended {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// The kind's key: `lambda_timeout`.
        fault_kind: String,
        /// The target.
        target: TargetId,
        /// The change in one line.
        change: String,
        /// The undo in one line.
        undo: String,
    },
    /// The undo is on disk: `undo/<step>.json`, named by digest.
    FaultArmed {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// SHA-256 of the undo file.
        undo_sha256: String,
    },
    /// The change was made and read back.
    FaultApplied {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
    },
    /// The injection failed; what it may have changed is undone like any fault.
    FaultFailed {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// The error.
        error: String,
    },
    /// `effect_if` became true, or, where a proxy fault has none, the proxy did it to a caller: the fault is real.
    FaultEffective {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// What proved it.
        evidence: String,
        /// When it was seen first, in milliseconds since the run's start, where that is known better than by when it was told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        first_ms: Option<u64>,
    },
    /// It is not in any more, before its time and without an undo: whoever has that proxy took it away, or started it anew.
    FaultLost {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// What is gone.
        why: String,
    },
    /// The undo began.
    FaultReverting {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
    },
    /// The undo is over, well: the target is as it was, or is gone.
    FaultRestored {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// How.
        how: FaultEnd,
    },
    /// The target is neither as injected nor as before: it was left alone.
    FaultDrifted {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// One line for each field: found, and expected.
        fields: Vec<String>,
    },
    /// The undo could not be done in its time.
    FaultStuck {
        /// Which.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// The last error.
        error: String,
        /// Commands that finish it by hand.
        by_hand: Vec<String>,
    },
    /// A dead man's switch will be set: from here on there may be such a schedule in AWS.
    SwitchIntended {
        /// The fault that it undoes.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// The schedule's name.
        schedule: String,
        /// Its group.
        group: String,
        /// What it calls: `lambda:PutFunctionConcurrency`.
        call: String,
        /// When, by our clock; it never carries a secret.
        fires_at: DateTime<Utc>,
    },
    /// The switch is set.
    SwitchSet {
        /// The fault that it undoes.
        #[serde(rename = "id")]
        identity: FaultIdentity,
    },
    /// The run is alive: the switch was put off.
    SwitchPushed {
        /// The fault that it undoes.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// When it fires now.
        fires_at: DateTime<Utc>,
    },
    /// The switch could not be set, put off or deleted.
    SwitchFailed {
        /// The fault that it undoes.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// What was tried.
        step: SwitchStep,
        /// The error.
        error: String,
        /// Commands that finish it by hand.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by_hand: Vec<String>,
    },
    /// There is no such schedule any more.
    SwitchDeleted {
        /// The fault that it undid or would have undone.
        #[serde(rename = "id")]
        identity: FaultIdentity,
    },
    /// The fault could not be undone, and the switch is left to do it.
    SwitchLeft {
        /// The fault.
        #[serde(rename = "id")]
        identity: FaultIdentity,
        /// When it fires.
        fires_at: DateTime<Utc>,
    },
    /// The lock that other machines see will be taken: from here on there may be such a parameter in AWS.
    LockIntended {
        /// The parameter.
        parameter: String,
        /// What tells this run from every other one, on whatever machine.
        ticket: String,
        /// Who holds it: `maria@laptop`.
        holder: String,
        /// What tells the run's folder from a copy of it.
        #[serde(default)]
        folder: String,
    },
    /// The lock is ours.
    LockTaken {
        /// When it expires, unless it is renewed.
        expires_at: DateTime<Utc>,
    },
    /// The lock could not be renewed, marked or released.
    LockFailed {
        /// What was tried, in words: `renew the lock`.
        step: String,
        /// The error.
        error: String,
        /// Commands that finish it by hand.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        by_hand: Vec<String>,
    },
    /// The lock is not ours any more: somebody took it away.
    LockLost {
        /// What is there instead, in words.
        found: String,
    },
    /// The lock stays, since something is not undone.
    LockKept,
    /// There is no lock of ours any more.
    LockReleased,
    /// An action of the timeline was left out, because of its `unless` or because its fault was over.
    ActionSkipped {
        /// The action in words: `inject ticket`.
        action: String,
        /// Why.
        why: String,
    },
    /// A step for a person is open.
    StepOpened {
        /// The step.
        step: StepId,
        /// What is to be done.
        text: String,
        /// Who does it.
        owner: Option<PersonId>,
        /// When it becomes overdue, in milliseconds since the run's start.
        due_ms: Option<u64>,
        /// Whether it must be done.
        must: bool,
        /// The playbook it comes from; none for the phase's own checklist.
        playbook: Option<PlaybookId>,
        /// What else it asks for.
        #[serde(default, skip_serializing_if = "StepAsks::is_nothing")]
        asks: StepAsks,
    },
    /// What a step's time is counted from has happened.
    StepTimed {
        /// The step.
        step: StepId,
        /// When it becomes overdue, in milliseconds since the run's start.
        due_ms: u64,
    },
    /// A step was not done in its time; it stays open.
    StepOverdue {
        /// The step.
        step: StepId,
    },
    /// A step was closed.
    StepClosed {
        /// The step.
        step: StepId,
        /// How.
        outcome: StepOutcome,
        /// Who said so.
        by: Option<String>,
        /// What they noted, where the step asks for evidence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
    },
    /// A role agreed to a step, or did not: in a poll, or before a step that needs it. What a role said last counts.
    Voted {
        /// The step.
        step: StepId,
        /// The role.
        role: PersonId,
        /// Whether it agrees.
        go: bool,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Who spoke for the role.
        by: Option<String>,
    },
    /// Somebody takes part in a role.
    Joined {
        /// The role.
        role: PersonId,
        /// Who.
        by: Option<String>,
    },
    /// A message went to a person.
    InjectDelivered {
        /// The inject.
        inject: InjectId,
        /// To whom.
        to: PersonId,
        /// What it says.
        text: String,
        /// Who delivered it by hand; none where its time had come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A hint was given.
    HintGiven {
        /// The hint.
        hint: HintId,
        /// The hypothesis that it belongs to.
        #[serde(rename = "for")]
        hypothesis: Option<HypothesisId>,
        /// What it says.
        text: String,
        /// Who gave it.
        by: Option<String>,
    },
    /// A private prediction was written to `predictions/` and sealed: the log knows its digest alone.
    PredictionSealed {
        /// The hypothesis that it is about.
        hypothesis: HypothesisId,
        /// SHA-256 of the file, which is also its name.
        sha256: String,
        /// Who predicted.
        by: Option<String>,
    },
    /// What was hidden from blind participants was shown to them.
    Revealed {
        /// Only this fault; none is everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<FaultId>,
        /// Who revealed it.
        by: Option<String>,
    },
    /// At the table, in the place of an injection: a fault's card was put on the table.
    CardDealt {
        /// The fault.
        fault: FaultId,
        /// Its target.
        target: TargetId,
        /// What would change, in one line.
        text: String,
        /// Who dealt it before its time; none where its time had come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// At the table, in the place of an undo: a fault's card was taken away.
    CardTaken {
        /// The fault.
        fault: FaultId,
    },
    /// A command of a playbook is about to be run by a person, outside of the run's own process.
    BlockStarted {
        /// The playbook.
        playbook: PlaybookId,
        /// The command's name.
        block: String,
        /// Whether it changes nothing, as the playbook says.
        readonly: bool,
        /// Who runs it.
        by: Option<String>,
    },
    /// A command of a playbook is over.
    BlockEnded {
        /// The playbook.
        playbook: PlaybookId,
        /// The command's name.
        block: String,
        /// Whether it ended well and as the playbook expects.
        ok: bool,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Who ran it.
        by: Option<String>,
    },
    /// A person acknowledged.
    Acknowledged {
        /// Who.
        by: Option<String>,
    },
    /// A person marked a moment.
    Marked {
        /// The mark.
        name: String,
        /// The fault it belongs to.
        fault: Option<FaultId>,
        /// Who.
        by: Option<String>,
        /// The component that it names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        component: Option<ComponentId>,
        /// What else they said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// A person wrote something down.
    Noted {
        /// The text.
        text: String,
        /// Who.
        by: Option<String>,
    },
    /// The timeline and the timers of its steps stand still.
    RunPaused {
        /// Who stopped them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// The timeline goes on.
    RunResumed {
        /// Who let it go on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A guardrail saw something that does not end the run.
    GuardrailWarned {
        /// The guardrail.
        guardrail: GuardrailId,
        /// What it saw.
        observed: String,
    },
    /// What a guardrail read of late, while it is quiet: told when it has changed, at most every 5 s.
    GuardrailRead {
        /// The guardrail.
        guardrail: GuardrailId,
        /// What it read.
        reading: String,
        /// How far that is on its way to the limit, from 0 to 1; none where that can not be said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nearness: Option<f64>,
    },
    /// A guardrail ends the run.
    GuardrailTripped {
        /// The guardrail.
        guardrail: GuardrailId,
        /// What it saw.
        observed: String,
    },
    /// The run ends before its time: everything is undone from here on.
    RunAborted {
        /// Who or what ended it.
        cause: AbortCause,
    },
    /// The timeline is over: what is left is undone, and the system is given time.
    RunRecovering,
    /// All faults are undone and the settle condition held, or had its time.
    SettleJudged {
        /// Whether it held.
        held: bool,
        /// When it first held, in milliseconds since the run's start.
        held_ms: Option<u64>,
    },
    /// A hypothesis was judged.
    HypothesisJudged(HypothesisResult),
    /// Every change is undone, read back and as before.
    RunSettled,
    /// Some change is not undone.
    RunDirty {
        /// What is left, one line each.
        left: Vec<String>,
    },
    /// The last event of a run that ended by itself.
    RunEnded {
        /// How.
        outcome: RunOutcome,
        /// The exit code.
        exit_code: u8,
    },
    /// `gameday recover` or the watchdog undoes this run from another process.
    RecoveryStarted {
        /// The process that recovers.
        process: u32,
        /// Who.
        #[serde(default)]
        by: Recoverer,
    },
    /// A notice went out: which (`fault_on`), to whom (`slack`, `webhook`), at which attempt.
    #[expect(missing_docs, reason = "said above")]
    NoticeSent { notice: String, channel: String, attempts: u32 },
    /// A notice did not go out, or none can (`all`): to whom, and why not; neither the URL nor a key stands there.
    #[expect(missing_docs, reason = "said above")]
    NoticeFailed { notice: String, channel: String, why: String },
    /// Logs, traces or metrics were read and kept, or could not be.
    EvidenceKept(EvidenceKept),
    /// A kind that a newer version wrote; it is kept as it stands.
    #[serde(skip)]
    Unknown(serde_json::Value),
}
