//! Findings from what the run's folder keeps of the workspace: targets that were missed, lessons that came back, files that changed.

use super::{Rule, finding};
use crate::report::folder::Evidence;
use crate::report::model::{Finding, Report};

pub(super) fn findings(report: &Report, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    for target in report.why.iter().flat_map(|why| &why.targets).filter(|target| target.reached == "no") {
        let observed = target.observed.as_deref().unwrap_or("unknown");
        let fault = target.fault.as_ref().map(|fault| format!(" for `{fault}`")).unwrap_or_default();
        let text = format!("The {} was {observed}{fault}; the target is `{}`.", target.name, target.target);
        let next = "Decide whether the target or the way there is to be changed.";
        findings.push(finding("medium", Rule::TargetMissed, target.fault.as_deref(), text, Some(next)));
    }
    for lesson in report.lessons.iter().filter(|lesson| lesson.after.as_deref() == Some("regressed")) {
        let text = format!("Lesson {} came back: “{}”.", lesson.id, lesson.title);
        let next = "What was done about it does not help any more: see what changed since.";
        findings.push(finding(&lesson.severity, Rule::LessonRegressed, Some(&lesson.id), text, Some(next)));
    }
    let next = Some("`gameday report verify` tells each file; a report that was made before tells what it rested on.");
    match &evidence.changed {
        Ok(changed) => {
            for (file, state) in changed {
                let text = format!("`{file}` is not what it was when the first report was made: {}.", state.as_str());
                findings.push(finding("high", Rule::EvidenceChanged, Some(file), text, next));
            }
        }
        Err(why) => {
            let text = format!("Whether the evidence is what it was is not known: {why}.");
            findings.push(finding("high", Rule::EvidenceChanged, None, text, next));
        }
    }
    for why in &evidence.kept.unread {
        let text = format!("Something that the run's folder keeps could not be read: {why}.");
        findings.push(finding("low", Rule::KeptUnread, None, text, None));
    }
    findings
}
