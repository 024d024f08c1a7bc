//! `gameday completions`: what a shell needs to complete commands and options.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::{Exit, Failure, out};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  gameday completions bash > ~/.local/share/bash-completion/completions/gameday
  gameday completions zsh  > \"${fpath[1]}/_gameday\"
  gameday completions fish > ~/.config/fish/completions/gameday.fish")]
pub(super) struct Arguments {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    out::line(script(arguments.shell).trim_end());
    Ok(Exit::Success)
}

fn script(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut shown(), "gameday", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// The program without the commands that it only calls itself: the generators would offer them.
fn shown() -> clap::Command {
    let whole = super::Arguments::command();
    let commands: Vec<clap::Command> =
        whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    clap::Command::new("gameday").version(env!("CARGO_PKG_VERSION")).propagate_version(true).subcommands(commands)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_shell_completes_every_command_that_is_shown_and_none_that_is_hidden() {
        for shell in Shell::value_variants() {
            let script = script(*shell);
            for command in super::super::Arguments::command().get_subcommands() {
                // A name stands between what can not be part of one.
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
                let is_there = script.split(|c| !is_part(c)).any(|word| word == command.get_name());
                assert_eq!(is_there, !command.is_hide_set(), "{shell}: {}", command.get_name());
            }
        }
    }
}
