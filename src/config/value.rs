use std::borrow::Cow;
use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::fault::Fault;
use super::problem::Severity;
use super::source::{Found, Source};
use super::table::Table;

const TEXT: &str = "one text in quotes: `\"…\"`";

/// A value in a file, which knows where it stands.
///
/// Every reading function reports what is wrong with the value and then answers `None`: the walk goes on,
/// so that all problems are found at once.
#[derive(Clone)]
pub(super) struct Value<'s> {
    source: &'s Source,
    path: String,
    value: &'s Spanned<DeValue<'s>>,
}

impl<'s> Value<'s> {
    pub(super) fn new(source: &'s Source, path: String, value: &'s Spanned<DeValue<'s>>) -> Self {
        Self { source, path, value }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.value.span()
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// `file:line`.
    pub(super) fn address(&self) -> String {
        self.source.address(self.span().start)
    }

    /// Reports that the value is wrong.
    pub(super) fn refuse(&self, fault: Fault) {
        self.report(Severity::Error, fault);
    }

    /// Reports that the value looks wrong.
    pub(super) fn warn(&self, fault: Fault) {
        self.report(Severity::Warning, fault);
    }

    pub(super) fn report(&self, severity: Severity, fault: Fault) {
        let span = fault.span.as_ref().and_then(|within| self.within(within)).unwrap_or(self.span());
        let Fault { message, hint, .. } = fault;
        self.source.report(Found { severity, span, path: self.path.clone(), message, hint });
    }

    /// A piece of a text's value as a piece of the file; none where escapes stand between the two.
    fn within(&self, piece: &Range<usize>) -> Option<Range<usize>> {
        let text = self.value.get_ref().as_str()?;
        let start = self.span().start;
        let raw = self.source.text().get(self.span())?;
        let quotes = raw.find(text).filter(|_| raw.len() - text.len() <= 6)?;
        let piece = start + quotes + piece.start..start + quotes + piece.end.min(text.len());
        (!piece.is_empty()).then_some(piece)
    }

    pub(super) fn checked<T>(&self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|fault| self.refuse(fault)).ok()
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&'s str> {
        let text = self.value.get_ref().as_str();
        self.or_other_type("a string", text, || self.quoted())
    }

    /// A text that something is made of. `hint` is for what has no better one.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, hint: &str) -> Option<T> {
        self.checked(self.text()?.parse().map_err(|error| Fault::of(&error, hint)))
    }

    /// The text of a string or a number, for quantities: a number without its unit is a slip that deserves
    /// better words than "wrong type".
    pub(super) fn scalar(&self) -> Option<Cow<'s, str>> {
        let text = match self.value.get_ref() {
            DeValue::String(text) => Some(Cow::Borrowed(text.as_ref())),
            DeValue::Integer(_) | DeValue::Float(_) => Some(Cow::Owned(self.raw_number())),
            _ => None,
        };
        self.or_other_type("a string", text, || TEXT.to_owned())
    }

    /// A quantity, written as a string or as a number. `hint` is for what has no better one.
    pub(super) fn quantity<T: FromStr<Err: Display>>(&self, hint: &str) -> Option<T> {
        self.checked(self.scalar()?.parse().map_err(|error| Fault::of(&error, hint)))
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let flag = self.value.get_ref().as_bool();
        self.or_other_type("`true` or `false`", flag, || "without quotes, in lower case".to_owned())
    }

    /// The digits of an integer.
    pub(super) fn integer(&self) -> Option<String> {
        let digits = self.value.get_ref().is_integer().then(|| self.raw_number());
        self.or_other_type("an integer", digits, || "a whole number, without quotes".to_owned())
    }

    pub(super) fn array(&self) -> Option<Vec<Self>> {
        let items = self.value.get_ref().as_array();
        let items = self.or_other_type("an array", items, || self.bracketed())?;
        let item = |(index, value)| Self::new(self.source, format!("{}[{index}]", self.path), value);
        Some(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn table(&self) -> Option<Table<'s>> {
        let entries = self.value.get_ref().as_table();
        let hint = || format!("`{{ … }}`, or lines of their own below `[{}]`", without_places(&self.path));
        let entries = self.or_other_type("a table", entries, hint)?;
        Some(Table::new(self.source, self.path.clone(), self.span(), entries))
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_true(&self) -> bool {
        self.value.get_ref().as_bool() == Some(true)
    }

    pub(super) fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// Reports that the value is of another type.
    pub(super) fn refuse_type(&self, expected: &str, hint: impl Into<String>) {
        self.refuse(Fault::new(format!("expected {expected}, found {}", self.described()), hint));
    }

    fn or_other_type<T>(&self, expected: &str, read: Option<T>, hint: impl FnOnce() -> String) -> Option<T> {
        if read.is_none() {
            self.refuse_type(expected, hint());
        }
        read
    }

    /// What is written, in quotes, where they are all that it lacks.
    fn quoted(&self) -> String {
        let shown = !self.source.hides(self.span().start);
        match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) if shown => {
                format!("in quotes: `\"{}\"`", self.source.text().get(self.span()).unwrap_or_default())
            }
            _ => TEXT.to_owned(),
        }
    }

    fn bracketed(&self) -> String {
        match self.value.get_ref() {
            DeValue::String(text) if text.len() <= 40 && !self.source.hides(self.span().start) => {
                format!("in brackets: `[{text:?}]`")
            }
            _ => "a list in brackets: `[\"…\", \"…\"]`".to_owned(),
        }
    }

    fn described(&self) -> String {
        match self.value.get_ref() {
            _ if self.source.hides(self.span().start) => "something else".to_owned(),
            DeValue::String(text) if text.len() <= 40 => format!("the string `{text}`"),
            DeValue::String(_) => "a string".to_owned(),
            DeValue::Integer(_) => format!("the integer `{}`", self.raw_number()),
            DeValue::Float(_) => format!("the number `{}`", self.raw_number()),
            DeValue::Boolean(flag) => format!("`{flag}`"),
            DeValue::Datetime(_) => "a date".to_owned(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }

    fn raw_number(&self) -> String {
        match self.value.get_ref() {
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => number.to_string(),
                Err(_) => number.as_str().to_owned(),
            },
            DeValue::Float(number) => number.as_str().to_owned(),
            _ => String::new(),
        }
    }
}

/// A path as a header has it: `jobs[0].retries` is `jobs.retries` there.
fn without_places(path: &str) -> String {
    path.split('[').map(|piece| piece.split_once(']').map_or(piece, |(_, rest)| rest)).collect()
}
