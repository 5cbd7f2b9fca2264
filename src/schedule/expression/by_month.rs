//! Days that each month has elsewhere: `L`, `L-n`, `nW` and `LW` in the day of month, `nL` and `n#k` in the
//! day of week.

use super::day_set::{DaySet, nth};
use super::piece::Piece;
use super::read::is_number;
use super::{ExpressionError, Field, Values};

impl Field {
    /// Reads such a form; none where it is something else.
    pub(super) fn read_by_month(self, item: Piece<'_>) -> Result<Option<DaySet>, ExpressionError> {
        match self {
            Self::Day => day_of_month(item),
            Self::Weekday => weekday(item),
            _ => Ok(None),
        }
    }
}

fn day_of_month(item: Piece<'_>) -> Result<Option<DaySet>, ExpressionError> {
    if item.text.contains('#') || before_letter(item, 'L').is_some_and(|day| is_number(day.text)) {
        return Err(of_the_week(item));
    }
    let error = |message: String, hint: String| Err(ExpressionError::new(item.span(), message, hint));
    if let Some(day) = before_letter(item, 'W') {
        let found = item.text;
        return match day.text {
            text if text.eq_ignore_ascii_case("L") => {
                Ok(Some(DaySet { working: one(0), ..DaySet::default() }))
            }
            text if is_number(text) => match number(text, 1, 31) {
                Some(day) => Ok(Some(DaySet { working: one(day), ..DaySet::default() })),
                None => {
                    let hint = match text.trim_matches('0') {
                        "" => "`1W` is the first working day".to_owned(),
                        _ => "`31W`, or `LW` for the last working day".to_owned(),
                    };
                    error(
                        format!("day of month: expected a number from 1 to 31 before `W`, found `{text}`"),
                        hint,
                    )
                }
            },
            text => {
                let last = text.rsplit('-').next().filter(|day| is_number(day)).unwrap_or("15");
                let hint = match text.to_ascii_uppercase().starts_with('L') {
                    true => "`LW` is the last working day".to_owned(),
                    false => format!("`{last}W`, one for each day: `14W,{last}W`"),
                };
                error(format!("day of month: expected one day or `L` before `W`, found `{found}`"), hint)
            }
        };
    }
    let Some(rest) = item.text.strip_prefix(['L', 'l']) else { return Ok(None) };
    let Some(days) = rest.strip_prefix('-').or(rest.is_empty().then_some("0")) else { return Ok(None) };
    if rest.is_empty() || number(days, 1, 30).is_some() {
        let before_last = one(days.parse().unwrap_or_default());
        return Ok(Some(DaySet { before_last, ..DaySet::default() }));
    }
    let found = if days.is_empty() { "nothing".to_owned() } else { format!("`{days}`") };
    let hint = match is_number(days) && days.bytes().any(|byte| byte != b'0') {
        true => "`L-30` is the 1st of a month of 31 days",
        false => "`L` is the last day itself, `L-1` the one before it",
    };
    error(
        format!("day of month: expected a number of days from 1 to 30 after `L-`, found {found}"),
        hint.to_owned(),
    )
}

fn of_the_week(item: Piece<'_>) -> ExpressionError {
    let message = format!("day of month: expected a day, found the weekday `{}`", item.text);
    let hint = match item.text.trim_end_matches(['L', 'l']) {
        day if is_number(day) && day.parse().is_ok_and(|day: u8| day > 7) => {
            "`L` is the last day, `L-1` the one before it".to_owned()
        }
        _ => format!("`*` as day of month, and `{}` as day of week", item.text.to_ascii_uppercase()),
    };
    ExpressionError::new(item.span(), message, hint)
}

fn weekday(item: Piece<'_>) -> Result<Option<DaySet>, ExpressionError> {
    if let Some((day, count)) = item.split_once('#') {
        let day_written = if day.text.is_empty() { "MON" } else { day.text };
        let day = if day.text.is_empty() { None } else { Some(Field::Weekday.read_weekday(day)?) };
        let Some((day, count)) = day.zip(number(count.text, 1, 5)) else {
            let found =
                if count.text.is_empty() { "nothing".to_owned() } else { format!("`{}`", count.text) };
            let message = match day {
                None => format!("day of week: expected a weekday before `#`, found `{}`", item.text),
                Some(_) => format!("day of week: expected a number from 1 to 5 after `#`, found {found}"),
            };
            let hint = match count.text {
                "" | "0" => format!("`{day_written}#1` is the first one of the month"),
                text if number(text, 1, 5).is_some() => format!("`{day_written}#{text}`"),
                _ => format!("`{day_written}#5`, or `{day_written}L` for the last one of the month"),
            };
            return Err(ExpressionError::new(item.span(), message, hint));
        };
        return Ok(Some(DaySet { nth: one(nth(day, count - 1)), ..DaySet::default() }));
    }
    let upper = item.text.to_ascii_uppercase();
    let of_the_month =
        upper.starts_with("L-") || before_letter(item, 'W').is_some_and(|day| is_day(day.text));
    if of_the_month {
        let message = format!("day of week: expected a weekday, found the day of month `{}`", item.text);
        let hint = format!("`{upper}` as day of month, and `*` as day of week");
        return Err(ExpressionError::new(item.span(), message, hint));
    }
    let Some(day) = before_letter(item, 'L') else { return Ok(None) };
    if day.text.is_empty() {
        let message = "day of week: expected a weekday before `L`, found `L` alone";
        let hint = "`FRIL` is the last Friday of the month; Quartz takes `L` alone for `SAT`";
        return Err(ExpressionError::new(item.span(), message, hint));
    }
    Ok(Some(DaySet { last: one(Field::Weekday.read_weekday(day)?), ..DaySet::default() }))
}

fn is_day(text: &str) -> bool {
    is_number(text) || text.eq_ignore_ascii_case("L")
}

/// What stands before the letter at the end, in either case.
fn before_letter(item: Piece<'_>, letter: char) -> Option<Piece<'_>> {
    item.strip_suffix(letter).or_else(|| item.strip_suffix(letter.to_ascii_lowercase()))
}

fn number(text: &str, least: u8, most: u8) -> Option<u8> {
    text.parse().ok().filter(|number| is_number(text) && (least..=most).contains(number))
}

fn one(value: u8) -> Values {
    [value].into_iter().collect()
}
