//! `@every` and `@at`: instants that no wall clock has a say in.

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

use super::hash::JobHash;
use super::piece::Piece;
use super::{ExpressionError, When};
use crate::schedule::calendar::LAST;

/// A year: what comes more seldom has a date.
const LONGEST: SignedDuration = SignedDuration::from_hours(366 * 24);

const UNITS: &str = "as in `@every 15m`; units are `w`, `d`, `h`, `m` and `s`, the larger ones first";

/// Reads what follows `@every`: whole seconds, up to a year.
pub(super) fn every(
    text: Piece<'_>,
    interval: Piece<'_>,
    hash: &JobHash<'_>,
) -> Result<When, ExpressionError> {
    let found = interval.text;
    let place = if found.is_empty() { text } else { interval };
    let error = |expected: &str, hint: &str| {
        let found = if found.is_empty() { "nothing".to_owned() } else { format!("`{found}`") };
        let message = format!("expected {expected} after `@every`, found {found}");
        Err(ExpressionError::new(place.span(), message, hint))
    };
    if !found.is_empty() && found.bytes().all(|byte| byte.is_ascii_digit()) {
        return error("a duration with its unit", &format!("`@every {found}m`, `@every {found}s`"));
    }
    let Ok(span) = found.parse::<Span>() else { return error("a duration", UNITS) };
    let Ok(duration) = span.to_duration(SpanRelativeTo::days_are_24_hours()) else {
        return error(
            "a duration without months and years",
            "these differ in length: `@monthly`, `@yearly`, or weeks and days",
        );
    };
    if duration.subsec_nanos() != 0 || duration < SignedDuration::from_secs(1) {
        return error("whole seconds", "`@every 1s` is the shortest");
    }
    if duration > LONGEST {
        return error("a year at most", "`@yearly`, or a date in fields, as in `0 0 1 1 *`");
    }
    let interval = duration.as_secs();
    let phase = hash.below("@every", interval.unsigned_abs()) as i64;
    Ok(When::Every { interval, phase })
}

/// Reads what follows `@at`: an instant, in whole seconds, in the years that expressions have.
pub(super) fn at(text: Piece<'_>, instant: Piece<'_>) -> Result<When, ExpressionError> {
    let found = instant.text;
    let place = if found.is_empty() { text } else { instant };
    let error = |expected: &str, hint: String| {
        let found = if found.is_empty() { "nothing".to_owned() } else { format!("`{found}`") };
        let message = format!("expected {expected} after `@at`, found {found}");
        Err(ExpressionError::new(place.span(), message, hint))
    };
    let Ok(at) = found.parse::<Timestamp>() else {
        let local = found.parse::<jiff::civil::DateTime>().ok();
        let hint = match local {
            Some(local) => format!("with its distance from UTC: `@at {local}Z`, `@at {local}+01:00`"),
            None => "`@at 2026-12-01T02:00:00Z`".to_owned(),
        };
        return error("an instant", hint);
    };
    if at.subsec_nanosecond() != 0 {
        let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
        return error("a whole second", format!("`@at {whole}`"));
    }
    if !(0..=LAST).contains(&at.as_second()) {
        return error("an instant in the years 1970 to 2100", "`@at 2026-12-01T02:00:00Z`".to_owned());
    }
    Ok(When::At(at.as_second()))
}
