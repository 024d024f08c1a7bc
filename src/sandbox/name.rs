//! Names of functions and versions as they stand in requests: a name, a partial ARN, a full ARN, each with a qualifier.
//!
//! Owns: reading and writing them. Must not know: which functions exist.

use std::fmt;

/// The longest function name. Source: AWS Lambda, `CreateFunction`.
const NAME_BYTES_MAX: usize = 64;

/// Whether `text` can be a function's (or an alias's) name: letters, digits, `-` and `_`, 1 to 64 of them.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.chars().all(allowed)
}

/// Whether `text` can be an alias's name, which is no number: numbers are versions.
pub(super) fn is_alias_name(text: &str) -> bool {
    is_name(text) && !text.chars().all(|c| c.is_ascii_digit())
}

/// A version of a function: the one that changes, or a published one that never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    /// `$LATEST`: the only one that a configuration update reaches.
    Latest,
    /// A published version: a number from 1.
    Published(u32),
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str("$LATEST"),
            Self::Published(number) => write!(formatter, "{number}"),
        }
    }
}

/// Why a request's function name could not be read. The texts are AWS's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NameError {
    /// Not a name, a partial ARN or an ARN.
    #[error("Value '{0}' at 'functionName' failed to satisfy constraint: not a function name or ARN")]
    Malformed(String),
    /// Name and parameter disagree.
    #[error("The derived qualifier from the function name does not match the specified qualifier.")]
    TwoQualifiers,
}

/// A function as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FunctionReference {
    /// The plain name.
    pub name: String,
    /// A version's number, `$LATEST` or an alias, where one was given.
    pub qualifier: Option<String>,
    /// The account that the text named.
    pub account_id: Option<String>,
    /// The Region that the text named.
    pub region: Option<String>,
}

impl FunctionReference {
    /// Reads `name`, `name:qualifier`, `123456789012:function:name`, `arn:aws:lambda:…:function:name:qualifier`.
    ///
    /// `parameter` is the request's `Qualifier`; when both say one they must agree.
    pub(super) fn parse(text: &str, parameter: Option<&str>) -> Result<Self, NameError> {
        let malformed = || NameError::Malformed(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let (prefix, own) = match parts.iter().position(|part| *part == "function") {
            Some(index) if index + 1 < parts.len() => (&parts[..index], &parts[index + 1..]),
            _ => (&parts[..0], &parts[..]),
        };
        let (name, qualifier) = match own {
            [name] => (*name, None),
            [name, qualifier] => (*name, Some(*qualifier)),
            _ => return Err(malformed()),
        };
        let (region, account_id) = match prefix {
            [] => (None, None),
            [account_id] => (None, Some(*account_id)),
            [region, account_id] => (Some(*region), Some(*account_id)),
            ["arn", partition, "lambda", region, account_id] if partition.starts_with("aws") => {
                (Some(*region), Some(*account_id))
            }
            _ => return Err(malformed()),
        };
        let is_qualifier = |text: &str| text == "$LATEST" || is_name(text);
        if !is_name(name) || !qualifier.or(parameter).is_none_or(is_qualifier) {
            return Err(malformed());
        }
        if let (Some(derived), Some(given)) = (qualifier, parameter)
            && derived != given
        {
            return Err(NameError::TwoQualifiers);
        }
        Ok(Self {
            name: name.to_owned(),
            qualifier: qualifier.or(parameter).map(str::to_owned),
            account_id: account_id.map(str::to_owned),
            region: region.map(str::to_owned),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<String>) {
        let reference = FunctionReference::parse(text, None).expect(text);
        (reference.name, reference.qualifier)
    }

    #[test]
    fn every_form_of_a_name_leads_to_the_same_function() {
        let live = ("pay".to_owned(), Some("live".to_owned()));
        assert_eq!(parsed("pay"), ("pay".to_owned(), None));
        assert_eq!(parsed("pay:live"), live);
        assert_eq!(parsed("function:pay"), ("pay".to_owned(), None));
        assert_eq!(parsed("000000000000:function:pay:live"), live);
        assert_eq!(parsed("us-east-1:000000000000:function:pay:live"), live);
        assert_eq!(parsed("arn:aws:lambda:us-east-1:000000000000:function:pay:live"), live);
        assert_eq!(
            parsed("arn:aws-cn:lambda:cn-north-1:000000000000:function:pay:$LATEST").1.as_deref(),
            Some("$LATEST")
        );
    }

    #[test]
    fn an_arn_keeps_its_account_and_region() {
        let reference =
            FunctionReference::parse("arn:aws:lambda:eu-west-1:111122223333:function:pay", None).expect("a full ARN");
        assert_eq!(reference.account_id.as_deref(), Some("111122223333"));
        assert_eq!(reference.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a b", "pay:live:x", "arn:aws:s3:::bucket:function:pay", "pay:", "../pay", "päy"] {
            assert!(FunctionReference::parse(text, None).is_err(), "{text}");
        }
    }

    #[test]
    fn two_qualifiers_must_agree() {
        let both = |text| FunctionReference::parse(text, Some("live"));
        assert_eq!(both("pay:test"), Err(NameError::TwoQualifiers));
        assert_eq!(both("pay:live").map(|reference| reference.qualifier), Ok(Some("live".to_owned())));
        assert_eq!(both("pay").map(|reference| reference.qualifier), Ok(Some("live".to_owned())));
    }
}
