//! The words of an expectation's text, with their places.

use std::ops::Range;

use super::Operator;
use super::parse::{ParseError, error};

/// What has a meaning of its own and is in no word.
const PUNCTUATION: [char; 7] = ['(', ')', ',', '<', '>', '=', '!'];
const QUOTE: char = '\'';
const DOUBLE_QUOTE: char = '"';

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    /// A text in single or double quotes, with them.
    Quoted,
    Open,
    Close,
    Comma,
    Operator(Operator),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut tokens = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((start, c)) = characters.next() {
        let kind = match c {
            c if c.is_whitespace() => continue,
            '(' => TokenKind::Open,
            ')' => TokenKind::Close,
            ',' => TokenKind::Comma,
            '<' | '>' | '=' | '!' => {
                let doubled = characters.next_if(|(_, next)| *next == '=').is_some();
                let end = start + 1 + usize::from(doubled);
                let operator = match (c, doubled) {
                    ('<', false) => Operator::Less,
                    ('<', true) => Operator::AtMost,
                    ('=', true) => Operator::Equal,
                    ('>', true) => Operator::AtLeast,
                    ('>', false) => Operator::More,
                    _ => {
                        return Err(error(start..end, "this is not a comparison")
                            .help("write one of `<`, `<=`, `==`, `>=`, `>`"));
                    }
                };
                tokens.push(Token { kind: TokenKind::Operator(operator), span: start..end });
                continue;
            }
            QUOTE | DOUBLE_QUOTE => {
                let end = quote_end(text, start, c)?;
                while characters.next_if(|(at, _)| *at < end).is_some() {}
                tokens.push(Token { kind: TokenKind::Quoted, span: start..end });
                continue;
            }
            _ => {
                let mut end = start + c.len_utf8();
                let is_word = |c: char| !c.is_whitespace() && !PUNCTUATION.contains(&c);
                while let Some((at, c)) = characters.next_if(|(_, c)| is_word(*c)) {
                    end = at + c.len_utf8();
                }
                tokens.push(Token { kind: TokenKind::Word, span: start..end });
                continue;
            }
        };
        tokens.push(Token { kind, span: start..start + 1 });
    }
    Ok(tokens)
}

/// Where a text in quotes ends that begins at `start`. A quote that is doubled is one of the text.
fn quote_end(text: &str, start: usize, quote: char) -> Result<usize, ParseError> {
    let mut rest = text.char_indices().skip_while(|(at, _)| *at <= start).peekable();
    while let Some((at, c)) = rest.next() {
        if c == quote && rest.next_if(|(_, next)| *next == quote).is_none() {
            return Ok(at + c.len_utf8());
        }
    }
    Err(error(start..text.len(), "this quote is not closed"))
}

/// What a text in quotes says.
pub(super) fn unquoted(token: &str) -> String {
    let quote = token.chars().next().unwrap_or(QUOTE);
    let inner = token.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)).unwrap_or_default();
    inner.replace(&quote.to_string().repeat(2), &quote.to_string())
}

/// A name as it is written: as it is where it reads back so, else in quotes.
pub(super) fn quoted(name: &str) -> String {
    let is_plain = !name.is_empty()
        && name.trim() == name
        && !name.contains(PUNCTUATION)
        && name.split_whitespace().all(|word| !word.starts_with([QUOTE, DOUBLE_QUOTE]));
    if is_plain {
        return name.to_owned();
    }
    let quote = if name.contains(QUOTE) && !name.contains(DOUBLE_QUOTE) { DOUBLE_QUOTE } else { QUOTE }.to_string();
    format!("{quote}{}{quote}", name.replace(&quote, &quote.repeat(2)))
}
