//! Data files: a table of which each journey takes a row. Owns: the keys, and reading a table from bytes. Must not know: where
//! files lie, who takes which row.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A data file: CSV whose first line names the columns, or one JSON object a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Its path from the workspace's folder; its name ends in `.csv`, or in `.jsonl` or `.ndjson`.
    pub file: String,
    /// Which row a journey takes; default `sequential`.
    #[serde(default)]
    pub pick: Pick,
}

/// Which row of a data file a journey takes when it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The next in order, round and round; all users share the order.
    #[default]
    Sequential,
    /// Any.
    Random,
    /// The next in order, each once: a journey for which none is left fails.
    Unique,
}

/// How a data file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataFormat {
    Csv,
    JsonLines,
}

impl DataFormat {
    /// The format that a file's name tells; none where it tells none.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path.rsplit_once('.')?.1 {
            "csv" => Some(Self::Csv),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            _ => None,
        }
    }
}

/// The rows of a data file: at least one, each as long as there are columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The values of each row; of CSV all are texts.
    pub rows: Vec<Vec<Value>>,
}

/// Why bytes are no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableError {
    #[error("it is not CSV: {0}")]
    Csv(String),
    #[error("line {line} is no JSON object: {problem}")]
    Json { line: usize, problem: String },
    #[error("line {line} has no `{column}`, which other lines have: write `null` where there is none")]
    MissingField { line: usize, column: String },
    #[error("it has two columns called `{0}`")]
    SameName(String),
    #[error("it has no row")]
    Empty,
}

impl Table {
    /// Reads a table.
    pub(crate) fn read(format: DataFormat, bytes: &[u8]) -> Result<Self, TableError> {
        // Spreadsheets put it there.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let table = match format {
            DataFormat::Csv => read_csv(bytes)?,
            DataFormat::JsonLines => read_json_lines(bytes)?,
        };
        if table.rows.is_empty() { Err(TableError::Empty) } else { Ok(table) }
    }
}

fn read_csv(bytes: &[u8]) -> Result<Table, TableError> {
    let fail = |error: csv::Error| TableError::Csv(error.to_string());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(bytes);
    let columns: Vec<String> = reader.headers().map_err(fail)?.iter().map(str::to_owned).collect();
    if let Some((_, name)) =
        columns.iter().enumerate().find(|(index, name)| columns.iter().take(*index).any(|other| other == *name))
    {
        return Err(TableError::SameName(name.clone()));
    }
    let row = |record: csv::StringRecord| record.iter().map(Value::from).collect();
    let rows = reader.records().map(|record| record.map(row).map_err(fail)).collect::<Result<_, _>>()?;
    Ok(Table { columns, rows })
}

/// Every line has the same fields: one that is missing would be sent as something else.
fn read_json_lines(bytes: &[u8]) -> Result<Table, TableError> {
    let mut columns: Vec<String> = Vec::new();
    let mut objects: Vec<(usize, Map<String, Value>)> = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let fail = |error: serde_json::Error| TableError::Json { line: index + 1, problem: error.to_string() };
        let object: Map<String, Value> = serde_json::from_slice(line).map_err(fail)?;
        columns.extend(object.keys().filter(|key| !columns.contains(key)).cloned().collect::<Vec<_>>());
        objects.push((index + 1, object));
    }
    let row = |(line, mut object): (usize, Map<String, Value>)| {
        let field = |column: &String| {
            object.remove(column).ok_or_else(|| TableError::MissingField { line, column: column.clone() })
        };
        columns.iter().map(field).collect::<Result<Vec<Value>, _>>()
    };
    let rows = objects.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(Table { columns, rows })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn csv_has_its_columns_in_its_first_line() {
        let table = Table::read(DataFormat::Csv, b"\xef\xbb\xbfemail, age\na@b,7\n\"x, y\",8\n").unwrap();
        assert_eq!(table.columns, ["email", "age"]);
        assert_eq!(table.rows, [[json!("a@b"), json!("7")], [json!("x, y"), json!("8")]]);
    }

    #[test]
    fn json_lines_keep_their_types() {
        let lines = b"{\"id\": 1, \"tags\": null}\n\n{\"tags\": [\"a\"], \"id\": 2}";
        let table = Table::read(DataFormat::JsonLines, lines).unwrap();
        assert_eq!(table.columns, ["id", "tags"]);
        assert_eq!(table.rows, [[json!(1), json!(null)], [json!(2), json!(["a"])]]);
    }

    #[test]
    fn what_is_no_table_is_told() {
        let read = |format, text: &str| Table::read(format, text.as_bytes()).unwrap_err().to_string();
        assert_eq!(read(DataFormat::Csv, "a,b\n"), "it has no row");
        assert_eq!(read(DataFormat::Csv, "a,a\n1,2\n"), "it has two columns called `a`");
        assert!(read(DataFormat::Csv, "a,b\n1\n").starts_with("it is not CSV: "));
        assert!(read(DataFormat::JsonLines, "{\"a\": 1}\n[2]\n").starts_with("line 2 is no JSON object: "));
        assert_eq!(read(DataFormat::JsonLines, ""), "it has no row");
        assert!(read(DataFormat::JsonLines, "{\"a\": 1}\n\n{\"b\": 1}\n").starts_with("line 1 has no `b`"));
    }

    #[test]
    fn a_format_is_told_by_the_name() {
        assert_eq!(DataFormat::of("data/a.csv"), Some(DataFormat::Csv));
        assert_eq!(DataFormat::of("a.ndjson"), Some(DataFormat::JsonLines));
        assert_eq!(DataFormat::of("csv"), None);
    }
}
