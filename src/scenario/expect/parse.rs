//! The parser of expectations. Owns: the grammar's words and the places of errors in the text.
//!
//! Must not know: which signals, phases or alarms there are.

use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use super::token::{Token, TokenKind, tokens, unquoted};
use super::{Aggregate, Condition, Expectation, Measure, PhaseWindow, Term, Value};
use crate::unit::{
    AlarmName, AlarmState, IdError, Percent, PhaseId, Rate, UnitError, mark_name, nearest, parse_duration,
};

/// The longest expectation, in bytes.
const EXPECTATION_BYTES_MAX: usize = 4_096;

const MEASURES: [&str; 16] = [
    "min", "max", "mean", "p50", "p90", "p95", "p99", "p99.9", "sum", "last", "count", "detect", "ack", "steps",
    "alarm", "mark",
];
const STATES: [(&str, AlarmState); 3] =
    [("ALARM", AlarmState::Alarm), ("OK", AlarmState::Ok), ("INSUFFICIENT_DATA", AlarmState::InsufficientData)];
const CLAUSES: [&str; 5] = ["during", "after", "within", "for", "and"];

/// What other tools call our aggregates.
const OTHER_WORDS: [(&str, &str); 6] = [
    ("avg", "mean"),
    ("average", "mean"),
    ("median", "p50"),
    ("minimum", "min"),
    ("maximum", "max"),
    ("latest", "last"),
];

/// Why a text is no expectation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// Where in the text, in bytes.
    pub span: Range<usize>,
    /// What is wrong, a lowercase fragment.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

/// An expectation with the places of its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The expectation.
    pub expectation: Expectation,
    /// The places of each term's parts, in the order of the terms.
    pub spans: Vec<TermSpans>,
}

/// Where the parts of a term stand in the text, in bytes. A part that the term has not is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TermSpans {
    /// `p99`, `detect`.
    pub measure: Range<usize>,
    /// What stands in the parentheses first.
    pub name: Range<usize>,
    /// The bound.
    pub value: Range<usize>,
    /// The phase of the window.
    pub phase: Range<usize>,
    /// The limit of `within`.
    pub limit: Range<usize>,
    /// The duration after `for`.
    pub hold: Range<usize>,
}

/// Reads an expectation.
///
/// # Errors
/// The first place that does not fit the grammar, with what was expected there.
pub fn parse(text: &str) -> Result<Parsed, ParseError> {
    if text.len() > EXPECTATION_BYTES_MAX {
        return Err(error(0..0, format!("the expectation is longer than {EXPECTATION_BYTES_MAX} bytes")));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, next: 0 };
    let mut parsed = Parsed { expectation: Expectation { terms: Vec::new() }, spans: Vec::new() };
    loop {
        let (term, spans) = parser.term()?;
        parsed.expectation.terms.push(term);
        parsed.spans.push(spans);
        if parser.peek().is_none() {
            return Ok(parsed);
        }
        let is_mark = matches!(parsed.expectation.terms.last(), Some(Term { condition: Condition::Mark(_), .. }));
        parser.word_is("and").map_err(|error| match error.help {
            None if is_mark => error.help("a mark is made or not: `mark(NAME) within 2m after PHASE` says by when"),
            _ => error,
        })?;
    }
}

impl FromStr for Expectation {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse(text).map(|parsed| parsed.expectation)
    }
}

pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> ParseError {
    ParseError { span, message: message.into(), help: None }
}

impl ParseError {
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    next: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn slice(&self, span: &Range<usize>) -> &'t str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    fn peek_word(&self) -> Option<&'t str> {
        self.peek().filter(|token| token.kind == TokenKind::Word).map(|token| self.slice(&token.span))
    }

    /// The error that something else was expected at the next token.
    fn expected(&self, what: &str) -> ParseError {
        match self.peek() {
            Some(token) => error(token.span.clone(), format!("expected {what}, found `{}`", self.slice(&token.span))),
            None => {
                let end = self.text.trim_end().len();
                error(end..end, format!("expected {what}, found the end"))
            }
        }
    }

    fn punctuation(&mut self, kind: TokenKind, what: &str) -> Result<(), ParseError> {
        match self.peek() {
            Some(token) if token.kind == kind => {
                self.next += 1;
                Ok(())
            }
            Some(_) | None => Err(self.expected(what)),
        }
    }

    fn word(&mut self, what: &str) -> Result<(&'t str, Range<usize>), ParseError> {
        match self.peek() {
            Some(Token { kind: TokenKind::Word, span }) => {
                let span = span.clone();
                self.next += 1;
                Ok((self.slice(&span), span))
            }
            Some(_) | None => Err(self.expected(what)),
        }
    }

    /// Takes the word `word`; else says which clauses may stand here.
    fn word_is(&mut self, word: &str) -> Result<(), ParseError> {
        match self.peek_word() {
            Some(found) if found == word => {
                self.next += 1;
                Ok(())
            }
            Some(found) if word == "and" => {
                let known = "`during`, `after`, `within`, `for` or `and`";
                let problem = self.expected(known);
                Err(match (found, nearest(found, CLAUSES)) {
                    ("or" | "not", _) => problem.help("write a hypothesis of its own for each alternative"),
                    _ if parse_duration(&format!("1{found}")).is_ok() => {
                        problem.help(format!("write the number and its unit without a blank, as in `5{found}`"))
                    }
                    (_, Some(name)) => problem.help(format!("did you mean `{name}`?")),
                    (_, None) => problem,
                })
            }
            Some(_) | None => Err(self.expected(&format!("`{word}`"))),
        }
    }

    fn name<T: FromStr<Err = IdError>>(&mut self, what: &str) -> Result<(T, Range<usize>), ParseError> {
        let (word, span) = self.word(what)?;
        match word.parse() {
            Ok(name) => Ok((name, span)),
            Err(problem) => Err(error(span, problem.to_string())),
        }
    }

    fn term(&mut self) -> Result<(Term, TermSpans), ParseError> {
        let mut spans = TermSpans::default();
        let condition = self.condition(&mut spans)?;
        let mut term = Term { condition, window: None, hold: None };
        while let Some(clause) = self.peek_word().filter(|word| CLAUSES.contains(word) && *word != "and") {
            let at = self.peek().map(|token| token.span.clone()).unwrap_or_default();
            self.next += 1;
            if clause == "for" {
                if term.hold.is_some() {
                    return Err(error(at, "`for` stands here twice"));
                }
                let (hold, span) = self.duration("a duration such as `60s`")?;
                term.hold = Some(hold);
                spans.hold = span;
                continue;
            }
            if term.window.is_some() {
                return Err(error(at, "a term has one window: `during`, `after` or `within … after`")
                    .help("join two terms by `and`, or write two hypotheses"));
            }
            term.window = Some(self.window(clause, &mut spans)?);
        }
        Ok((term, spans))
    }

    fn window(&mut self, clause: &str, spans: &mut TermSpans) -> Result<PhaseWindow, ParseError> {
        let limit = if clause == "within" {
            let (limit, span) = self.duration("a duration such as `10m`")?;
            spans.limit = span;
            self.word_is("after")?;
            Some(limit)
        } else {
            None
        };
        let (phase, span) = self.name::<PhaseId>("the name of a phase")?;
        spans.phase = span;
        Ok(match (limit, clause) {
            (Some(limit), _) => PhaseWindow::Within { limit, after: phase },
            (None, "during") => PhaseWindow::During(phase),
            (None, _) => PhaseWindow::After(phase),
        })
    }

    fn duration(&mut self, what: &str) -> Result<(Duration, Range<usize>), ParseError> {
        let (word, span) = self.word(what)?;
        match parse_duration(word) {
            Ok(duration) => Ok((duration, span)),
            Err(UnitError { problem, remedy }) => Err(error(span, problem).help(remedy)),
        }
    }

    fn condition(&mut self, spans: &mut TermSpans) -> Result<Condition, ParseError> {
        let (word, span) = self.word("an aggregate such as `mean`, or `detect`, `ack`, `steps`, `alarm`, `mark`")?;
        spans.measure = span.clone();
        let measure = match word {
            "alarm" => return self.alarm(spans),
            "mark" => {
                self.open(word)?;
                // What may stand there is what may be a phase's name.
                let (name, at) = self.name::<PhaseId>("the name of a mark")?;
                spans.name = at.clone();
                self.close()?;
                return match mark_name(name.as_str()) {
                    Ok(name) => Ok(Condition::Mark(name)),
                    Err(UnitError { problem, remedy }) => Err(error(at, problem).help(remedy)),
                };
            }
            "ack" => {
                self.open(word)?;
                self.close()?;
                Measure::Ack
            }
            "detect" => {
                self.open(word)?;
                let (alarm, at) = self.alarm_name()?;
                spans.name = at;
                self.close_alarm()?;
                Measure::Detect(alarm)
            }
            "steps" => self.steps(spans)?,
            _ => {
                let aggregate = aggregate(word).map_err(|problem| ParseError { span, ..problem })?;
                self.open(word)?;
                let (signal, at) = self.name("the name of a signal")?;
                spans.name = at;
                self.close()?;
                Measure::Signal { aggregate, signal }
            }
        };
        let Some(Token { kind: TokenKind::Operator(operator), .. }) = self.peek().cloned() else {
            return Err(self.expected("one of `<`, `<=`, `==`, `>=`, `>`"));
        };
        self.next += 1;
        let value = self.value(spans)?;
        Ok(Condition::Compare { measure, operator, value })
    }

    /// What stands in the parentheses of `detect` and `alarm`: words with the blanks between them, or a text in quotes.
    fn alarm_text(&mut self, what: &str) -> Result<(String, Range<usize>), ParseError> {
        if let Some(Token { kind: TokenKind::Quoted, span }) = self.peek().cloned() {
            self.next += 1;
            return Ok((unquoted(self.slice(&span)), span));
        }
        let (_, mut span) = self.word(what)?;
        while self.peek_word().is_some() {
            span.end = self.word(what)?.1.end;
        }
        Ok((self.slice(&span).to_owned(), span))
    }

    fn close_alarm(&mut self) -> Result<(), ParseError> {
        let help = "write a name with any of `(),<>=!` in quotes, as in `'Errors (prod)'`";
        self.close().map_err(|problem| problem.help(help))
    }

    fn alarm_name(&mut self) -> Result<(AlarmName, Range<usize>), ParseError> {
        let (text, span) = self.alarm_text("the name of an alarm")?;
        match text.parse() {
            Ok(name) => Ok((name, span)),
            Err(problem) => Err(error(span, problem.to_string())),
        }
    }

    fn alarm_pattern(&mut self) -> Result<(String, Range<usize>), ParseError> {
        let (pattern, span) = self.alarm_text("the name of an alarm, in which `*` stands for any text")?;
        // Each star may stand for no text at all: what is left must be a name, or nothing.
        let rest = pattern.replace('*', "");
        match rest.parse::<AlarmName>() {
            Ok(_) => Ok((pattern, span)),
            Err(IdError::Empty) if !pattern.is_empty() => Ok((pattern, span)),
            Err(problem) => Err(error(span, problem.to_string())),
        }
    }

    fn open(&mut self, word: &str) -> Result<(), ParseError> {
        self.punctuation(TokenKind::Open, &format!("`(` after `{word}`"))
    }

    fn close(&mut self) -> Result<(), ParseError> {
        self.punctuation(TokenKind::Close, "`)`")
    }

    fn steps(&mut self, spans: &mut TermSpans) -> Result<Measure, ParseError> {
        self.open("steps")?;
        let (playbook, at) = self.name("the id of a playbook")?;
        spans.name = at;
        let must = self.peek().is_some_and(|token| token.kind == TokenKind::Comma);
        if must {
            self.next += 1;
            self.word_is("must")?;
        }
        self.close()?;
        Ok(Measure::Steps { playbook, must })
    }

    fn alarm(&mut self, spans: &mut TermSpans) -> Result<Condition, ParseError> {
        self.open("alarm")?;
        let (pattern, at) = self.alarm_pattern()?;
        spans.name = at;
        self.close_alarm()?;
        self.word_is("is")?;
        let (word, at) = self.word("one of `ALARM`, `OK`, `INSUFFICIENT_DATA`")?;
        let Some((_, state)) = STATES.iter().find(|(name, _)| *name == word) else {
            let problem = error(at, format!("`{word}` is not a state of an alarm"));
            let near = nearest(word, STATES.map(|(name, _)| name)).unwrap_or("ALARM");
            return Err(problem.help(format!("did you mean `{near}`? known are `ALARM`, `OK`, `INSUFFICIENT_DATA`")));
        };
        Ok(Condition::Alarm { pattern, state: *state })
    }

    fn value(&mut self, spans: &mut TermSpans) -> Result<Value, ParseError> {
        let (word, span) = self.word("a value such as `99%`, `800ms`, `40/s` or `12`")?;
        spans.value = span.clone();
        let told = |UnitError { problem, remedy }: UnitError| error(span.clone(), problem).help(remedy);
        if word.ends_with('%') {
            let ratio = word.parse::<Percent>().map_err(told)?.ratio();
            if self.peek_word() != Some("of") {
                return Ok(Value::Ratio(ratio));
            }
            self.next += 1;
            self.word_is("baseline")?;
            return Ok(Value::OfBaseline(ratio));
        }
        if word.contains('/') {
            return word.parse::<Rate>().map(|rate| Value::Rate(rate.per_second())).map_err(told);
        }
        let is_numeric = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        match word.parse::<f64>() {
            Ok(number) if is_numeric && number.is_finite() => Ok(Value::Number(number)),
            Ok(_) | Err(_) if is_numeric => parse_duration(word).map(Value::Duration).map_err(told),
            Ok(_) | Err(_) => Err(error(span, format!("`{word}` is not a value"))
                .help("write a value with its unit, as in `99%`, `800ms`, `40/s`, or a number such as `12`")),
        }
    }
}

fn aggregate(word: &str) -> Result<Aggregate, ParseError> {
    let known = match word {
        "min" => Some(Aggregate::Min),
        "max" => Some(Aggregate::Max),
        "mean" => Some(Aggregate::Mean),
        "sum" => Some(Aggregate::Sum),
        "last" => Some(Aggregate::Last),
        "count" => Some(Aggregate::Count),
        _ => None,
    };
    if let Some(aggregate) = known {
        return Ok(aggregate);
    }
    let percentile = word.strip_prefix('p').filter(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'));
    if let Some(percent) = percentile.and_then(|rest| rest.parse::<f64>().ok()) {
        if percent > 0.0 && percent < 100.0 {
            return Ok(Aggregate::Percentile(percent / 100.0));
        }
        return Err(error(0..0, format!("`{word}` is not a percentile between `p0` and `p100`"))
            .help("write `max` for the largest value and `min` for the smallest"));
    }
    let other_word = OTHER_WORDS.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours);
    let help = match other_word.or_else(|| nearest(word, MEASURES)) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "known are `min`, `max`, `mean`, `p50` to `p99.9`, `sum`, `last`, `count`, `detect`, `ack`, `steps`, \
                 `alarm` and `mark`"
            .to_owned(),
    };
    Err(error(0..0, format!("`{word}` is not an aggregate")).help(help))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Operator;
    use super::*;

    #[test]
    fn what_a_bound_must_hold_for_stands_beside_it_wherever_it_was_written() {
        for text in
            ["p99(x) <= 400ms for 3s within 20s after throttled", "p99(x) <= 400ms within 20s after throttled for 3s"]
        {
            let shown = parse(text).unwrap().expectation.to_string();
            assert_eq!(shown, "p99(x) <= 400ms for 3s within 20s after throttled");
        }
    }

    #[test]
    fn every_form_of_the_grammar_is_read() {
        for text in [
            "p99(latency) <= 800ms during slow and mean(ok) >= 99% during slow",
            "detect(payments-p99-high) <= 3m",
            "detect(Payments / errors prod) <= 3m",
            "detect('Payments / 5xx (prod)') <= 3m",
            "detect(\"what's (this)\") <= 3m and detect(what's this) <= 3m",
            "detect('it''s \"so\"!') <= 3m",
            "alarm(Payments / errors *) is OK and alarm('* (prod)') is ALARM and alarm(*) is OK",
            "ack() <= 5m and steps(pb-payment-latency, must) == 100%",
            "steps(pb) >= 50%",
            "sum(orders) >= 95% of baseline within 10m after slow",
            "mean(checkout_ok) < 90% for 1m",
            "alarm(staging-shared-*) is ALARM",
            "mark(recovered)",
            "p99.9(x) > 1s500ms for 30s after slow",
            "last(x) == -1.5",
            "mean(rate) >= 40/s",
        ] {
            assert_eq!(text.parse::<Expectation>().map(|tree| tree.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn an_error_says_where_and_what_was_expected() {
        for (text, span, message) in [
            (
                "",
                0..0,
                "expected an aggregate such as `mean`, or `detect`, `ack`, `steps`, `alarm`, `mark`, found the end",
            ),
            ("maen(x) > 1", 0..4, "`maen` is not an aggregate"),
            ("avg(x) > 1", 0..3, "`avg` is not an aggregate"),
            ("p100(x) > 1", 0..4, "`p100` is not a percentile between `p0` and `p100`"),
            ("mean x > 1", 5..6, "expected `(` after `mean`, found `x`"),
            ("mean(x > 1", 7..8, "expected `)`, found `>`"),
            ("mean(x)", 7..7, "expected one of `<`, `<=`, `==`, `>=`, `>`, found the end"),
            ("mean(x) = 1", 8..9, "this is not a comparison"),
            ("mean(x) > fast", 10..14, "`fast` is not a value"),
            ("mean(x) > 5 minutes", 12..19, "expected `during`, `after`, `within`, `for` or `and`, found `minutes`"),
            ("mean(x) > 5mins", 10..15, "`mins` in `5mins` is not a unit of time"),
            (
                "mean(x) > 1 durring slow",
                12..19,
                "expected `during`, `after`, `within`, `for` or `and`, found `durring`",
            ),
            ("mean(x) > 1 or mean(y) > 1", 12..14, "expected `during`, `after`, `within`, `for` or `and`, found `or`"),
            (
                "mean(x) > 1 during a within 5m after b",
                21..27,
                "a term has one window: `during`, `after` or `within … after`",
            ),
            ("mean(x) > 1 for 60", 16..18, "`60` has no unit"),
            (
                "mean(x) > 1 and",
                15..15,
                "expected an aggregate such as `mean`, or `detect`, `ack`, `steps`, `alarm`, `mark`, found the end",
            ),
            ("alarm('') is OK", 6..8, "a name must not be empty"),
            (
                "detect('a*') < 1s",
                7..11,
                "`a*` is not the name of an alarm: it may have no `*` and no control characters",
            ),
            ("detect(a (b)) < 1s", 9..10, "expected `)`, found `(`"),
            ("alarm(a, b) is OK", 7..8, "expected `)`, found `,`"),
            ("alarm('a) is OK", 6..15, "this quote is not closed"),
            ("alarm('a' b) is OK", 10..11, "expected `)`, found `b`"),
            ("mean('a') > 1", 5..8, "expected the name of a signal, found `'a'`"),
            ("alarm(a) is BROKEN", 12..18, "`BROKEN` is not a state of an alarm"),
            ("steps(pb, most) == 1%", 10..14, "expected `must`, found `most`"),
            (
                "mean(ä) > 1",
                5..7,
                "`ä` is not a name: use letters, digits, `-`, `_` and `.`, and start with a letter or a digit",
            ),
        ] {
            let problem = parse(text).expect_err(text);
            assert_eq!((problem.span, problem.message.as_str()), (span, message), "{text}");
        }
    }

    fn names() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,12}"
    }

    /// All that AWS takes, but for the star of patterns.
    fn alarm_names() -> impl Strategy<Value = String> {
        "[ -)+-~\u{e4}]{1,12}"
    }

    fn durations() -> impl Strategy<Value = Duration> {
        (0_u64..10_000_000).prop_map(Duration::from_millis)
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![
            (-1_000_000_000_i32..1_000_000_000).prop_map(|n| Value::Number(f64::from(n) / 1_000.0)),
            (0_u32..2_000_000).prop_map(|n| Value::Ratio(f64::from(n) / 10_000.0 / 100.0)),
            (0_u32..2_000_000).prop_map(|n| Value::OfBaseline(f64::from(n) / 10_000.0 / 100.0)),
            durations().prop_map(Value::Duration),
            (0_u32..1_000_000).prop_map(|n| Value::Rate(f64::from(n) / 8.0)),
        ]
    }

    fn measures() -> impl Strategy<Value = Measure> {
        let aggregates = prop_oneof![
            Just(Aggregate::Min),
            Just(Aggregate::Max),
            Just(Aggregate::Mean),
            Just(Aggregate::Sum),
            Just(Aggregate::Last),
            Just(Aggregate::Count),
            (1_u32..1_000_000).prop_map(|n| Aggregate::Percentile(f64::from(n) / 10_000.0 / 100.0)),
        ];
        prop_oneof![
            (aggregates, names())
                .prop_map(|(aggregate, name)| Measure::Signal { aggregate, signal: name.parse().unwrap() }),
            alarm_names().prop_map(|name| Measure::Detect(name.parse().unwrap())),
            Just(Measure::Ack),
            (names(), any::<bool>()).prop_map(|(name, must)| Measure::Steps { playbook: name.parse().unwrap(), must }),
        ]
    }

    fn terms() -> impl Strategy<Value = Term> {
        let operators = prop_oneof![
            Just(Operator::Less),
            Just(Operator::AtMost),
            Just(Operator::Equal),
            Just(Operator::AtLeast),
            Just(Operator::More)
        ];
        let conditions = prop_oneof![
            (measures(), operators, values()).prop_map(|(measure, operator, value)| Condition::Compare {
                measure,
                operator,
                value
            }),
            ("[ -~\u{e4}]{1,12}", 0_usize..3)
                .prop_map(|(pattern, state)| Condition::Alarm { pattern, state: STATES[state].1 }),
            names().prop_map(Condition::Mark),
        ];
        let windows = prop_oneof![
            Just(None),
            names().prop_map(|name| Some(PhaseWindow::During(name.parse().unwrap()))),
            names().prop_map(|name| Some(PhaseWindow::After(name.parse().unwrap()))),
            (durations(), names())
                .prop_map(|(limit, name)| Some(PhaseWindow::Within { limit, after: name.parse().unwrap() })),
        ];
        (conditions, windows, proptest::option::of(durations())).prop_map(|(condition, window, hold)| Term {
            condition,
            window,
            hold,
        })
    }

    proptest! {
        #[test]
        fn a_written_expectation_reads_back(terms in prop::collection::vec(terms(), 1..4)) {
            let expectation = Expectation { terms };
            prop_assert_eq!(expectation.to_string().parse(), Ok(expectation));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z0-9()<>=!%/., \u{e4}*'\"-]{0,60}") {
            if let Err(problem) = parse(&text) {
                prop_assert!(text.get(problem.span).is_some());
            }
        }
    }
}
