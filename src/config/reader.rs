//! Reading a TOML table key by key: every mistake is noted with its place, and reading goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use jiff::SignedDuration;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, SourceFile};
use crate::app::Command;

/// The problems found so far. Reading does not stop at one.
#[derive(Debug, Default)]
pub(super) struct Findings(RefCell<Vec<Problem>>);

impl Findings {
    pub(super) fn push(&self, problem: Problem) {
        self.0.borrow_mut().push(problem);
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.0.into_inner()
    }
}

/// A table of a file, its TOML path, and where findings go.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    source: &'a Arc<SourceFile>,
    table: &'a DeTable<'a>,
    span: &'a Range<usize>,
    path: &'a str,
    findings: &'a Findings,
}

/// A value with its place.
pub(super) struct Found<'a> {
    pub(super) value: &'a DeValue<'a>,
    span: Range<usize>,
    path: String,
    reader: Reader<'a>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        source: &'a Arc<SourceFile>,
        table: &'a Spanned<DeTable<'a>>,
        span: &'a Range<usize>,
        findings: &'a Findings,
    ) -> Self {
        Self { source, table: table.get_ref(), span, path: "", findings }
    }

    /// Notes every key that is none of `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for key in self.table.keys().filter(|key| !known.contains(&key.get_ref().as_ref())) {
            let name = key.get_ref();
            let message = format!("unknown key `{name}`");
            let problem = Problem::at(self.source, key.span(), &self.path_of(name), message);
            self.findings.push(problem.hint(match nearest(name, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known keys here: {}", known.join(", ")),
            }));
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Found<'a>> {
        let value = self.table.get(key)?;
        Some(Found { value: value.get_ref(), span: value.span(), path: self.path_of(key), reader: *self })
    }

    /// Notes a problem of the table as a whole.
    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.source, self.span.clone(), self.path, message.into())
    }

    pub(super) fn note(&self, problem: Problem) {
        self.findings.push(problem);
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.text().map(str::to_owned)
    }

    /// A value whose text is read by its type.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, key: &str) -> Option<T> {
        self.get(key)?.parsed()
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        let found = self.get(key)?;
        let value = found.value.as_bool();
        if value.is_none() {
            found.wrong("`true` or `false`");
        }
        value
    }

    pub(super) fn number(&self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let found = self.get(key)?;
        let value = found.value.as_integer().and_then(|integer| integer.as_str().parse::<i64>().ok());
        let value = value.and_then(|value| u32::try_from(value).ok()).filter(|value| range.contains(value));
        if value.is_none() {
            found.wrong(&format!("a number from {} to {}", range.start(), range.end()));
        }
        value
    }

    pub(super) fn duration(
        &self,
        key: &str,
        range: RangeInclusive<SignedDuration>,
    ) -> Option<SignedDuration> {
        let found = self.get(key)?;
        found.note_error(duration(&found.plain(), &range))
    }

    /// An array of texts.
    pub(super) fn texts(&self, key: &str) -> Option<Vec<Found<'a>>> {
        let found = self.get(key)?;
        let Some(array) = found.value.as_array() else {
            found.wrong("an array of texts");
            return None;
        };
        let item = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Found {
            value: item.get_ref(),
            span: item.span(),
            path: format!("{}[{index}]", found.path),
            reader: found.reader,
        };
        Some(array.iter().enumerate().map(item).collect())
    }

    /// A shell line, or an array of words.
    pub(super) fn command(&self, key: &str) -> Option<Command> {
        let found = self.get(key)?;
        if let Some(line) = found.value.as_str() {
            return found.note_error(Command::shell(line).map_err(|error| error.to_string()));
        }
        if found.value.as_array().is_none() {
            found.wrong("a shell line or an array of words");
            return None;
        }
        let items = self.texts(key)?;
        let words: Option<Vec<String>> = items.iter().map(|item| item.text().map(str::to_owned)).collect();
        found.note_error(Command::exec(words?).map_err(|error| error.to_string()))
    }

    /// A table of environment variables.
    pub(super) fn env(&self, key: &str) -> BTreeMap<String, String> {
        let mut env = BTreeMap::new();
        self.within(key, |table| {
            for key in table.table.keys() {
                let name = key.get_ref().as_ref();
                if !crate::app::env::is_name(name) {
                    let message = format!(
                        "expected letters, digits, `_`, `.` and `-`, not beginning with a digit, found `{name}`"
                    );
                    table.note(Problem::at(table.source, key.span(), &table.path_of(name), message));
                }
                let Some(value) = table.get(name).and_then(|found| found.text_or("quote it", "text")) else { continue };
                env.insert(name.to_owned(), value.to_owned());
            }
        });
        env
    }

    /// Reads the table at `key`, where there is one.
    pub(super) fn within<T>(&self, key: &str, read: impl FnOnce(Reader<'_>) -> T) -> Option<T> {
        self.get(key)?.table(read)
    }

    /// Reads each table of the array at `key`.
    pub(super) fn each<T>(&self, key: &str, mut read: impl FnMut(Reader<'_>) -> Option<T>) -> Vec<T> {
        let Some(found) = self.get(key) else { return Vec::new() };
        let Some(array) = found.value.as_array() else {
            found.wrong("an array of tables");
            return Vec::new();
        };
        let items = array.iter().enumerate().map(|(index, item)| Found {
            value: item.get_ref(),
            span: item.span(),
            path: format!("{}[{index}]", found.path),
            reader: found.reader,
        });
        items.filter_map(|item| item.table(&mut read).flatten()).collect()
    }

    /// The names of the table's keys, with readers of the tables behind them.
    pub(super) fn tables(&self, mut read: impl FnMut(&str, Range<usize>, Reader<'_>)) {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if let Some(found) = self.get(name) {
                found.table(|table| read(name, key.span(), table));
            }
        }
    }

    pub(super) fn at(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::at(self.source, span, self.path, message.into())
    }

    fn path_of(&self, key: &str) -> String {
        let bare = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') && !key.is_empty();
        let key = if bare { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

impl<'a> Found<'a> {
    pub(super) fn text(&self) -> Option<&'a str> {
        self.text_or("write it in quotes", "text")
    }

    fn text_or(&self, hint: &str, expected: &str) -> Option<&'a str> {
        match self.value.as_str() {
            Some(text) if text.contains('\0') => {
                self.note(self.problem("expected text, found a NUL byte"));
                None
            }
            Some(text) => Some(text),
            None => {
                let message = format!("expected {expected}, found {}", self.words());
                self.note(self.problem(message).hint(hint));
                None
            }
        }
    }

    /// The text is read by its type; a bare number too, whose error then says what is missing.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        let text = match self.value {
            DeValue::Integer(_) | DeValue::Float(_) => self.plain(),
            _ => self.text()?.to_owned(),
        };
        self.note_error(text.parse::<T>().map_err(|error| error.to_string()))
    }

    pub(super) fn note_error<T>(&self, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.note(self.problem(message))).ok()
    }

    /// A part of the text, by its bytes; the whole of it where the text is not written plainly.
    pub(super) fn problem_within(&self, part: Range<usize>, message: String) -> Problem {
        let written = self.reader.source.text.get(self.span.clone()).unwrap_or_default();
        let plain = self.value.as_str().is_some_and(|text| written.len() == text.len() + 2);
        let span = match plain && part.end > part.start {
            true => self.span.start + 1 + part.start..self.span.start + 1 + part.end,
            false => self.span.clone(),
        };
        Problem::at(self.reader.source, span, &self.path, message)
    }

    pub(super) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::at(self.reader.source, self.span.clone(), &self.path, message.into())
    }

    /// Its bytes in the file.
    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// A problem that shows the key and not the value, which may be a credential.
    pub(super) fn hidden(&self, message: &str) -> Problem {
        Problem::whole(format!("{} ({})", self.problem("").location(), self.path), message)
    }

    /// A value that can be written as text, number or boolean.
    pub(super) fn scalar(&self) -> Option<String> {
        match self.value {
            DeValue::String(_) => self.text().map(str::to_owned),
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) => Some(self.plain()),
            _ => {
                self.wrong("a single value");
                None
            }
        }
    }

    pub(super) fn note(&self, problem: Problem) {
        self.reader.findings.push(problem);
    }

    pub(super) fn wrong(&self, expected: &str) {
        self.note(self.problem(format!("expected {expected}, found {}", self.words())));
    }

    fn table<T>(&self, read: impl FnOnce(Reader<'_>) -> T) -> Option<T> {
        let Some(table) = self.value.as_table() else {
            self.wrong("a table");
            return None;
        };
        let Reader { source, findings, .. } = self.reader;
        Some(read(Reader { source, table, span: &self.span, path: &self.path, findings }))
    }

    /// The value as text, as far as it has one.
    fn plain(&self) -> String {
        match self.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(integer) => integer.as_str().to_owned(),
            DeValue::Float(float) => float.as_str().to_owned(),
            DeValue::Boolean(value) => value.to_string(),
            other => other.type_str().to_owned(),
        }
    }

    fn words(&self) -> String {
        match self.value {
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
            DeValue::Datetime(datetime) => format!("the date `{datetime}`"),
            DeValue::String(text) => format!("`{text}`"),
            other => format!("{} `{}`", other.type_str(), self.plain()),
        }
    }
}

/// Reads `90s`, `1h 30m`, `2d`, `0`.
pub(super) fn duration(text: &str, range: &RangeInclusive<SignedDuration>) -> Result<SignedDuration, String> {
    let words = |duration: &SignedDuration| format!("{duration:#}");
    let parsed: SignedDuration = match text.trim() {
        "0" => SignedDuration::ZERO,
        bare if bare.parse::<f64>().is_ok() => {
            return Err(format!("expected a unit, as in `{bare}s` or `{bare}m`, found `{bare}` alone"));
        }
        text => with_days(text)
            .ok_or_else(|| format!("expected a duration such as `90s`, `15m` or `1h 30m`, found `{text}`"))?,
    };
    if range.contains(&parsed) {
        return Ok(parsed);
    }
    Err(format!("expected {} to {}, found `{text}`", words(range.start()), words(range.end())))
}

/// jiff's friendly format, where a day is 24 hours and a week seven of them.
fn with_days(text: &str) -> Option<SignedDuration> {
    let span: jiff::Span = text.parse().ok()?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()
}

/// The nearest of `known`, where one is near.
pub(super) fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let rated = known.iter().map(|near| (strsim::jaro_winkler(near, name), *near));
    rated.filter(|(likeness, _)| *likeness > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, near)| near)
}
