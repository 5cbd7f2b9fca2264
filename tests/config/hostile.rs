//! Files that nobody wrote in good faith: an answer takes bounded memory, and says what is wrong.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use tekcron::cli::check::CheckOutcome;
use tekcron::config::{Excerpt, Place as Spot};

use crate::harness::{PLAIN, Place};

/// The report about one App file of these bytes.
fn report(bytes: &[u8]) -> String {
    let place = Place::with_app("");
    fs::write(place.config().join("apps/etl.toml"), bytes).unwrap();
    place.report()
}

#[test]
fn a_file_that_is_none_of_ours_is_refused_in_one_line() {
    for (bytes, expected) in [
        (
            &[&b"[app]\nname = \"e\" # "[..], &[b'x'; 1 << 20]].concat()[..],
            "expected at most 1 MiB, found more",
        ),
        (b"[app]\nname = \"\xff\"\n", "expected UTF-8, found something else at byte 14"),
        (b"\x7fELF\x02\x01\x01\0", "this is not TOML"),
        (b"[app]\nname = \"e\0\"\n", "this is not TOML"),
        (b"\xff\xfe[\0a\0p\0p\0]\0", "expected UTF-8, found something else at byte 0"),
    ] {
        let report = report(bytes);
        assert!(report.contains(expected), "{report}");
        assert!(report.ends_with("1 problem\n") && report.len() < 1000, "{report}");
    }
}

#[test]
fn what_is_nested_without_end_is_refused_once() {
    let deep = 100_000;
    for text in [
        format!("a = {}", "[".repeat(deep)),
        format!("a = {}{}", "[".repeat(deep), "]".repeat(deep)),
        format!("a = {}1{}", "{ a = ".repeat(deep), " }".repeat(deep)),
        format!("a{} = 1", ".a".repeat(deep)),
        format!("[a{}]", ".a".repeat(deep)),
    ] {
        let report = report(text.as_bytes());
        assert!(report.ends_with("1 problem\n"), "{report:.1000}");
        assert!(report.len() < 6000, "{} bytes for {text:.20}", report.len());
    }
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_another_system_are_no_mistake() {
    for text in [format!("\u{feff}{PLAIN}"), PLAIN.replace('\n', "\r\n")] {
        let place = Place::with_app(&text);
        assert_eq!(place.screen(None).0, CheckOutcome::Sound, "{text:?}");
    }
}

#[test]
fn ten_thousand_mistakes_in_one_line_show_a_piece_of_it_each() {
    let mut text = format!("{PLAIN}env = {{ ");
    for number in 0..10_000 {
        write!(text, "\"{number}\" = \"\", ").unwrap();
    }
    text += "}\n";
    let problems = Place::with_app(&text).look().problems;
    assert_eq!(problems.errors(), 10_000);
    for problem in problems.iter() {
        let Spot::Text(Excerpt { text, .. }) = &problem.place else { panic!("{problem:?}") };
        assert!(text.len() <= 400, "{} bytes", text.len());
    }
    let last = "config/apps/etl.toml:4:128886";
    assert!(problems.to_string().contains(last), "{:.1000}", problems.to_string());
}

#[test]
fn a_value_of_half_a_mebibyte_is_not_said_back() {
    let long = "x".repeat(1 << 19);
    for keys in [
        format!("timeout = \"{long}\"\n"),
        format!("{long} = 1\n"),
        format!("{long} = {{ {long} = 1 }}\n"),
        format!("[[jobs]]\nname = \"j\"\nschedule = \"0 0 * * {long}\"\n"),
        format!("[[jobs]]\nname = \"j\"\nschedule = \"@{long}\"\n"),
        format!("[[jobs]]\nname = \"j\"\nschedule = \"0 0 * * *\"\ntimezone = \"{long}\"\n"),
        format!("[[jobs]]\nname = \"{long}\"\n"),
    ] {
        let report = report(format!("{PLAIN}{keys}").as_bytes());
        let size = report.len();
        assert!(size < 12_000, "{size} bytes for {keys:.60}\n{report:.3000}");
    }
}

#[test]
fn a_report_moves_nothing_on_the_terminal() {
    let escape = "\\u001b[2J\\u0007\\u009b31m";
    let report = report(
        format!("{PLAIN}timeout = \"{escape}\"\n\"{escape}\" = 1\nenv = {{ \"{escape}\" = \"\" }}\n[[jobs]]\nname = \"j\"\nschedule = \"{escape}\" # \u{9b}31m\ntimezone = \"{escape}\"\n")
            .as_bytes(),
    );
    assert!(!report.chars().any(|c| c.is_control() && c != '\n'), "{report:?}");
}

#[test]
fn what_is_neither_file_nor_directory_is_told_as_what_it_is() {
    let place = Place::with(&[]);
    let named = |name: &str| place.path().join(name);
    let _socket = UnixListener::bind(named("socket.toml")).unwrap();
    symlink("/dev/zero", named("device.toml")).unwrap();
    symlink("loop.toml", named("loop.toml")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        named("pipe.toml"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    for (name, expected) in [
        ("socket.toml", "expected a regular file, found a socket"),
        ("device.toml", "expected a regular file, found a device"),
        ("pipe.toml", "expected a regular file, found a named pipe"),
        ("loop.toml", "Too many levels of symbolic links"),
    ] {
        let (outcome, screen) = place.screen(Some(name));
        assert_eq!(outcome, CheckOutcome::Problems(1), "{screen}");
        assert!(screen.contains(expected), "{screen}");
    }
}
