//! What must hold for any input, be it a mistake, an accident or an attack.
//!
//! Each function takes any bytes, hands them to one of the program's edges, and panics where a promise is
//! broken; a quick answer within bounded memory is promised too. The targets in `fuzz` call them with inputs
//! without end, the tests below with those that are kept in `fuzz/corpus`.

use crate::{api, config, executor, push, schedule, store};

/// A cron expression, a zone, a time in seconds since the epoch and a job, one a line; the last three may be
/// absent.
pub fn expression(input: &[u8]) {
    schedule::fuzzing::expression(input);
}

/// A settings file and an App file, with a line `%%` between them; without it, an App file.
pub fn app_file(input: &[u8]) {
    config::fuzzing::app_file(input);
}

/// An iCalendar file.
pub fn calendar(input: &[u8]) {
    config::fuzzing::calendar(input);
}

/// A query, an `Idempotency-Key` and a body, one a line; the body is all the rest.
pub fn request(input: &[u8]) {
    api::fuzzing::request(input);
}

/// A letter for the kind of record, then its bytes as the store holds them.
pub fn record(input: &[u8]) {
    store::fuzzing::record(input);
}

/// `r`, then the files of a log, each behind a line `@NAME`; or `w`, then what a task writes.
pub fn log(input: &[u8]) {
    executor::fuzzing::log(input);
}

/// `c`, then a tar whose sums are made right; or `r`, then a tar as it is.
pub fn source(input: &[u8]) {
    push::source::fuzzing::source(input);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// Hands every kept input of `target` to `check`.
    fn replay(target: &str, check: fn(&[u8])) {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let files = std::fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().path());
        let mut count = 0;
        for file in files {
            // Captured, and shown where it fails.
            println!("{}", file.display());
            check(&std::fs::read(file).unwrap());
            count += 1;
        }
        assert!(count > 0, "no input in {}", corpus.display());
    }

    #[test]
    fn kept_expressions() {
        replay("expression", super::expression);
    }

    #[test]
    fn kept_app_files() {
        replay("app_file", super::app_file);
    }

    #[test]
    fn kept_calendars() {
        replay("calendar", super::calendar);
    }

    #[test]
    fn kept_requests() {
        replay("request", super::request);
    }

    #[test]
    fn kept_records() {
        replay("record", super::record);
    }

    #[test]
    fn records_of_every_format() {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/records");
        for file in std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_stem().unwrap().to_str().unwrap();
            let kind = match name.split('-').next() {
                Some("task") => b't',
                Some("slot") => b's',
                Some("app") => b'e',
                Some("service") => b'v',
                Some("revisions") => b'c',
                Some("watermark") => b'w',
                Some("idempotency") => b'i',
                Some("tally") => b'm',
                Some("previous") => b'p',
                Some("steering") => b'h',
                Some("standing") => b'n',
                Some("notice") => b'o',
                Some("streak") => b'r',
                Some("job") => b'j',
                Some("front") => b'q',
                _ => panic!("no target reads {}", file.display()),
            };
            for hex in std::fs::read_to_string(&file).unwrap().lines() {
                let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
                super::record(&[&[kind], &bytes[..]].concat());
            }
        }
    }

    #[test]
    fn kept_sources() {
        replay("source", super::source);
    }

    #[test]
    fn kept_logs() {
        replay("log", super::log);
    }
}
