use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;
use jiff::tz::Offset;

use crate::config::fault::{Fault, listed};
use crate::config::files::File;
use crate::config::ics;
use crate::config::parse;
use crate::config::table::Table;
use crate::config::value::Value;
use crate::hint::nearest;
use crate::schedule::{ExcludedTimes, ExclusionCalendar, Expression};

const DAY: i64 = 86_400;

const DATE: &str = "as in `2026-12-25`, or from one to another, both excluded, `2026-12-24..2027-01-01`";
const HOLDS: &str =
    "as in `dates = [\"2026-12-25\"]`, `cron = [\"* * * * SAT,SUN\"]` or `ics = \"holidays.ics\"`";

/// The calendars under `[calendars]`, and the names of all, right or wrong. `files` are those that the
/// configuration's directory holds.
pub(super) fn calendars(
    root: &mut Table<'_>,
    files: &[File],
) -> (BTreeMap<String, Arc<ExclusionCalendar>>, BTreeSet<String>) {
    let Some(table) = root.get("calendars").and_then(|value| value.table()) else {
        return Default::default();
    };
    let mut calendars = BTreeMap::new();
    let mut names = BTreeSet::new();
    for entry in table.entries() {
        names.insert(entry.key.to_owned());
        if let Err(fault) = parse::label(entry.key) {
            entry.refuse(fault);
        }
        if let Some(calendar) = entry.value.table().and_then(|table| calendar(entry.key, table, files)) {
            calendars.insert(entry.key.to_owned(), Arc::new(calendar));
        }
    }
    (calendars, names)
}

fn calendar(name: &str, mut table: Table<'_>, files: &[File]) -> Option<ExclusionCalendar> {
    let (dates, cron, ics) = (table.get("dates"), table.get("cron"), table.get("ics"));
    if dates.is_none() && cron.is_none() && ics.is_none() {
        table.refuse(Fault::new("expected one of `dates`, `cron`, `ics`, found none", HOLDS));
    }
    let mut times = ics.and_then(|value| events(&value, files)).unwrap_or_default();
    for value in dates.and_then(|value| value.array()).unwrap_or_default() {
        times.on_the_clock.extend(value.text().and_then(|text| value.checked(days(text))));
    }
    for value in cron.and_then(|value| value.array()).unwrap_or_default() {
        let Some(read) = value.text().and_then(|text| value.checked(expression(text))) else { continue };
        times.crons.push(read);
    }
    table.finish();
    ExclusionCalendar::new(name, times).ok()
}

fn expression(text: &str) -> Result<Expression, Fault> {
    let expression: Expression = text.parse().map_err(|error: crate::schedule::ExpressionError| Fault {
        message: error.message().to_owned(),
        hint: error.hint().to_owned(),
        span: Some(error.span()),
    })?;
    // Tried alone, so that the place of a bad one is told.
    let alone = ExcludedTimes { crons: vec![expression.clone()], ..ExcludedTimes::default() };
    ExclusionCalendar::new("", alone).map_err(|error| Fault::of(&error, HOLDS))?;
    Ok(expression)
}

/// The days from one to another, as wall seconds.
fn days(text: &str) -> Result<(i64, i64), Fault> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (day(first.trim(), text)?, day(last.trim(), text)?);
    if last < first {
        let message = format!("expected the last day at or after the first, found `{text}`");
        return Err(Fault::new(message, DATE));
    }
    Ok((first, last + DAY))
}

fn day(text: &str, whole: &str) -> Result<i64, Fault> {
    let date = text.parse::<Date>().ok().filter(|_| text.len() == 10);
    let midnight = date.and_then(|date| Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok());
    let midnight = midnight.map(|midnight| midnight.as_second());
    midnight.ok_or_else(|| Fault::new(format!("expected a date, found `{whole}`"), DATE))
}

fn events(value: &Value<'_>, files: &[File]) -> Option<ExcludedTimes> {
    let name = value.text()?;
    let Some(file) = files.iter().find(|file| file.name == name) else {
        let known = files.iter().map(|file| file.name.as_str());
        let hint = match (nearest(name, known.clone()), files.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, true) => {
                "it lies in the config directory, beside `tekcron.toml`, and ends in `.ics`".to_owned()
            }
            (None, false) => format!("the config directory holds {}", listed(known)),
        };
        value.refuse(Fault::new(
            format!("expected an `.ics` file of the config directory, found `{name}`"),
            hint,
        ));
        return None;
    };
    value.checked(ics::read(&file.bytes))
}
