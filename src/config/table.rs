use std::ops::Range;

use toml::de::DeTable;

use super::fault::{Fault, listed};
use super::problem::Severity;
use super::source::{Found, Source};
use super::value::Value;
use crate::hint::nearest;

/// A table that is being read. It remembers which keys were asked for; what is left over at the end is
/// unknown.
pub(super) struct Table<'s> {
    source: &'s Source,
    path: String,
    span: Range<usize>,
    entries: &'s DeTable<'s>,
    asked: Vec<&'static str>,
}

/// A key of a table with free keys, and its value.
pub(super) struct Entry<'s> {
    pub(super) key: &'s str,
    pub(super) value: Value<'s>,
    source: &'s Source,
    span: Range<usize>,
}

impl<'s> Table<'s> {
    pub(super) fn new(
        source: &'s Source,
        path: String,
        span: Range<usize>,
        entries: &'s DeTable<'s>,
    ) -> Self {
        Self { source, path, span, entries, asked: Vec::new() }
    }

    /// The outermost table of a file.
    pub(super) fn root(source: &'s Source, entries: &'s DeTable<'s>) -> Self {
        Self::new(source, String::new(), 0..0, entries)
    }

    /// The value of `key`, which is known from now on.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Value<'s>> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let value = self.entries.get(key)?;
        Some(Value::new(self.source, self.path_of(key), value))
    }

    /// Whether `key` is there, be it right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The value of `key`, whose absence is reported.
    pub(super) fn require(&mut self, key: &'static str, example: &str) -> Option<Value<'s>> {
        let value = self.get(key);
        if value.is_none() {
            self.refuse(Fault::new(format!("expected the key `{key}`, found none"), example));
        }
        value
    }

    /// All entries, for a table whose keys are free.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'s>> {
        self.entries.iter().map(|(key, value)| Entry {
            key: key.get_ref(),
            value: Value::new(self.source, self.path_of(key.get_ref()), value),
            source: self.source,
            span: key.span(),
        })
    }

    /// Reports that the table as a whole is wrong.
    pub(super) fn refuse(&self, fault: Fault) {
        self.report(Severity::Error, fault);
    }

    /// Reports that the table as a whole looks wrong.
    pub(super) fn warn(&self, fault: Fault) {
        self.report(Severity::Warning, fault);
    }

    fn report(&self, severity: Severity, fault: Fault) {
        let Fault { message, hint, .. } = fault;
        self.source.report(Found {
            severity,
            span: self.span.clone(),
            path: self.path.clone(),
            message,
            hint,
        });
    }

    /// Reports every key that was not asked for.
    pub(super) fn finish(self) {
        for entry in self.entries().filter(|entry| !self.asked.contains(&entry.key)) {
            let near = nearest(entry.key, self.asked.iter().copied());
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", listed(self.asked.iter().copied())),
            };
            entry.refuse(Fault::new(format!("unknown key `{}`", entry.key), hint));
        }
    }

    fn path_of(&self, key: &str) -> String {
        let bare =
            !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let key = if bare { key.to_owned() } else { format!("{key:?}") };
        if self.path.is_empty() { key } else { format!("{}.{key}", self.path) }
    }
}

impl Entry<'_> {
    /// Reports that the key is wrong.
    pub(super) fn refuse(&self, fault: Fault) {
        self.report(Severity::Error, fault);
    }

    /// Reports that the key looks wrong.
    pub(super) fn warn(&self, fault: Fault) {
        self.report(Severity::Warning, fault);
    }

    fn report(&self, severity: Severity, fault: Fault) {
        self.source.report(Found {
            severity,
            span: self.span.clone(),
            path: self.value.path().to_owned(),
            message: fault.message,
            hint: fault.hint,
        });
    }
}
