use jiff::SignedDuration;

use super::ExpressionError;
use super::fields::Fields;
use super::piece::Piece;
use crate::hint::is_name_like;

/// The shorthands and what each stands for.
const SHORTHANDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// The fields that a shorthand stands for.
pub(super) fn fields(text: &str) -> Option<&'static str> {
    let known = SHORTHANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(text));
    known.map(|(_, fields)| *fields)
}

/// Reads a text that starts with `@`.
pub(super) fn read(text: Piece<'_>) -> Result<Fields, ExpressionError> {
    let words = text.words();
    let (name, rest) = words.split_first().expect("the text starts with `@`");
    let known = SHORTHANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.text));
    match (known, rest) {
        (Some((_, fields)), []) => Fields::read(Piece::whole(fields)),
        (Some((_, fields)), [first, ..]) => {
            let found = rest.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
            let message = format!("expected nothing after `{}`, found `{found}`", name.text);
            let last = rest.last().unwrap_or(first);
            let hint = format!("`{}` is all there is to it; `{fields}` is the same in fields", name.text);
            Err(ExpressionError::new(first.span_to(*last), message, hint))
        }
        (None, _) => Err(refuse(text, *name, rest)),
    }
}

fn refuse(text: Piece<'_>, name: Piece<'_>, rest: &[Piece<'_>]) -> ExpressionError {
    let error = |message: &str, hint: &str| ExpressionError::new(text.span(), message, hint);
    match name.text.to_ascii_lowercase().as_str() {
        "@every" => {
            let interval: String = rest.iter().map(|word| word.text).collect();
            let hint = match same_as_interval(&interval) {
                Some(fields) => format!("`{fields}`"),
                None => "a step that divides the hour or the day does, as in `*/15 * * * *`".to_owned(),
            };
            error("`@every` (a fixed interval) is not supported yet", &hint)
        }
        "@at" => error(
            "`@at` (one instant) is not supported yet",
            "give the job no schedule, and start it when it is time by `tekcron run-job`",
        ),
        "@reboot" => error(
            "`@reboot` names no time: each run belongs to a slot, and a start of the machine is none",
            "let the machine's init system start the job by `tekcron run-job`",
        ),
        unknown => {
            let known = "`@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`";
            let message = format!("expected one of {known}, found `{}`", name.text);
            let hint = match nearest(unknown) {
                Some(nearest) => format!("`{nearest}`"),
                None => "or five fields, as in `0 2 * * *` for every day at 02:00".to_owned(),
            };
            ExpressionError::new(name.span(), message, hint)
        }
    }
}

fn nearest(unknown: &str) -> Option<&'static str> {
    if !is_name_like(unknown) {
        return None;
    }
    let distance = |known: &str| strsim::damerau_levenshtein(unknown, known);
    let (nearest, _) = SHORTHANDS.into_iter().min_by_key(|(known, _)| distance(known))?;
    (distance(nearest) <= 2).then_some(nearest)
}

/// The fields that come at an interval, where it divides an hour, a day or a minute evenly.
fn same_as_interval(interval: &str) -> Option<String> {
    let interval: SignedDuration = interval.parse().ok()?;
    match interval.as_secs() {
        _ if interval.subsec_nanos() != 0 => None,
        1 => Some("* * * * * *".to_owned()),
        60 => Some("* * * * *".to_owned()),
        3600 => Some("0 * * * *".to_owned()),
        86_400 => Some("0 0 * * *".to_owned()),
        seconds @ 2..60 if 60 % seconds == 0 => Some(format!("*/{seconds} * * * * *")),
        seconds @ 61..3600 if 3600 % seconds == 0 && seconds % 60 == 0 => {
            Some(format!("*/{} * * * *", seconds / 60))
        }
        seconds @ 3601..86_400 if 86_400 % seconds == 0 && seconds % 3600 == 0 => {
            Some(format!("0 */{} * * *", seconds / 3600))
        }
        _ => None,
    }
}
