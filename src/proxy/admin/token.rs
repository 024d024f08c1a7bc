//! Where a token comes from: a variable, since files are shared and arguments can be read by every user of the machine.

use std::fmt;
use std::str::FromStr;

use crate::unit::{Secret, UnitError, text_type};

/// The variable that has a token, as `env:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenSource {
    variable: String,
}

/// There is no token where it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no token in the variable `{variable}`")]
pub struct NoToken {
    /// The variable.
    pub variable: String,
}

impl TokenSource {
    /// The variable's name.
    #[must_use]
    pub fn variable(&self) -> &str {
        &self.variable
    }

    /// The token that the variable has now.
    ///
    /// # Errors
    /// There is no such variable, or it is empty or no text.
    pub fn read(&self) -> Result<Secret, NoToken> {
        match std::env::var(&self.variable) {
            Ok(token) if !token.is_empty() => Ok(Secret::new(token)),
            Ok(_) | Err(_) => Err(NoToken { variable: self.variable.clone() }),
        }
    }
}

impl FromStr for TokenSource {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        match text.strip_prefix("env:") {
            Some(variable) if is_name(variable) => Ok(Self { variable: variable.to_owned() }),
            // The text may be the token itself, and is not repeated.
            Some(_) | None => Err(UnitError::new(
                "this does not name a variable as `env:NAME`",
                "write `env:` and the name of a variable, as in `env:PROXY_TOKEN`: a token is a secret",
            )),
        }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "env:{}", self.variable)
    }
}

text_type!(
    TokenSource,
    "TokenSource",
    "the variable that has a token",
    r"^env:[A-Za-z_][A-Za-z0-9_]*$",
    "env:PROXY_TOKEN"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_named_and_never_written() {
        let source: TokenSource = "env:PROXY_TOKEN".parse().unwrap();
        assert_eq!((source.variable(), source.to_string().as_str()), ("PROXY_TOKEN", "env:PROXY_TOKEN"));
        for text in ["s3cret", "env:", "env:s3cret!", "env:1s3cret", "$s3cret"] {
            let error = text.parse::<TokenSource>().expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_variable_that_is_not_there_is_named() {
        let source: TokenSource = "env:GAMEDAY_NO_SUCH_TOKEN".parse().unwrap();
        assert_eq!(source.read().unwrap_err().to_string(), "there is no token in the variable `GAMEDAY_NO_SUCH_TOKEN`");
    }
}
