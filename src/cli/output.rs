//! `-o`: what a verb found, on stdout; and what it has to say, on stderr.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::error::CliError;
use super::progress;
use super::table::{self, Column};
use crate::api::client::Listing;
use crate::api::resources::{AppResource, JobResource, TaskResource};

/// How something is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// The same with further columns
    Wide,
    /// JSON
    Json,
    /// YAML
    Yaml,
    /// KIND/NAME, one a line
    Name,
}

/// `-o`.
#[derive(Debug, Clone, Args)]
pub(super) struct OutputArgs {
    /// How to write it
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    #[arg(help = "How to write it: table, wide, json, yaml or name")]
    pub(super) output: Format,
}

/// `-o` and `--limit`.
#[derive(Debug, Clone, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
    /// The most items to show
    #[arg(long, value_name = "N", default_value = "50", value_parser = limit, allow_negative_numbers = true)]
    pub(super) limit: usize,
}

/// The most items to show, as it is typed.
pub(super) fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=1_000_000) => Ok(limit),
        _ => Err(format!("expected a number between 1 and 1000000, found `{text}`")),
    }
}

/// What can be listed: it has a kind and a name.
pub(super) trait Named: Serialize {
    const KIND: &'static str;
    const PLURAL: &'static str;
    fn name(&self) -> &str;
}

impl Named for TaskResource {
    const KIND: &'static str = "task";
    const PLURAL: &'static str = "tasks";
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for JobResource {
    const KIND: &'static str = "job";
    const PLURAL: &'static str = "jobs";
    fn name(&self) -> &str {
        &self.name
    }
}

impl Named for AppResource {
    const KIND: &'static str = "app";
    const PLURAL: &'static str = "Apps";
    fn name(&self) -> &str {
        &self.name
    }
}

/// Writes a listing; an array as JSON and YAML. Says so where there is nothing, or more.
pub(super) fn list<T: Named>(
    listing: &Listing<T>,
    format: Format,
    columns: &[Column<T>],
    now: Timestamp,
) -> Result<(), CliError> {
    let items = &listing.items;
    let text = match format {
        Format::Json => json(items),
        Format::Yaml => yaml(items),
        Format::Name => items.iter().map(name_line).collect(),
        Format::Table | Format::Wide if items.is_empty() => {
            say(&format!("no {} found", T::PLURAL));
            String::new()
        }
        Format::Table | Format::Wide => table::listing(columns, items, format == Format::Wide, now),
    };
    print(&text)?;
    if listing.more {
        say(&format!("showing {}, there are more\nhint: --limit N shows more of them", items.len()));
    }
    Ok(())
}

/// Writes one item; an object as JSON and YAML, and by `people` for people.
pub(super) fn one<T: Named>(
    item: &T,
    format: Format,
    people: impl FnOnce(&T) -> String,
) -> Result<(), CliError> {
    print(&match format {
        Format::Json => json(item),
        Format::Yaml => yaml(item),
        Format::Name => name_line(item),
        Format::Table | Format::Wide => people(item),
    })
}

fn name_line<T: Named>(item: &T) -> String {
    format!("{}/{}\n", T::KIND, item.name())
}

/// As JSON.
pub(super) fn json(value: &(impl Serialize + ?Sized)) -> String {
    let text = serde_json::to_string_pretty(value).expect("resources are plain data with text keys");
    text + "\n"
}

/// As YAML.
pub(super) fn yaml(value: &(impl Serialize + ?Sized)) -> String {
    serde_yaml_ng::to_string(value).expect("resources are plain data with text keys")
}

/// Writes to stdout. Whoever closes the pipe has read enough.
pub(super) fn print(text: &str) -> Result<(), CliError> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to stdout.
pub(super) fn print_bytes(bytes: &[u8]) -> Result<(), CliError> {
    progress::give_way(bytes);
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(CliError::Output)
}

/// Says something to people, on stderr. That nobody can hear it is no reason to fail.
pub(super) fn say(text: &str) {
    progress::give_way(b"\n");
    let _ = writeln!(io::stderr().lock(), "{}", harmless(text));
}

/// The text with nothing in it that a terminal obeys: it may quote what somebody else wrote.
fn harmless(text: &str) -> String {
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    text.chars().map(|c| if obeyed(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_moves_nothing_on_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2J\u{9b}m\u{7}\r"), r"a\u{1b}[2J\u{9b}m\u{7}\u{d}");
        assert_eq!(harmless("exit: größer\n\tthan 0"), "exit: größer\n\tthan 0");
    }
}
