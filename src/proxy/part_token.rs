//! The token of what is put on a proxy: by it the one who put it there tells it from another of its kind. It is no secret.

/// How long a token may be.
const TOKEN_CHARACTERS_MAX: usize = 128;

/// Not a token.
#[derive(Debug, thiserror::Error)]
#[error("`token` `{}` is not 1 to {TOKEN_CHARACTERS_MAX} printable ASCII characters", .0.escape_debug())]
pub struct PartTokenError(String);

/// A token of a request.
pub(crate) fn checked_token(token: String) -> Result<String, PartTokenError> {
    let is_printable = token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let is_token = is_printable && (1..=TOKEN_CHARACTERS_MAX).contains(&token.len());
    if is_token { Ok(token) } else { Err(PartTokenError(token)) }
}
