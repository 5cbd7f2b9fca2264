//! The text of a schedule: parsed here, iterated by `cron`.
//!
//! Five fields as in Unix cron, six with seconds first, or a macro. [`Expression`] says what the text
//! means in civil time: which seconds match, wherever on Earth they are. Zones are not its business.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use super::civil::CivilSchedule;
use super::field::{Field, Values};

/// A cron expression. Displays as it was written.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    civil: Arc<CivilSchedule>,
    fixed_time: bool,
}

/// Why a text is not an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    span: Range<usize>,
    message: String,
    hint: Option<String>,
}

const MACROS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

impl Expression {
    /// Whether it names its hours and minutes: neither field begins with `*`. Such a schedule has a
    /// time of day that daylight saving may skip or repeat.
    pub fn is_fixed_time(&self) -> bool {
        self.fixed_time
    }

    pub(super) fn civil(&self) -> &CivilSchedule {
        &self.civil
    }
}

impl FromStr for Expression {
    type Err = ExpressionError;

    fn from_str(text: &str) -> Result<Self, ExpressionError> {
        let written = text.trim();
        let begin = text.len() - text.trim_start().len();
        let whole = begin..begin + written.len();
        let (fields, at) = match written.starts_with('@') {
            true => (expand(written, whole.clone())?, None),
            false => (written, Some(begin)),
        };
        let words = words(fields);
        let place = |word: &(usize, &str)| at.map_or(whole.start, |at| at + word.0);
        let (second, rest) = match words.as_slice() {
            [_, _, _, _, _] => (None, words.as_slice()),
            [second, rest @ ..] if rest.len() == 5 => (Some(second), rest),
            _ => return Err(wrong_count(words.len(), whole)),
        };
        let parse = |field: Field, word: &(usize, &str)| field.parse(word.1, place(word));
        let second = match second {
            Some(word) => parse(Field::Second, word)?,
            None => Field::Second.parse("0", 0)?,
        };
        let (minute, hour, day, month, weekday) = (&rest[0], &rest[1], &rest[2], &rest[3], &rest[4]);
        let strict = weekday.1.starts_with('+');
        let weekday = (weekday.0 + usize::from(strict), &weekday.1[usize::from(strict)..]);
        let starred = |word: &str| word.starts_with(['*', '?']);
        let days = Days {
            month: parse(Field::DayOfMonth, day)?,
            week: parse(Field::DayOfWeek, &weekday)?,
            both: strict || starred(day.1) || starred(weekday.1),
        };
        let time = [second, parse(Field::Minute, minute)?, parse(Field::Hour, hour)?];
        let civil = CivilSchedule::new(time, parse(Field::Month, month)?, days);
        Ok(Self {
            text: Arc::from(written),
            civil: Arc::new(civil),
            fixed_time: !minute.1.starts_with('*') && !hour.1.starts_with('*'),
        })
    }
}

/// Both day fields, and how they go together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Days {
    pub(super) month: Values,
    pub(super) week: Values,
    /// Both must match; else either may. As in Debian's cron: both where either begins with `*`.
    pub(super) both: bool,
}

/// The words of `text` with their places.
fn words(text: &str) -> Vec<(usize, &str)> {
    let place = |word: &str| word.as_ptr() as usize - text.as_ptr() as usize;
    text.split_ascii_whitespace().map(|word| (place(word), word)).collect()
}

fn expand(text: &str, span: Range<usize>) -> Result<&'static str, ExpressionError> {
    let name = text.split_ascii_whitespace().next().unwrap_or(text);
    let lower = name.to_ascii_lowercase();
    if let Some((_, fields)) = MACROS.iter().find(|(known, _)| *known == lower)
        && name == text
    {
        return Ok(fields);
    }
    let refuse =
        |message: String, hint: &str| Err(ExpressionError::new(span.clone(), message, Some(hint.to_owned())));
    match lower.as_str() {
        "@reboot" => refuse(
            "`@reboot` names no instant, so no slot could be accounted for".to_owned(),
            "start the task from what starts the machine, with `tekcron run-job`",
        ),
        "@every" => refuse(
            "`@every` is not supported yet".to_owned(),
            "write the interval as steps, as in `*/15 * * * *`",
        ),
        "@at" => {
            refuse("`@at` is not supported yet".to_owned(), "run the job by hand with `tekcron run-job`")
        }
        _ => {
            let known: Vec<&str> = MACROS.iter().map(|(known, _)| *known).collect();
            let message = format!("expected one of {}, found `{text}`", known.join(" "));
            Err(ExpressionError::new(span.clone(), message, None))
        }
    }
}

fn wrong_count(found: usize, span: Range<usize>) -> ExpressionError {
    let message = format!("expected 5 fields, or 6 with seconds first, found {found}");
    let hint = match found {
        0 => "every day at two in the morning is `0 2 * * *`",
        1..5 => "the fields are: minute, hour, day of month, month, day of week",
        _ => {
            "a year field is not supported; the fields are: second, minute, hour, day of month, month, day of week"
        }
    };
    ExpressionError::new(span, message, Some(hint.to_owned()))
}

impl ExpressionError {
    pub(super) fn new(span: Range<usize>, message: String, hint: Option<String>) -> Self {
        Self { span, message, hint }
    }

    /// Where in the text, in bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// What was expected and what was found, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to write instead, where that is known.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for ExpressionError {}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}
