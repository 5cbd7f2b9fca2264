use std::sync::Arc;

use super::hash::JobHash;
use super::piece::Piece;
use super::{DaySet, ExpressionError, Field, Values};

/// How the two day fields combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::schedule) enum DayRule {
    /// A day matches both.
    Both,
    /// A day matches one of them, or both.
    Either,
}

/// Which days an expression names.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(in crate::schedule) struct Dates {
    pub(in crate::schedule) days: DaySet,
    pub(in crate::schedule) months: Values,
    pub(in crate::schedule) weekdays: DaySet,
    pub(in crate::schedule) day_rule: DayRule,
}

/// What an expression says: the values of each field, and the two rules that depend on how they are
/// written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::schedule) struct Fields {
    pub(in crate::schedule) seconds: Values,
    pub(in crate::schedule) minutes: Values,
    pub(in crate::schedule) hours: Values,
    /// Few of many expressions differ in them.
    pub(in crate::schedule) dates: Arc<Dates>,
    /// Neither minute nor hour starts with `*`: the schedule names times of day, and does not just
    /// follow the clock's hands. Decides how it meets a change of the clocks.
    pub(in crate::schedule) fixed_time: bool,
}

impl Fields {
    /// Reads five fields, or six with the seconds first.
    pub(super) fn read(text: Piece<'_>, hash: &mut JobHash<'_>) -> Result<Self, ExpressionError> {
        let words = text.words();
        let (second, [minute, hour, day, month, weekday]) = match words[..] {
            [minute, hour, day, month, weekday] => (None, [minute, hour, day, month, weekday]),
            [second, minute, hour, day, month, weekday] => {
                (Some(second), [minute, hour, day, month, weekday])
            }
            _ => return Err(wrong_count(text, &words)),
        };
        // From left to right: the first mistake is the one that is told.
        let seconds = match second {
            Some(second) => Field::Second.read(second, hash)?,
            None => [0].into_iter().collect(),
        };
        let (minutes, hours) = (Field::Minute.read(minute, hash)?, Field::Hour.read(hour, hash)?);
        let (days, day_starred) = day_field(Field::Day, day, hash)?;
        let months = Field::Month.read(month, hash)?;
        let (must_match_both, bare_weekday) = match weekday.strip_prefix('+') {
            Some(rest) if rest.text.is_empty() => return Err(nothing_after_plus(weekday)),
            Some(rest) => (true, rest),
            None => (false, weekday),
        };
        let (weekdays, weekday_starred) = day_field(Field::Weekday, bare_weekday, hash)?;
        let both = must_match_both || day_starred || weekday_starred;
        let day_rule = if both { DayRule::Both } else { DayRule::Either };
        Ok(Self {
            seconds,
            minutes,
            hours,
            dates: Arc::new(Dates { days, months, weekdays, day_rule }),
            fixed_time: !minute.text.starts_with('*') && !hour.text.starts_with('*'),
        })
    }
}

/// The days of a day field, and whether it starts with `*` or is `?`.
fn day_field(
    field: Field,
    piece: Piece<'_>,
    hash: &mut JobHash<'_>,
) -> Result<(DaySet, bool), ExpressionError> {
    if piece.text == "?" {
        return Ok((field.all().into(), true));
    }
    Ok((field.read_days(piece, hash)?, piece.text.starts_with('*')))
}

fn nothing_after_plus(plus: Piece<'_>) -> ExpressionError {
    let message = format!("{}: expected a value after `+`, found nothing", Field::Weekday);
    ExpressionError::new(plus.span(), message, "`+MON`")
}

fn wrong_count(text: Piece<'_>, words: &[Piece<'_>]) -> ExpressionError {
    const EXPECTED: &str =
        "expected 5 fields (minute, hour, day of month, month, day of week), or 6 with the second first";
    let (span, hint) = match words {
        [] => (text.span(), "`0 2 * * *` is every day at 02:00".to_owned()),
        [six @ .., year] if six.len() == 6 => {
            (year.span(), format!("there is no field for the year: `{}`", joined(six)))
        }
        [_, _, _, _, _, _, beyond, .., last] => {
            (beyond.span_to(*last), "what is to run stands in `command`, not behind the fields".to_owned())
        }
        few => {
            let filled = joined(few) + &" *".repeat(5 - few.len());
            (text.span(), format!("`{filled}`, if any will do in the rest"))
        }
    };
    let found = match words.len() {
        0 => "nothing".to_owned(),
        count => format!("{count} (`{}`)", joined(words)),
    };
    ExpressionError::new(span, format!("{EXPECTED}, found {found}"), hint)
}

fn joined(words: &[Piece<'_>]) -> String {
    words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}
