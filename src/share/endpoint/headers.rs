//! Headers whose values are secrets: an argument names the variable that has one, and never the value itself.

use std::str::FromStr;

use reqwest::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};

/// What a request says of itself, and no argument.
const OWN: [HeaderName; 6] = [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

/// A header with the variable that has its value; written `authorization=env:NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderSource {
    name: HeaderName,
    variable: String,
}

/// Why a header has no value. Nothing of what the variable holds is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// There is nothing in it.
    #[error("the variable `{variable}` is not set, or is empty: it has the value of the header `{name}`")]
    Unset {
        /// The header.
        name: String,
        /// The variable.
        variable: String,
    },
    /// It can not be sent.
    #[error("the variable `{variable}` has characters that no header has: it may have been copied with a line end")]
    Value {
        /// The variable.
        variable: String,
    },
}

impl FromStr for HeaderSource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // It may hold the secret itself, and is not repeated.
        let help = "write it as `authorization=env:NAME`: a value is a secret, and stands in a variable";
        let (name, source) = text.split_once('=').ok_or_else(|| format!("this names no header: {help}"))?;
        let name: HeaderName = name.trim().parse().map_err(|_| format!("this is no header's name: {help}"))?;
        if OWN.contains(&name) {
            return Err(format!("`{name}` is the request's own"));
        }
        let is_name = |name: &&str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let variable = source.trim().strip_prefix("env:").filter(is_name);
        let variable = variable.ok_or_else(|| format!("this names no environment variable: {help}"))?;
        Ok(Self { name, variable: variable.to_owned() })
    }
}

/// The headers that arguments name, with the values that `read` finds in variables.
///
/// # Errors
/// See [`HeaderError`].
pub fn headers_of(sources: &[HeaderSource], read: &dyn Fn(&str) -> Option<String>) -> Result<HeaderMap, HeaderError> {
    let mut headers = HeaderMap::new();
    for HeaderSource { name, variable } in sources {
        let value = read(variable).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| HeaderError::Unset { name: name.to_string(), variable: variable.clone() })?;
        let value = HeaderValue::from_str(&value).map_err(|_| HeaderError::Value { variable: variable.clone() });
        let mut value = value?;
        value.set_sensitive(true);
        headers.append(name.clone(), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_a_variable_and_never_holds_its_value() {
        let source: HeaderSource = "Authorization=env:OTLP_TOKEN".parse().unwrap();
        let read = |name: &str| (name == "OTLP_TOKEN").then(|| " Bearer s3cret\n".to_owned());
        let headers = headers_of(std::slice::from_ref(&source), &read).unwrap();
        assert_eq!(headers["authorization"], "Bearer s3cret");
        assert!(!format!("{headers:?}").contains("s3cret"));
        let unset = headers_of(std::slice::from_ref(&source), &|_| None).unwrap_err().to_string();
        assert!(unset.contains("`OTLP_TOKEN`") && unset.contains("`authorization`"), "{unset}");
        let wrong = headers_of(&[source], &|_| Some("s3\ncret".to_owned())).unwrap_err().to_string();
        assert!(!wrong.contains("cret"), "{wrong}");
        for text in [
            "authorization=Bearer s3cret",
            "authorization",
            "s3cret",
            "a b=env:X",
            "x=env:s3cret-2",
            "host=env:X",
            "=env:X",
        ] {
            let error = text.parse::<HeaderSource>().unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
