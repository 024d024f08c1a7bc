//! `gameday new`: a scenario from a template.

use std::path::Path;

use clap::Args;

use super::init::write_new;
use super::{Exit, Failure, out};
use crate::unit::{ScenarioId, nearest};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The template; `--list` names them.
    #[arg(required_unless_present = "list")]
    template: Option<String>,
    /// The scenario's id, and the name of its file; default the template's name.
    #[arg(long)]
    id: Option<ScenarioId>,
    /// List the templates.
    #[arg(long, conflicts_with_all = ["template", "id"])]
    list: bool,
}

/// The templates by name. Each has its name as `id`, and the first line of its comment says what it is for.
const TEMPLATES: [(&str, &str); 3] = [
    ("lambda-throttle", include_str!("template/lambda-throttle.yaml")),
    ("load-test", include_str!("template/load-test.yaml")),
    ("slow-dependency", include_str!("template/slow-dependency.yaml")),
];

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Some(template) = &arguments.template else {
        for (name, text) in TEMPLATES {
            let purpose = text.lines().next().unwrap_or_default().trim_start_matches(['#', ' ']);
            out::line(format_args!("{name:16} {purpose}"));
        }
        return Ok(Exit::Success);
    };
    let Some((name, text)) = TEMPLATES.iter().find(|(name, _)| name == template) else {
        let help = match nearest(template, TEMPLATES.map(|(name, _)| name)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`gameday new --list` names them".to_owned(),
        };
        return Err(Failure::new(Exit::Failure, format_args!("no template is called `{template}`; {help}")));
    };
    let id = arguments.id.as_ref().map_or(*name, ScenarioId::as_str);
    let path = Workspace::root_of(Path::new(".")).join("scenarios").join(format!("{id}.yaml"));
    write_new(&path, &text.replacen(&format!("\nid: {name}\n"), &format!("\nid: {id}\n"), 1))?;
    let path = path.display();
    out::progress(format_args!("wrote {path}; its names are those of the demo shop: put yours in their place"));
    out::line(format_args!("next: gameday check {path} && gameday run {path}"));
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::document::SourceFile;

    #[test]
    fn every_template_passes_check_without_a_warning() {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::read(folder.path()).unwrap();
        for (name, text) in TEMPLATES {
            assert!(text.contains(&format!("\nid: {name}\n")) && text.starts_with("# "), "{name}");
            let source = Arc::new(SourceFile::new(name, text));
            let checked = crate::scenario::check(&source, &workspace, None);
            let told = match &checked {
                Ok(checked) => &checked.warnings,
                Err(problems) => problems,
            };
            let told: Vec<String> = told.iter().map(|problem| problem.render(false)).collect();
            assert_eq!(told, Vec::<String>::new(), "{name}");
        }
    }
}
