use super::fields::Fields;
use super::hash::JobHash;
use super::piece::Piece;
use super::{ExpressionError, When, instants};
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
pub(super) fn read(text: Piece<'_>, hash: &mut JobHash<'_>) -> Result<When, ExpressionError> {
    let words = text.words();
    let (name, rest) = words.split_first().expect("the text starts with `@`");
    let argument = text.after(name.text.len()).trim();
    match name.text.to_ascii_lowercase().as_str() {
        "@every" => return instants::every(text, argument, hash),
        "@at" => return instants::at(text, argument),
        _ => {}
    }
    let known = SHORTHANDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.text));
    match (known, rest) {
        (Some((_, fields)), []) => Ok(When::Fields(Fields::read(Piece::whole(fields), hash)?)),
        (Some((_, fields)), [first, ..]) => {
            let found = argument.text;
            let message = format!("expected nothing after `{}`, found `{found}`", name.text);
            let last = rest.last().unwrap_or(first);
            let hint = format!("`{}` is all there is to it; `{fields}` is the same in fields", name.text);
            Err(ExpressionError::new(first.span_to(*last), message, hint))
        }
        (None, _) => Err(refuse(text, *name)),
    }
}

fn refuse(text: Piece<'_>, name: Piece<'_>) -> ExpressionError {
    let unknown = name.text.to_ascii_lowercase();
    if unknown == "@reboot" {
        return ExpressionError::new(
            text.span(),
            "`@reboot` names no time: each run belongs to a slot, and a start of the machine is none",
            "let the machine's init system start the job by `tekcron run-job`",
        );
    }
    let known =
        "`@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly`, `@every`, `@at`";
    let message = format!("expected one of {known}, found `{}`", name.text);
    let hint = match nearest(&unknown) {
        Some("@every") => "`@every 15m`".to_owned(),
        Some(nearest) => format!("`{nearest}`"),
        None => "or five fields, as in `0 2 * * *` for every day at 02:00".to_owned(),
    };
    ExpressionError::new(name.span(), message, hint)
}

fn nearest(unknown: &str) -> Option<&'static str> {
    if !is_name_like(unknown) {
        return None;
    }
    let distance = |known: &str| strsim::damerau_levenshtein(unknown, known);
    let known = SHORTHANDS.into_iter().map(|(known, _)| known).chain(["@every"]);
    let nearest = known.min_by_key(|known| distance(known))?;
    (distance(nearest) <= 2).then_some(nearest)
}
