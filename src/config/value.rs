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
        self.or_other_type("a string", text)
    }

    /// A text that something is made of.
    pub(super) fn parsed<T: FromStr<Err: Display>>(&self) -> Option<T> {
        self.checked(self.text()?.parse().map_err(|error| Fault::of(&error)))
    }

    /// The text of a string or a number, for quantities: a number without its unit is a slip that deserves
    /// better words than "wrong type".
    pub(super) fn scalar(&self) -> Option<Cow<'s, str>> {
        let text = match self.value.get_ref() {
            DeValue::String(text) => Some(Cow::Borrowed(text.as_ref())),
            DeValue::Integer(_) | DeValue::Float(_) => Some(Cow::Owned(self.raw_number())),
            _ => None,
        };
        self.or_other_type("a string", text)
    }

    /// A quantity, written as a string or as a number.
    pub(super) fn quantity<T: FromStr<Err: Display>>(&self) -> Option<T> {
        self.checked(self.scalar()?.parse().map_err(|error| Fault::of(&error)))
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.or_other_type("`true` or `false`", self.value.get_ref().as_bool())
    }

    /// The digits of an integer.
    pub(super) fn integer(&self) -> Option<String> {
        let digits = self.value.get_ref().is_integer().then(|| self.raw_number());
        self.or_other_type("an integer", digits)
    }

    pub(super) fn array(&self) -> Option<Vec<Self>> {
        let items = self.value.get_ref().as_array();
        let items = self.or_other_type("an array", items)?;
        let item = |(index, value)| Self::new(self.source, format!("{}[{index}]", self.path), value);
        Some(items.iter().enumerate().map(item).collect())
    }

    pub(super) fn table(&self) -> Option<Table<'s>> {
        let entries = self.value.get_ref().as_table();
        let entries = self.or_other_type("a table", entries)?;
        Some(Table::new(self.source, self.path.clone(), self.span(), entries))
    }

    pub(super) fn is_text(&self) -> bool {
        self.value.get_ref().is_str()
    }

    pub(super) fn is_array(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(super) fn is_table(&self) -> bool {
        self.value.get_ref().is_table()
    }

    /// Reports that the value is of another type.
    pub(super) fn refuse_type(&self, expected: &str) {
        self.refuse(self.other_type(expected));
    }

    /// That the value is of another type.
    pub(super) fn other_type(&self, expected: &str) -> Fault {
        Fault::new(format!("expected {expected}, found {}", self.described()))
    }

    /// How a number, a date, `true` or `false` is written.
    pub(super) fn unquoted(&self) -> Option<&'s str> {
        match self.value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) => {
                self.source.text().get(self.span())
            }
            _ => None,
        }
    }

    fn or_other_type<T>(&self, expected: &str, read: Option<T>) -> Option<T> {
        if read.is_none() {
            self.refuse_type(expected);
        }
        read
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
