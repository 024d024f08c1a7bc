//! Why the scenario is worth the time: its own words, with what the workload's file says of what it names.

use crate::report::compare::RESPONSES;
use crate::report::folder::Evidence;
use crate::report::metric::Metric;
use crate::report::model::{Fault, Response, Why, WhyComponent, WhyLesson, WhyRisk, WhyStakeholder, WhyTarget};
use crate::unit::{elapsed_ms, parse_duration};
use crate::workspace::{Indicator, Workload};

pub(super) fn why(drafted: Option<&Why>, evidence: &Evidence, faults: &[Fault]) -> Option<Why> {
    let kept = &evidence.kept;
    let mut why = match (drafted, &kept.workload) {
        (Some(why), _) => why.clone(),
        (None, Some(_)) => Why::default(),
        (None, None) => return None,
    };
    for lesson in &mut why.retests {
        let known = kept.lessons.iter().find(|known| known.front.id.as_str() == lesson.id);
        lesson.title = known.map(|known| known.front.title.clone());
    }
    match &kept.workload {
        Some(Ok(workload)) => {
            why.purpose = Some(workload.purpose.clone());
            why.stakeholders = workload.stakeholders.iter().map(stakeholder).collect();
            why.components.iter_mut().for_each(|component| *component = known_component(workload, &component.name));
            why.risks.iter_mut().for_each(|risk| *risk = known_risk(workload, &risk.id));
            why.targets = targets(workload, faults);
        }
        Some(Err(unread)) => why.unread = Some(unread.clone()),
        None => {}
    }
    Some(why)
}

/// A component of which nothing but the name is known.
pub(in crate::report) fn named_component(name: &str) -> WhyComponent {
    WhyComponent { name: name.to_owned(), ..WhyComponent::default() }
}

/// A risk of which nothing but the id is known.
pub(in crate::report) fn named_risk(id: &str) -> WhyRisk {
    WhyRisk { id: id.to_owned(), ..WhyRisk::default() }
}

/// A lesson of which nothing but the id is known.
pub(in crate::report) fn named_lesson(id: &str) -> WhyLesson {
    WhyLesson { id: id.to_owned(), title: None }
}

fn stakeholder(known: &crate::workspace::Stakeholder) -> WhyStakeholder {
    WhyStakeholder { name: known.name.clone(), is_internal: known.internal, wants: known.wants.clone() }
}

fn known_component(workload: &Workload, name: &str) -> WhyComponent {
    let Some((_, known)) = workload.components.iter().find(|(id, _)| id.as_str() == name) else {
        return named_component(name);
    };
    let approver = |change: &crate::workspace::Change| match &change.approver {
        Some(approver) => format!("{}, agreed to by {approver}", change.how),
        None => change.how.clone(),
    };
    WhyComponent {
        name: name.to_owned(),
        owner: Some(known.owner.clone()),
        contact: workload.teams.get(&known.owner).and_then(|team| team.contact.clone()),
        value: known.value.clone(),
        priority: known.priority,
        change: known.change.as_ref().map(approver),
    }
}

fn known_risk(workload: &Workload, id: &str) -> WhyRisk {
    let Some(known) = workload.risks.get(id) else { return named_risk(id) };
    WhyRisk {
        id: id.to_owned(),
        text: Some(known.text.clone()),
        likelihood: Some(known.likelihood),
        impact: Some(known.impact),
    }
}

/// What the workload wants to reach; the times of detection and response are known by their names, for each fault.
fn targets(workload: &Workload, faults: &[Fault]) -> Vec<WhyTarget> {
    let kpis = workload.kpis.iter().flat_map(|kpis| kpis.system.iter().chain(&kpis.team));
    let is_seen = |fault: &Fault, key: &str| !matches!(response(&fault.response, key), Metric::NotApplicable { .. });
    let rows = |kpi: &Indicator| {
        let Some(target) = &kpi.target else { return Vec::new() };
        let of_response = RESPONSES.iter().find(|(_, name)| name.eq_ignore_ascii_case(kpi.name.trim()));
        let row = |fault: &Fault, key: &str| {
            let time = response(&fault.response, key);
            WhyTarget {
                name: kpi.name.clone(),
                target: target.clone(),
                fault: Some(fault.fault.clone()),
                observed: Some(time.value()),
                reached: reached(is_met(target, time)),
            }
        };
        match of_response {
            Some((key, _)) if faults.iter().any(|fault| is_seen(fault, key)) => {
                faults.iter().filter(|fault| is_seen(fault, key)).map(|fault| row(fault, key)).collect()
            }
            Some(_) | None => vec![WhyTarget {
                name: kpi.name.clone(),
                target: target.clone(),
                fault: None,
                observed: None,
                reached: reached(None),
            }],
        }
    };
    kpis.flat_map(rows).collect()
}

fn response<'a>(response: &'a Response, key: &str) -> &'a Metric {
    match key {
        "time_to_detect" => &response.time_to_detect,
        "time_to_acknowledge" => &response.time_to_acknowledge,
        "time_to_identify" => &response.time_to_identify,
        "time_to_mitigate" => &response.time_to_mitigate,
        "time_to_recover" => &response.time_to_recover,
        "clear_lag" => &response.clear_lag,
        _ => &response.injection_lag,
    }
}

fn reached(is_met: Option<bool>) -> String {
    let word = match is_met {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    word.to_owned()
}

/// Whether a time reaches a target such as `<= 3m`; none where the target is no such bound, or where the time's uncertainty or the
/// wait for it leave both open.
fn is_met(target: &str, time: &Metric) -> Option<bool> {
    let bound = target.trim();
    let (bound, is_within) = match bound.strip_prefix("<=") {
        Some(bound) => (bound, true),
        None => (bound.strip_prefix('<')?, false),
    };
    let bound_ms = elapsed_ms(parse_duration(bound.trim()).ok()?);
    match time {
        Metric::Measured { ms, uncertainty_ms, .. } => {
            let (shortest, longest) = (ms.saturating_sub(*uncertainty_ms), ms.saturating_add(*uncertainty_ms));
            let is_met = |ms: u64| ms < bound_ms || (is_within && ms == bound_ms);
            if is_met(longest) { Some(true) } else { (!is_met(shortest)).then_some(false) }
        }
        Metric::Censored { after_ms, .. } => (*after_ms >= bound_ms).then_some(false),
        Metric::NotApplicable { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_or_missed_only_beyond_doubt() {
        let measured = |ms, uncertainty_ms| Metric::Measured { ms, uncertainty_ms, source: String::new() };
        let censored = |after_ms| Metric::Censored { after_ms, text: String::new() };
        for (target, time, met) in [
            ("<= 3m", measured(170_000, 10_000), Some(true)),
            ("<= 3m", measured(175_000, 10_000), None),
            ("< 3m", measured(200_000, 10_000), Some(false)),
            ("< 3m", measured(180_000, 0), Some(false)),
            ("<= 3m", measured(180_000, 0), Some(true)),
            ("<=3m", censored(180_000), Some(false)),
            ("<= 3m", censored(20_000), None),
            ("<= 3m", Metric::not_applicable("no"), None),
            (">= 40", measured(1, 0), None),
            ("<= 3 apples", measured(1, 0), None),
        ] {
            assert_eq!(is_met(target, &time), met, "{target} {time:?}");
        }
    }
}
