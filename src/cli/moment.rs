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
    typed(text).ok_or_else(|| MomentError::None(text.to_owned()))
}

fn typed(text: &str) -> Option<Moment> {
    // With a zone of its own, which a date and time alone would ignore.
    let instant = text.parse().ok().or_else(|| Some(text.parse::<Zoned>().ok()?.timestamp()));
    instant.map(Moment::Instant).or_else(|| text.parse().ok().map(Moment::Wall))
}

/// Reads an instant of any year; a wall clock is UTC's.
pub(super) fn in_utc(text: &str) -> Result<Timestamp, String> {
    let instant = typed(text).and_then(|moment| match moment {
        Moment::Instant(instant) => Some(instant),
        Moment::Wall(shown) => Zone::UTC.rules().to_timestamp(shown).ok(),
    });
    instant.ok_or_else(|| {
        format!("expected a time such as `2026-03-29T00:30:00Z`, `2026-03-29T02:30[Europe/Paris]` or `2026-03-29` (UTC), found `{text}`")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_zone_is_in_utc() {
        for (text, expected) in [
            ("2026-03-29T00:30:00Z", "2026-03-29T00:30:00Z"),
            ("2026-03-29T02:30:00+02:00", "2026-03-29T00:30:00Z"),
            ("2026-07-01T02:30[Europe/Paris]", "2026-07-01T00:30:00Z"),
            ("2026-03-29T00:30", "2026-03-29T00:30:00Z"),
            ("2026-03-29", "2026-03-29T00:00:00Z"),
        ] {
            assert_eq!(in_utc(text).map(|time| time.to_string()).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["", "tomorrow", "10:00", "2026-13-01", "2026"] {
            assert!(in_utc(wrong).unwrap_err().contains(&format!("found `{wrong}`")), "{wrong}");
        }
    }
}
