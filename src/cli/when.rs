//! Times as people type them.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// RFC 3339, a date and time with a zone of its own, or a date or date and time in UTC.
pub(super) fn time(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse() {
        return Ok(instant);
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Ok(zoned.timestamp());
    }
    let utc = text.parse::<DateTime>().ok().and_then(|local| TimeZone::UTC.to_timestamp(local).ok());
    utc.ok_or_else(|| {
        format!("expected a time such as `2026-03-29T00:30:00Z`, `2026-03-29T02:30[Europe/Paris]` or `2026-03-29` (UTC), found `{text}`")
    })
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
            assert_eq!(time(text).map(|time| time.to_string()).as_deref(), Ok(expected), "{text}");
        }
        for wrong in ["", "tomorrow", "10:00", "2026-13-01", "2026"] {
            assert!(time(wrong).unwrap_err().contains(&format!("found `{wrong}`")), "{wrong}");
        }
    }
}
