//! What other crons read and this one does not, refused by name so that it is never taken for
//! something else. Whoever adds one of these reads it where it is refused now: a form in
//! `Field::read_item`, a shorthand in `shorthand::read`.

use super::field::WEEKDAYS;
use super::piece::Piece;
use super::read::is_number;
use super::{ExpressionError, Field};

/// Refuses a zone in front of the fields.
pub(super) fn prefix(text: Piece<'_>) -> Result<(), ExpressionError> {
    let words = text.words();
    let Some(first) = words.first() else { return Ok(()) };
    let zone = ["CRON_TZ=", "TZ="].into_iter().find_map(|prefix| first.text.strip_prefix(prefix));
    let Some(zone) = zone else { return Ok(()) };
    let message = format!("expected the first field, found the time zone `{}`", first.text);
    let hint = format!("the zone stands beside the expression: `timezone = \"{zone}\"`");
    Err(ExpressionError::new(first.span(), message, hint))
}

/// Refuses a form of an item.
pub(super) fn form(field: Field, item: Piece<'_>) -> Result<(), ExpressionError> {
    let text = item.text.to_ascii_uppercase();
    let spread = || "choose a value; `jitter` spreads starts".to_owned();
    let (name, hint) = if is_hash(&text) {
        ("`H` (a value by the job's name)", spread())
    } else if text.contains('~') {
        ("`~` (a random value)", spread())
    } else if field == Field::Weekday && text.contains('#') {
        ("`#` (the n-th weekday of the month)", nth_weekday(&text))
    } else if is_nearest_weekday(field, &text) {
        ("`W` (the working day nearest to a date)", working_day(&text))
    } else if is_last(field, &text) {
        ("`L` (the last such day of the month)", last_day(field, &text))
    } else {
        return Ok(());
    };
    let message = format!("{field}: {name} is not supported yet, found `{}`", item.text);
    Err(ExpressionError::new(item.span(), message, hint))
}

fn is_hash(text: &str) -> bool {
    text == "H" || text.starts_with("H(") || text.starts_with("H/")
}

fn is_nearest_weekday(field: Field, text: &str) -> bool {
    let day = text.strip_suffix('W');
    field == Field::Day && day.is_some_and(|day| day == "L" || is_number(day))
}

fn is_last(field: Field, text: &str) -> bool {
    let of_what = text.strip_suffix('L');
    match field {
        Field::Day => {
            text == "L" || text.strip_prefix("L-").is_some_and(is_number) || of_what.is_some_and(is_number)
        }
        Field::Weekday => {
            of_what.is_some_and(|day| day.is_empty() || is_number(day) || WEEKDAYS.contains(&day))
        }
        _ => false,
    }
}

/// The n-th weekday is the one among seven days of the month.
fn nth_weekday(text: &str) -> String {
    let (weekday, nth) = text.split_once('#').unwrap_or((text, ""));
    let Some(nth) = nth.parse().ok().filter(|nth: &u8| (1..=5).contains(nth)) else {
        return format!("the first is `1-7` as day of month with `+{weekday}` as day of week");
    };
    let (first, last) = (7 * nth - 6, (7 * nth).min(31));
    format!("`{first}-{last}` as day of month with `+{weekday}` as day of week")
}

const LAST_DAY: &str = "`28-31`, with a command that goes on only where tomorrow is the 1st";

fn working_day(text: &str) -> String {
    match text.trim_end_matches('W') {
        day if is_number(day) => format!("`{day}` is the date itself, whatever day of the week that is"),
        _ => LAST_DAY.to_owned(),
    }
}

fn last_day(field: Field, text: &str) -> String {
    match (field, text.trim_end_matches('L')) {
        (Field::Weekday, weekday) if !weekday.is_empty() => {
            format!("`22-28` as day of month with `+{weekday}` as day of week is the fourth")
        }
        _ => LAST_DAY.to_owned(),
    }
}
