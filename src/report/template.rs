//! Templates: the embedded ones, a user's own in their place, and the helpers that both may use.
//!
//! A mistyped name is an error wherever it stands. Handlebars' own `if` and `unless` take a missing value for false,
//! even in strict mode; the ones here do not.

use std::path::{Path, PathBuf};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, RenderContext, RenderError, RenderErrorReason,
    Renderable as _, ScopedJson,
};
use serde_json::Value;

use super::metric::Metric;
use super::{number, text};

/// A template could not be read, parsed or filled.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The file system said no.
    #[error("failed to read the template `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is no template.
    #[error("failed to parse the template `{name}`")]
    Parse {
        /// Its name.
        name: &'static str,
        /// Where and why.
        #[source]
        source: Box<handlebars::TemplateError>,
    },
    /// It asks for something that a report does not have.
    #[error("failed to fill the template `{name}`")]
    Fill {
        /// Its name.
        name: &'static str,
        /// Where and why.
        #[source]
        source: Box<RenderError>,
    },
}

/// A template: its name, and the text that is used where the user has none of that name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded {
    /// The name of the user's file.
    pub(crate) name: &'static str,
    /// The embedded text.
    pub(crate) text: &'static str,
    /// How values are escaped.
    pub(crate) escape: fn(&str) -> String,
    /// How code is set apart; it escapes by itself.
    pub(crate) code: fn(&str) -> String,
    /// The same where it stands in no table.
    pub(crate) line_code: fn(&str) -> String,
}

/// Fills a template; one of the same name in `folder` goes before the embedded one.
pub(crate) fn fill(template: Embedded, folder: Option<&Path>, context: &Value) -> Result<String, TemplateError> {
    fill_all(template, folder, std::slice::from_ref(context)).map(|mut texts| texts.remove(0))
}

/// Fills a template once for each context; it is read and parsed once.
pub(crate) fn fill_all(
    template: Embedded,
    folder: Option<&Path>,
    contexts: &[Value],
) -> Result<Vec<String>, TemplateError> {
    let own = folder.map(|folder| folder.join(template.name)).filter(|path| path.is_file());
    let text = match own {
        Some(path) => std::fs::read_to_string(&path).map_err(|source| TemplateError::Read { path, source })?,
        None => template.text.to_owned(),
    };
    fill_each(template, text, contexts.iter())
}

/// Fills a template once for each context, with `text` in the place of its own.
pub(super) fn fill_each<'c>(
    template: Embedded,
    text: String,
    contexts: impl Iterator<Item = &'c Value>,
) -> Result<Vec<String>, TemplateError> {
    let name = template.name;
    let mut registry = registry(template);
    registry
        .register_template_string(name, text)
        .map_err(|source| TemplateError::Parse { name, source: Box::new(source) })?;
    let fill = |context| registry.render(name, context);
    let texts: Result<Vec<String>, RenderError> = contexts.map(fill).collect();
    texts.map_err(|source| TemplateError::Fill { name, source: Box::new(source) })
}

fn registry(template: Embedded) -> Handlebars<'static> {
    let Embedded { escape, code, line_code, .. } = template;
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(escape);
    registry.register_helper("if", Box::new(Condition { wanted: true }));
    registry.register_helper("unless", Box::new(Condition { wanted: false }));
    registry.register_helper("code", Box::new(Code { name: "code", write: Box::new(code) }));
    registry.register_helper("line_code", Box::new(Code { name: "line_code", write: Box::new(line_code) }));
    for (name, code) in [("prose", code), ("line_prose", line_code)] {
        let prose = move |raw: &str| text::prose(raw, escape, code);
        registry.register_helper(name, Box::new(Code { name, write: Box::new(prose) }));
    }
    let helpers: [(&'static str, FormatValue); 15] = [
        ("figure_name", |key| number::figure_name(key.as_str()?).map(str::to_owned)),
        ("duration", |value| value.as_u64().map(number::duration)),
        ("signed_duration", |value| value.as_i64().map(number::signed_duration)),
        ("stopwatch", |value| value.as_u64().map(number::stopwatch)),
        ("second", |value| value.as_u64().map(|second| number::stopwatch(second.saturating_mul(1_000)))),
        ("count", |value| value.as_u64().map(number::count)),
        ("decimal", |value| value.as_f64().map(number::decimal)),
        ("percent", |value| value.as_f64().map(number::percent)),
        ("latency", |value| value.as_f64().map(number::latency)),
        ("bytes", |value| value.as_u64().map(number::bytes)),
        ("words", |value| value.as_str().map(|text| text.replace('_', " "))),
        ("moment", |value| value.as_str().map(moment)),
        ("metric", |value| metric(value).map(|metric| metric.value())),
        ("metric_detail", |value| metric(value).map(|metric| metric.detail().to_owned())),
        ("metric_name", |value| metric(value).map(|metric| metric.name().to_owned())),
    ];
    for (name, format) in helpers {
        registry.register_helper(name, Box::new(Format { name, format }));
    }
    let pairs: [(&'static str, FormatPair); 4] = [
        ("figure", |key, value| number::figure(key.as_str()?, value.as_f64()?)),
        ("signed_figure", |key, value| number::signed_figure(key.as_str()?, value.as_f64()?)),
        ("span", |from, to| Some(number::span(from.as_u64()?, to.as_u64()?))),
        ("unit", |of, unit| Some(number::unit(of.as_f64(), unit.as_str()?))),
    ];
    for (name, format) in pairs {
        registry.register_helper(name, Box::new(Pair { name, format }));
    }
    registry
}

/// `2026-11-22T10:00:00.123Z` as `2026-11-22 10:00:00 UTC`.
fn moment(text: &str) -> String {
    chrono::DateTime::parse_from_rfc3339(text)
        .map_or_else(|_| text.to_owned(), |moment| moment.to_utc().format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

fn metric(value: &Value) -> Option<Metric> {
    serde_json::from_value(value.clone()).ok()
}

/// The value of a helper's one parameter; a missing one is an error.
fn parameter<'h>(helper: &'h Helper<'_>, name: &'static str) -> Result<&'h Value, RenderError> {
    nth_parameter(helper, name, 0)
}

fn nth_parameter<'h>(helper: &'h Helper<'_>, name: &'static str, index: usize) -> Result<&'h Value, RenderError> {
    let parameter = helper.param(index).ok_or(RenderErrorReason::ParamNotFoundForIndex(name, index))?;
    if parameter.is_value_missing() {
        let path = parameter.relative_path().map(String::as_str).unwrap_or(name);
        return Err(RenderErrorReason::MissingVariable(Some(path.to_owned())).into());
    }
    Ok(parameter.value())
}

/// A JSON value as people read it; none for a value of another type.
type FormatValue = fn(&Value) -> Option<String>;

/// `{{duration x}}`: a value as people read it; nothing for `null`, an error for another type.
struct Format {
    name: &'static str,
    format: FormatValue,
}

impl HelperDef for Format {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let value = parameter(helper, self.name)?;
        let text = if value.is_null() {
            String::new()
        } else {
            (self.format)(value).ok_or(RenderErrorReason::InvalidParamType(self.name))?
        };
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

/// Two JSON values as people read them together; none for values of other types.
type FormatPair = fn(&Value, &Value) -> Option<String>;

/// `{{span x y}}` and `{{unit x y}}`: nothing where the second value is `null`, an error for another type.
struct Pair {
    name: &'static str,
    format: FormatPair,
}

impl HelperDef for Pair {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let (first, second) = (parameter(helper, self.name)?, nth_parameter(helper, self.name, 1)?);
        let text = if second.is_null() {
            String::new()
        } else {
            (self.format)(first, second).ok_or(RenderErrorReason::InvalidParamType(self.name))?
        };
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

/// `{{code x}}` and `{{prose x}}`, and outside of tables `{{line_code x}}` and `{{line_prose x}}`: text that is escaped in a way of
/// its own, and not again.
struct Code {
    name: &'static str,
    write: Box<dyn Fn(&str) -> String + Send + Sync>,
}

impl HelperDef for Code {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let value = parameter(helper, self.name)?;
        out.write(&(self.write)(value.as_str().unwrap_or_default()))?;
        Ok(())
    }
}

/// `{{#if x}}`: false for `null`, `false`, empty text and empty lists; true for every number, since 0 ms is a time.
struct Condition {
    wanted: bool,
}

impl HelperDef for Condition {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        render: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let holds = is_true(parameter(helper, if self.wanted { "if" } else { "unless" })?);
        let template = if holds == self.wanted { helper.template() } else { helper.inverse() };
        match template {
            Some(template) => template.render(registry, context, render, out),
            None => Ok(()),
        }
    }
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(_) => true,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(text: &'static str) -> Result<String, TemplateError> {
        let context = json!({"zero": 0, "none": null, "list": [], "name": "<b>", "span": 92_000});
        fill(
            Embedded { name: "test", text, escape: text::html, code: text::html_code, line_code: text::html_code },
            None,
            &context,
        )
    }

    #[test]
    fn a_mistyped_name_is_an_error_wherever_it_stands() {
        for text in [
            "{{typo}}",
            "{{#if typo}}x{{/if}}",
            "{{#unless typo}}x{{/unless}}",
            "{{#if name.typo}}x{{/if}}",
            "{{#each typo}}x{{/each}}",
            "{{#with typo}}x{{/with}}",
            "{{duration typo}}",
            "{{code typo}}",
            "{{typo name}}",
            "{{span zero typo}}",
            "{{span typo zero}}",
        ] {
            assert!(matches!(filled(text), Err(TemplateError::Fill { .. })), "{text}");
        }
    }

    #[test]
    fn a_value_that_is_null_is_no_mistake_and_zero_is_a_value() {
        assert_eq!(filled("[{{none}}{{duration none}}]").unwrap(), "[]");
        assert_eq!(filled("{{#if zero}}yes{{else}}no{{/if}}").unwrap(), "yes");
        assert_eq!(filled("{{#if none}}yes{{else}}no{{/if}}").unwrap(), "no");
        assert_eq!(filled("{{#each list}}x{{else}}nothing{{/each}}").unwrap(), "nothing");
    }

    #[test]
    fn values_are_escaped_and_helpers_too() {
        assert_eq!(filled("{{name}} {{words name}} {{duration span}}").unwrap(), "&lt;b&gt; &lt;b&gt; 1 min 32 s");
        assert_eq!(filled("{{span zero span}} {{span span span}} {{span zero none}}").unwrap(), "00:00–01:32 01:32 ");
        assert!(matches!(filled("{{duration name}}"), Err(TemplateError::Fill { .. })));
    }

    #[test]
    fn a_users_template_goes_before_the_embedded_one() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.hbs"), "own {{name}}").unwrap();
        let template = Embedded {
            name: "own.hbs",
            text: "embedded",
            escape: text::html,
            code: text::html_code,
            line_code: text::html_code,
        };
        let context = json!({"name": "x"});
        assert_eq!(fill(template, Some(folder.path()), &context).unwrap(), "own x");
        assert_eq!(fill(template, None, &context).unwrap(), "embedded");
        std::fs::write(folder.path().join("own.hbs"), "{{#if}").unwrap();
        assert!(matches!(fill(template, Some(folder.path()), &context), Err(TemplateError::Parse { .. })));
    }
}
