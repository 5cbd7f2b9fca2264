//! Texts to values, for all that a file and an environment variable have in common.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use reqwest::Url;
use tracing_subscriber::EnvFilter;

use super::fault::{Fault, listed};
use crate::app::{NameError, dns_label, suggest_name};
use crate::hint::nearest;

/// The longest name that Kubernetes takes as a label value.
const LABEL: usize = 63;

const MILLISECOND: SignedDuration = SignedDuration::from_millis(1);
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// What durations a setting takes.
pub(super) struct Bounds {
    within: RangeInclusive<SignedDuration>,
    hint: &'static str,
}

/// Of a duration that somebody waits for: a grace, a backoff.
pub(super) const WAIT: Bounds =
    Bounds { within: SignedDuration::ZERO..=DAY, hint: "a wait may be `0`, and is a day at most" };
/// Of a duration that decides about a slot.
pub(super) const LATENESS: Bounds = Bounds {
    within: MILLISECOND..=SignedDuration::from_hours(366 * 24),
    hint: "a slot may be a year late at most",
};
/// Of a time-out.
pub(super) const TIMEOUT: Bounds =
    Bounds { within: SECOND..=SignedDuration::from_hours(366 * 24), hint: "`0` is no time-out at all" };
/// Of the wait of a task that the cluster cannot place.
pub(super) const UNSCHEDULABLE: Bounds = Bounds {
    within: SECOND..=SignedDuration::from_hours(366 * 24),
    hint: "left out, such a task waits until its time-out ends it",
};
/// Of the age that slots are remembered up to.
pub(super) const SLOT_AGE: Bounds = Bounds {
    within: SECOND..=SignedDuration::from_hours(100 * 366 * 24),
    hint: "what became of each slot is known for so long; left out, for 90 days",
};

/// Of what a job promises.
pub(super) const PROMISE: Bounds =
    Bounds { within: SECOND..=SignedDuration::from_hours(366 * 24), hint: "left out, nobody watches for it" };
/// Of an age.
pub(super) const AGE: Bounds = Bounds {
    within: SECOND..=SignedDuration::from_hours(100 * 366 * 24),
    hint: "left out, age does not matter",
};

const UNITS: &str = "units are `w`, `d`, `h`, `m`, `s` and `ms`, the larger ones first";

/// Whatever parses. `hint` is for what has no better one.
pub(super) fn parsed<T: FromStr<Err: Display>>(text: &str, hint: &str) -> Result<T, Fault> {
    text.parse().map_err(|error| Fault::of(&error, hint))
}

/// A duration within `bounds`; days have 24 hours.
pub(super) fn duration(text: &str, bounds: &Bounds) -> Result<SignedDuration, Fault> {
    let text = text.trim();
    let Bounds { within, hint } = bounds;
    let expected =
        |hint| Fault::new(format!("expected a duration as in `90s` or `1h 30m`, found `{text}`"), hint);
    if text == "0" && within.contains(&SignedDuration::ZERO) {
        return Ok(SignedDuration::ZERO);
    }
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
        let message = format!("expected a unit, as in `{text}s` or `{text}m`, found `{text}` alone");
        return Err(Fault::new(message, UNITS));
    }
    let span: Span = text.parse().map_err(|_| expected(UNITS))?;
    let duration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| expected("months and years differ in length; weeks, days and hours do not"))?;
    if within.contains(&duration) {
        return Ok(duration);
    }
    let (least, most) = (in_words(*within.start()), in_words(*within.end()));
    let message = format!("expected a duration between `{least}` and `{most}`, found `{text}`");
    Err(Fault::new(message, *hint))
}

/// In the largest unit that divides it.
fn in_words(duration: SignedDuration) -> String {
    match duration.as_millis() {
        millis if millis % 1000 != 0 => format!("{millis}ms"),
        millis if millis != 0 && millis % 86_400_000 == 0 => format!("{}d", millis / 86_400_000),
        millis => format!("{}s", millis / 1000),
    }
}

/// An integer within `bounds`; `hint` says what it is for.
pub(super) fn integer<T>(text: &str, bounds: RangeInclusive<T>, hint: &str) -> Result<T, Fault>
where
    T: FromStr + PartialOrd + Display,
{
    let number = text.trim().parse().ok().filter(|number| bounds.contains(number));
    number.ok_or_else(|| {
        let (least, most) = (bounds.start(), bounds.end());
        Fault::new(format!("expected an integer between {least} and {most}, found `{text}`"), hint)
    })
}

/// `true` or `false`.
pub(super) fn flag(text: &str) -> Result<bool, Fault> {
    word(text.trim(), &[("true", true), ("false", false)], "it is on or off, in lower case")
}

/// One of a few words. `hint` is for what is near none of them.
pub(super) fn word<T: Copy>(text: &str, words: &[(&str, T)], hint: &str) -> Result<T, Fault> {
    let names = || words.iter().map(|(word, _)| *word);
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
        let near = nearest(text, names()).map(|near| format!("did you mean `{near}`?"));
        let message = format!("expected one of {}, found `{text}`", listed(names()));
        Fault::new(message, near.unwrap_or_else(|| hint.to_owned()))
    })
}

/// A name that Kubernetes takes as a label value.
pub(super) fn label(text: &str) -> Result<String, Fault> {
    dns_label(text, LABEL).map_err(|error| bad_name(text, &error))?;
    Ok(text.to_owned())
}

/// A name that Kubernetes takes for an object: labels with dots between them.
pub(super) fn object_name(text: &str) -> Result<String, Fault> {
    if text.len() > 253 {
        let message = format!("expected at most 253 characters, found {}", text.len());
        return Err(Fault::new(message, "Kubernetes takes no longer name for an object"));
    }
    for part in text.split('.') {
        dns_label(part, LABEL).map_err(|error| bad_name(text, &error))?;
    }
    Ok(text.to_owned())
}

/// What is wrong with a name, and the name nearest to it.
pub(super) fn bad_name(text: &str, error: &NameError) -> Fault {
    let hint = match suggest_name(text) {
        Some(name) if name != text => format!("Kubernetes takes this as a label; `{name}` would fit"),
        _ => "Kubernetes takes this as a label: lower-case letters, digits and `-`".to_owned(),
    };
    Fault::new(error.to_string(), hint)
}

/// Text that is not blank and holds nothing that C strings cannot.
pub(super) fn plain(text: &str) -> Result<String, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::new(
            "expected text, found nothing",
            "leave the key out where there is nothing to say",
        ));
    }
    no_nul(text).map(|()| text.to_owned())
}

/// Refuses NUL, which no argument, variable or file name can hold.
pub(super) fn no_nul(text: &str) -> Result<(), Fault> {
    match text.contains('\0') {
        true => Err(Fault::new(
            "expected text, found a NUL byte",
            "no argument, variable or file name can hold one",
        )),
        false => Ok(()),
    }
}

/// A file or directory.
pub(super) fn path(text: &str) -> Result<PathBuf, Fault> {
    plain(text).map(PathBuf::from)
}

/// Where to listen.
pub(super) fn listen(text: &str) -> Result<SocketAddr, Fault> {
    let text = text.trim();
    text.parse().map_err(|_| {
        let hint = match text.rsplit_once(':') {
            Some(("", port)) => format!("`0.0.0.0:{port}` listens on every address of this machine"),
            Some(("localhost", port)) => format!("did you mean `127.0.0.1:{port}`?"),
            _ => "an address in numbers, `[…]` around one of IPv6, and a port up to 65535".to_owned(),
        };
        Fault::new(format!("expected an address and a port as in `127.0.0.1:7070`, found `{text}`"), hint)
    })
}

/// Where others reach the API: what paths of it are put behind.
pub(super) fn public_url(text: &str) -> Result<String, Fault> {
    let text = text.trim();
    let url =
        text.parse::<Url>().ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let bare = |url: &Url| {
        url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match url {
        Some(url) if bare(&url) => Ok(text.trim_end_matches('/').to_owned()),
        // What stands in it may be a password.
        Some(_) => Err(Fault::new(
            "expected a URL without a user, a query or a fragment, found one with some of them",
            "who asks there has a token of its own",
        )),
        None => Err(Fault::new(
            format!("expected a URL that begins with `https://` or `http://`, found `{text}`"),
            "as pods of the cluster reach the API: `https://tekcron.example.org`",
        )),
    }
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// A filter of our own log.
pub(super) fn log_filter(text: &str) -> Result<String, Fault> {
    // The filter itself takes a slip for the name of a target, and then says nothing of anything else.
    let slip = text.split(',').map(str::trim).find(|part| {
        let is_level = LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part));
        !part.is_empty() && !part.contains(['=', '[', ':']) && *part != "tekcron" && !is_level
    });
    if let Some(slip) = slip {
        let hint = nearest(slip, LEVELS).map(|level| format!("did you mean `{level}`?"));
        return Err(Fault::new(
            format!("expected one of {}, found `{slip}`", listed(LEVELS)),
            hint.unwrap_or_else(|| "as in `info` or `info,tekcron::store=debug`".to_owned()),
        ));
    }
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Fault::new(
            format!("expected a log filter, found `{text}`: {error}"),
            "as in `info` or `info,tekcron::store=debug`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_people_say_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("2 days", 172_800),
            ("1w", 604_800),
            ("0", 0),
            ("0s", 0),
        ] {
            let read = duration(text, &Bounds { within: SignedDuration::ZERO..=*AGE.within.end(), hint: "" });
            assert_eq!(read, Ok(SignedDuration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_duration_without_a_unit_negative_or_absurd_is_refused() {
        for (text, words) in [
            ("30", "expected a unit, as in `30s` or `30m`, found `30` alone"),
            ("soon", "expected a duration as in `90s` or `1h 30m`, found `soon`"),
            ("", "expected a duration as in `90s` or `1h 30m`, found ``"),
            ("1 month", "expected a duration as in `90s` or `1h 30m`, found `1 month`"),
            ("-5m", "expected a duration between `0s` and `1d`, found `-5m`"),
            ("99999h", "expected a duration between `0s` and `1d`, found `99999h`"),
            (
                "99999999999999999999h",
                "expected a duration as in `90s` or `1h 30m`, found `99999999999999999999h`",
            ),
        ] {
            assert_eq!(duration(text, &WAIT).map_err(|fault| fault.message), Err(words.to_owned()), "{text}");
        }
    }

    #[test]
    fn where_to_listen_is_an_address_with_a_port() {
        for text in ["127.0.0.1:7070", "[::1]:0", "0.0.0.0:80"] {
            assert!(listen(text).is_ok(), "{text}");
        }
        let hint = |text| listen(text).map_err(|fault| fault.hint);
        assert_eq!(hint("localhost:7070"), Err("did you mean `127.0.0.1:7070`?".into()));
        assert_eq!(hint(":80"), Err("`0.0.0.0:80` listens on every address of this machine".into()));
        let shape = "an address in numbers, `[…]` around one of IPv6, and a port up to 65535";
        assert_eq!(hint("7070"), Err(shape.into()));
        assert_eq!(hint("127.0.0.1:70700"), Err(shape.into()));
    }

    #[test]
    fn a_public_url_is_what_paths_are_put_behind() {
        for (text, url) in [
            ("https://tekcron.example", "https://tekcron.example"),
            ("https://tekcron.example/", "https://tekcron.example"),
            ("http://tekcron.batch.svc:7070/cron//", "http://tekcron.batch.svc:7070/cron"),
            ("http://[::1]:7070", "http://[::1]:7070"),
        ] {
            assert_eq!(public_url(text), Ok(url.to_owned()));
        }
        for text in ["", "tekcron.example", "ftp://tekcron.example", "https://", "/var/run/tekcron"] {
            assert!(public_url(text).unwrap_err().message.contains("begins with `https://`"), "{text}");
        }
        for text in ["https://me:hunter2@tekcron.example", "https://a/?token=hunter2", "https://a/#hunter2"] {
            let fault = public_url(text).unwrap_err();
            assert!(fault.message.contains("without a user"), "{text}");
            assert!(!fault.message.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn a_log_filter_names_levels_and_a_slip_of_one_silences_nothing() {
        for text in ["info", "WARN", "off", "info,tekcron::store=debug", "tekcron=trace, warn", "tekcron"] {
            assert_eq!(log_filter(text), Ok(text.to_owned()));
        }
        let found = "expected one of `error`, `warn`, `info`, `debug`, `trace`, `off`, found";
        for (text, message, hint) in [
            ("inof", format!("{found} `inof`"), "did you mean `info`?"),
            ("info,loud", format!("{found} `loud`"), "as in `info` or `info,tekcron::store=debug`"),
        ] {
            assert_eq!(log_filter(text), Err(Fault::new(message, hint)));
        }
        assert!(log_filter("tekcron=loud").is_err());
    }

    #[test]
    fn a_word_is_one_of_a_few() {
        let words = [("keep", 1), ("delete", 2)];
        assert_eq!(word("delete", &words, "or none"), Ok(2));
        let fault = word("delet", &words, "or none").unwrap_err();
        assert_eq!(
            fault,
            Fault::new("expected one of `keep`, `delete`, found `delet`", "did you mean `delete`?")
        );
        assert_eq!(word("burn", &words, "or none").unwrap_err().hint, "or none");
    }

    #[test]
    fn an_object_name_may_have_dots() {
        assert!(object_name("builders.etl-runner").is_ok());
        for text in ["Etl", "a..b", "", "-a"] {
            assert!(object_name(text).is_err(), "{text}");
        }
    }
}
