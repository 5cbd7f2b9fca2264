//! Times on the command line.

use jiff::civil::DateTime;
use jiff::{Timestamp, Zoned};

use crate::schedule::Zone;

/// No expression is due after this year.
pub(super) const LAST_YEAR: u32 = 2100;

/// Why a text is no time that anything is due at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MomentError {
    /// It is no time.
    #[error(
        "expected a time such as `2026-03-29T00:30:00Z`, `2026-03-29T01:30` or `2026-03-29`, found `{0}`"
    )]
    None(String),
    /// It is behind all slots.
    #[error("expected a time up to the year {LAST_YEAR}, where expressions end, found `{0}`")]
    TooLate(String),
}

/// A time as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// An instant.
    Instant(Timestamp),
    /// What a wall clock shows.
    Wall(DateTime),
}

/// Reads RFC 3339, or a date or date and time on a wall clock.
pub(super) fn read(text: &str) -> Result<Moment, MomentError> {
    let year = text.trim_start_matches('+').split_once('-').and_then(|(year, _)| year.parse::<u32>().ok());
    if year.is_some_and(|year| year > LAST_YEAR) {
        return Err(MomentError::TooLate(text.to_owned()));
    }
    if let Ok(instant) = text.parse() {
        return Ok(Moment::Instant(instant));
    }
    // With a zone of its own, which a date and time alone would ignore.
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(Moment::Instant(zoned.timestamp()));
    }
    text.parse().map(Moment::Wall).map_err(|_| MomentError::None(text.to_owned()))
}

/// Reads an instant; a wall clock is that of `zone`.
pub(super) fn read_in(text: &str, zone: &Zone) -> Result<Timestamp, MomentError> {
    match read(text)? {
        Moment::Instant(instant) => Ok(instant),
        Moment::Wall(shown) => {
            zone.rules().to_timestamp(shown).map_err(|_| MomentError::None(text.to_owned()))
        }
    }
}
