//! How things look: blue and orange, which colour-blind people tell apart, and never a colour alone; without colours by `NO_COLOR`; in
//! plain ASCII where the locale is not UTF-8.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use crate::ui::board::Tone;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether colours are wanted.
    pub has_colours: bool,
    /// Whether there are 256 of them.
    pub has_many_colours: bool,
    /// Whether more than ASCII can be shown.
    pub has_unicode: bool,
}

impl Look {
    /// What the environment says: `NO_COLOR`, `TERM` and `COLORTERM`, and the locale.
    #[must_use]
    pub fn from_environment() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
        // The first of these that is set is the locale for characters, as POSIX has it.
        let locale = filled("LC_ALL").or_else(|| filled("LC_CTYPE")).or_else(|| filled("LANG"));
        let locale = locale.unwrap_or_default().to_lowercase();
        Self {
            has_colours: filled("NO_COLOR").is_none(),
            has_many_colours: filled("COLORTERM").is_some() || filled("TERM").is_some_and(|it| it.contains("256color")),
            has_unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    fn orange(self) -> Color {
        if self.has_many_colours { Color::Indexed(208) } else { Color::Yellow }
    }

    fn blue(self) -> Color {
        if self.has_many_colours { Color::Indexed(75) } else { Color::LightBlue }
    }

    /// What is as it should be.
    pub(super) fn good(self) -> Style {
        Style::new().fg(self.blue())
    }

    /// What wants to be looked at.
    pub(super) fn warning(self) -> Style {
        Style::new().fg(self.orange())
    }

    /// What is not as it should be.
    pub(super) fn bad(self) -> Style {
        Style::new().fg(self.orange()).add_modifier(Modifier::BOLD)
    }

    pub(super) fn of_tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Quiet => dim(),
            Tone::Good => self.good(),
            Tone::Bad | Tone::Fault => self.bad(),
            Tone::Warning => self.warning(),
            Tone::Person => Style::new(),
            Tone::Phase => bold(),
        }
    }

    /// Takes from what was drawn whatever the terminal can not show.
    pub(super) fn apply(self, buffer: &mut Buffer) {
        if self.has_colours && self.has_unicode {
            return;
        }
        for cell in &mut buffer.content {
            if !self.has_colours {
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
            if !self.has_unicode && !cell.symbol().is_ascii() {
                cell.set_symbol(ascii(cell.symbol()));
            }
        }
    }
}

pub(super) fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

pub(super) fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

pub(super) fn reversed() -> Style {
    Style::new().add_modifier(Modifier::REVERSED)
}

/// What stands for a character in ASCII.
fn ascii(symbol: &str) -> &'static str {
    match symbol {
        "─" | "·" | "–" | "—" => "-",
        "│" => "|",
        "┌" | "┐" | "└" | "┘" | "✓" => "+",
        "✗" => "x",
        "↯" | "◉" | "●" => "*",
        "☞" | "▶" => ">",
        "☐" => "o",
        "…" => "~",
        "≤" => "<",
        "█" => "#",
        "░" | "▁" => ".",
        "▂" => ":",
        "▃" | "▄" => "-",
        "▅" | "▆" => "=",
        "▇" => "+",
        "↑" => "^",
        "↓" => "v",
        "←" => "<",
        "→" => ">",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    fn look(variables: &[(&str, &str)]) -> Look {
        Look::of(|name| variables.iter().find(|(it, _)| *it == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_says_what_can_be_shown() {
        let utf = look(&[("LANG", "C.UTF-8"), ("TERM", "xterm-256color")]);
        assert_eq!(utf, Look { has_colours: true, has_many_colours: true, has_unicode: true });
        assert!(!look(&[("LANG", "C.UTF-8"), ("LC_ALL", "C")]).has_unicode);
        assert!(look(&[("LC_ALL", ""), ("LC_CTYPE", "de_DE.utf8")]).has_unicode);
        assert!(!look(&[("NO_COLOR", "1")]).has_colours);
        assert!(look(&[("NO_COLOR", "")]).has_colours);
    }

    #[test]
    fn no_colour_and_no_foreign_character_is_left_where_there_are_none() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 9, 1));
        let poor = look(&[("NO_COLOR", "1")]);
        buffer.set_string(0, 0, "✗ 支 ü", poor.bad());
        poor.apply(&mut buffer);
        assert_eq!(buffer.content.iter().map(|cell| cell.symbol()).collect::<String>(), "x ?  ?   ");
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset));
        assert!(buffer.content[0].modifier.contains(Modifier::BOLD));
    }
}
