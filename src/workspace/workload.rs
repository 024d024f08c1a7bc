//! `workload.yaml`: what the Organize phase of a game day knows of the workload. Owns: its keys and cross references.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::check_format;
use crate::document::{Decoder, Diagnostic, Place, Severity, SourceFile, Tree};
use crate::unit::{ComponentId, Date, nearest};

/// The largest likelihood and impact of a risk.
const RISK_SCALE_MAX: u32 = 5;

/// `workload.yaml`: purpose, people, components, risks and indicators.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Workload {
    /// The version of the file format: 1.
    pub gameday: u32,
    /// What the workload is for, in one line.
    pub purpose: String,
    /// Who depends on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stakeholders: Vec<Stakeholder>,
    /// Who works on it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub teams: BTreeMap<String, Team>,
    /// What it consists of, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<ComponentId, Component>,
    /// What may go wrong, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub risks: BTreeMap<String, Risk>,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kpis: Option<Indicators>,
}

impl Workload {
    /// Who may own something: the teams and those who are in them; none where no team is named.
    #[must_use]
    pub fn owners(&self) -> Option<BTreeSet<String>> {
        let of_team = |(name, team): (&String, &Team)| {
            std::iter::once(name.clone()).chain(team.members.iter().cloned()).collect::<Vec<_>>()
        };
        let owners: BTreeSet<String> = self.teams.iter().flat_map(of_team).collect();
        Some(owners).filter(|owners| !owners.is_empty())
    }
}

/// Someone who depends on the workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stakeholder {
    /// Who.
    pub name: String,
    /// Whether they belong to the company.
    #[serde(default)]
    pub internal: bool,
    /// What they want from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wants: Option<String>,
}

/// A team.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Team {
    /// How it is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Who is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<String>,
}

/// A part of the workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// The team that owns it.
    pub owner: String,
    /// What it is worth to the business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// 1 is the most important.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u32>,
    /// Risks of it, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub risks: Vec<String>,
    /// The function that it is, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<Function>,
    /// How it is changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Change>,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name.
    pub function: String,
    /// The alias that traffic uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
}

/// How a component is changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// By what: `pipeline`.
    pub how: String,
    /// Who agrees to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
}

/// What may go wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Risk {
    /// The component that it is about.
    pub component: ComponentId,
    /// What may happen.
    pub text: String,
    /// How likely it is, 1 to 5.
    pub likelihood: u32,
    /// How bad it would be, 1 to 5.
    pub impact: u32,
    /// When it is looked at again: `2027-03-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Date>,
}

/// What is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Indicators {
    /// Of the system.
    pub system: Vec<Indicator>,
    /// Of the team.
    pub team: Vec<Indicator>,
}

/// One indicator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Indicator {
    /// Its name.
    pub name: String,
    /// Where it should be: `>= 40`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// Reads a `workload.yaml` by itself.
///
/// # Errors
/// The first thing that is wrong with it, in words.
pub fn read_workload(path: &Path) -> Result<Workload, String> {
    let source = SourceFile::read(path).map_err(|problem| problem.message)?;
    let mut problems = Vec::new();
    let workload = read(&source, &mut problems);
    let error = problems.into_iter().find(|problem| problem.severity == Severity::Error);
    match (workload, error) {
        (Some(workload), None) => Ok(workload),
        (_, Some(problem)) => Err(format!("`workload.yaml`: {}", problem.message)),
        (None, None) => Err("`workload.yaml` holds nothing".to_owned()),
    }
}

/// Reads and checks `workload.yaml`.
pub(super) fn read(source: &Arc<SourceFile>, problems: &mut Vec<Diagnostic>) -> Option<Workload> {
    let mut decoder = Decoder::new(Tree::parse(source, problems)?);
    decoder.list::<Stakeholder>(&["stakeholders"]);
    decoder.map::<Team>(&["teams"]);
    decoder.map::<Component>(&["components"]);
    decoder.map::<Risk>(&["risks"]);
    let (workload, document, found) = decoder.finish::<Workload>();
    problems.extend(found);
    let workload = workload?;
    let root = document.root();
    problems.extend(check_format(root, workload.gameday));
    // Names that stand in the file count, also where what they name could not be read.
    let names = |key: &str| root.key(key).all_items().filter_map(Place::name).collect::<Vec<_>>();
    let (teams, components, risks) = (names("teams"), names("components"), names("risks"));
    for (name, component) in &workload.components {
        let place = root.key("components").key(name.as_str());
        problems.extend(dangling(place.key("owner"), "team", &component.owner, &teams));
        for (risk, place) in component.risks.iter().zip(place.key("risks").items()) {
            problems.extend(dangling(place, "risk", risk, &risks));
        }
        if component.priority == Some(0) {
            let problem = place.key("priority").error("out-of-range", "priorities start at 1");
            problems.push(problem.with_help("1 is the most important"));
        }
    }
    for (name, risk) in &workload.risks {
        let place = root.key("risks").key(name);
        problems.extend(dangling(place.key("component"), "component", risk.component.as_str(), &components));
        for (key, number) in [("likelihood", risk.likelihood), ("impact", risk.impact)] {
            if !(1..=RISK_SCALE_MAX).contains(&number) {
                let message = format!("`{key}: {number}` is not between 1 and {RISK_SCALE_MAX}");
                problems.push(place.key(key).error("out-of-range", message));
            }
        }
    }
    Some(workload)
}

fn dangling(place: Place<'_>, what: &str, name: &str, known: &[&str]) -> Option<Diagnostic> {
    if known.contains(&name) {
        return None;
    }
    let near = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
    Some(place.error("unknown-name", format!("no {what} is called `{name}`")).with_help_if(near))
}
