//! What the server receives is the message that was meant, and nobody sees the password.

use std::fs;
use std::net::TcpListener;

use data_encoding::BASE64;

use crate::sandbox::{Ran, Sandbox, has, listing};
use crate::smtp::Server;

const MAIL: &str = "sh mail.sh";
fn sandbox() -> Sandbox {
    Sandbox::of("mail").with("MAIL_TO", "ada@example.org grace@example.org")
}

fn send(sandbox: &Sandbox) -> Ran {
    let ran = sandbox.run(MAIL);
    let left = listing(&sandbox.temporary());
    assert!(left.is_empty(), "{left:?} is left");
    ran
}

/// The main path, for any shell and tools.
pub(crate) fn round(sandbox: Sandbox) {
    let server = Server::start();
    let sandbox =
        sandbox.with("MAIL_TO", " ada@example.org\n  grace@example.org\n").with("SMTP_URL", &server.url());
    let ran = send(&sandbox);
    let letter = server.letter();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(ran.out.starts_with("sent ") && ran.out.contains("ada@example.org"), "{ran}");
    assert_eq!(
        letter.envelope(),
        ["MAIL FROM:<tekcron@localhost>", "RCPT TO:<ada@example.org>", "RCPT TO:<grace@example.org>"]
    );
    assert_eq!(letter.wire.matches('\n').count(), letter.wire.matches("\r\n").count());
    assert_eq!(letter.wire.matches('\r').count(), letter.wire.matches("\r\n").count());
    assert_eq!(letter.field("From"), "tekcron@localhost");
    assert_eq!(letter.field("To"), "ada@example.org, grace@example.org");
    assert!(letter.field("Subject").starts_with("Report of "));
    assert_eq!(letter.field("Message-ID"), "<mail-abcdefghijkl@tekcron>");
    assert_eq!(letter.field("MIME-Version"), "1.0");
    assert_eq!(letter.field("Content-Type"), "text/plain; charset=utf-8");
    assert_eq!(letter.field("Content-Transfer-Encoding"), "8bit");
    let date = letter.field("Date");
    assert!(jiff::fmt::rfc2822::parse(&date).is_ok(), "{date}");
    let body = letter.parts().1;
    assert!(body.starts_with("Disks:\r\n") && body.contains("\r\n\r\nMemory:\r\nMemTotal"), "{body}");
}

#[test]
fn a_report_about_this_machine_reaches_its_receivers() {
    if has("curl") {
        round(sandbox());
    }
}

#[test]
fn a_disk_that_cannot_be_looked_at_is_no_reason_to_stay_silent() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    let sandbox = sandbox().with("SMTP_URL", &server.url());
    sandbox.shim("df", "echo /dev/one; exit 1");
    let ran = send(&sandbox);
    let letter = server.letter();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(
        letter.parts().1.starts_with("Disks:\r\n/dev/one\r\n(not all of them)\r\n\r\nMemory:"),
        "{}",
        letter.wire
    );
}

#[test]
fn a_report_of_ones_own_arrives_letter_for_letter() {
    if !has("curl") {
        return;
    }
    let server = Server::start();
    let sandbox = sandbox().with("SMTP_URL", &server.url()).with("MAIL_FILE", "report");
    let sandbox = sandbox.with("MAIL_SUBJECT", "Nightly: 100 % done").with("MAIL_FROM", "batch@example.org");
    let report = "first\n.\n..two dots\n.hidden\n\nwith CR LF\r\n100 % \\n naïve – 日本語\n no end of line";
    fs::write(sandbox.work().join("report"), report).unwrap();
    let ran = send(&sandbox);
    let letter = server.letter();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(letter.field("Subject"), "Nightly: 100 % done");
    assert_eq!(letter.envelope()[0], "MAIL FROM:<batch@example.org>");
    let expected = report.replace("\r\n", "\n").replace('\n', "\r\n") + "\r\n";
    assert_eq!(letter.parts().1, expected);
    assert!(letter.wire.contains("\r\n..\r\n...two dots\r\n..hidden\r\n"), "{}", letter.wire);
}

#[test]
fn a_server_that_refuses_fails_the_task_with_its_code() {
    if !has("curl") {
        return;
    }
    for (refused, words) in [
        ("MAIL", "550 not from you"),
        ("RCPT", "550 no such user"),
        ("DATA", "554 not now"),
        (".", "552 too much"),
    ] {
        let server = Server::refusing(refused, words);
        let ran = send(&sandbox().with("SMTP_URL", &server.url()));
        let letter = server.letter();
        assert_ne!(ran.code, Some(0), "{refused}: {ran}");
        assert!(ran.err.starts_with(&format!("mail: the server said: {words}\ncurl: (")), "{refused}: {ran}");
        assert!(!ran.out.contains("sent "), "{refused}: {ran}");
        assert_eq!(letter.wire.is_empty(), refused != ".", "{refused}");
    }
}

#[test]
fn a_server_that_is_not_there_fails_the_task() {
    if !has("curl") {
        return;
    }
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let ran = send(&sandbox().with("SMTP_URL", &format!("smtp://127.0.0.1:{port}")));
    ran.failed(7, "curl: (7)");
}

#[test]
fn what_is_missing_is_asked_for_and_nobody_is_called() {
    let url = "smtp://127.0.0.1:1";
    for (sandbox, code, words) in [
        (sandbox(), 1, "mail: expected the server's URL in SMTP_URL, found none"),
        (sandbox().with("SMTP_URL", url).without("MAIL_TO"), 2, "expected receivers in MAIL_TO"),
        (sandbox().with("SMTP_URL", url).with("MAIL_TO", ""), 2, "expected receivers in MAIL_TO"),
        (sandbox().with("SMTP_URL", url).without("MAIL_FROM"), 2, "expected a sender in MAIL_FROM"),
    ] {
        send(&sandbox).failed(code, words);
    }
    if has("curl") {
        let sandbox = sandbox().with("SMTP_URL", url).with("MAIL_FILE", "nowhere");
        send(&sandbox).failed(1, "mail: expected a report at nowhere, found none");
    }
}

#[test]
fn a_machine_without_curl_is_told_so() {
    let empty = tempfile::TempDir::new().unwrap();
    let sandbox = sandbox().with("SMTP_URL", "smtp://127.0.0.1:1").with_tools(empty.path());
    sandbox.run("/bin/sh mail.sh").failed(1, "mail: expected curl on this machine, found none");
}

#[test]
fn the_password_of_a_bound_service_reaches_the_server_and_nobody_else() {
    if !has("curl") {
        return;
    }
    for refused in [None, Some("AUTH"), Some("MAIL")] {
        let server = refused.map_or_else(Server::start, |command| Server::refusing(command, "535 not you"));
        let uri = server.url().replace("//", "//robot:s3cret%2Fpass@");
        let sandbox = sandbox().with("DATABASE_URL", &uri);
        let seen = sandbox.state().join("seen");
        let seen = seen.display();
        // What other users of the machine can see of curl, and of the file that it reads.
        sandbox.shim(
            "curl",
            &format!(
                "echo \"$@\" >'{seen}'\n\
                 for word; do [ \"$before\" != --config ] || config=$word; before=$word; done\n\
                 stat -c %a \"$config\" \"${{config%/*}}\" >>'{seen}'\n\
                 PATH=${{PATH#*:}} exec curl \"$@\""
            ),
        );
        let ran = send(&sandbox);
        let letter = server.letter();
        assert_eq!(ran.code == Some(0), refused.is_none(), "{ran}");
        if refused != Some("AUTH") {
            let answer = letter.commands.iter().skip_while(|line| *line != "AUTH PLAIN").nth(1).unwrap();
            assert_eq!(BASE64.decode(answer.as_bytes()).unwrap(), b"\0robot\0s3cret/pass");
        }
        let arguments = fs::read_to_string(sandbox.state().join("seen")).unwrap();
        assert!(arguments.contains("--config ") && arguments.ends_with("\n600\n700\n"), "{arguments}");
        for told in [&arguments, &ran.out, &ran.err, &letter.wire] {
            assert!(!told.contains("s3cret"), "{told}");
        }
    }
}

#[test]
fn a_terminated_report_leaves_nothing_behind() {
    if !has("curl") {
        return;
    }
    let sandbox = sandbox().with("SMTP_URL", "smtp://127.0.0.1:1");
    let ran = sandbox.end_within(&format!("exec {MAIL}"), "curl");
    assert_eq!(ran.code, Some(143), "{ran}");
    assert!(listing(&sandbox.temporary()).is_empty());
}

#[test]
fn a_subject_beyond_ascii_is_encoded() {
    if !has("curl") {
        return;
    }
    let subject = "Résumé of the night – 日本語";
    let server = Server::start();
    send(&sandbox().with("SMTP_URL", &server.url()).with("MAIL_SUBJECT", subject));
    let found = server.letter().field("Subject");
    let encoded = found.strip_prefix("=?utf-8?B?").and_then(|rest| rest.strip_suffix("?=")).unwrap();
    assert_eq!(BASE64.decode(encoded.as_bytes()).unwrap(), subject.as_bytes());
}

#[test]
fn nothing_that_was_given_becomes_a_header_an_option_or_a_file_name() {
    if !has("curl") {
        return;
    }
    let url = "smtp://127.0.0.1:1";
    for (name, value) in [
        ("MAIL_FROM", "a@example.org\nBcc: eve@example.org"),
        ("SMTP_URL", "smtp://127.0.0.1:1\noutput = stolen"),
    ] {
        let sandbox = sandbox().with("SMTP_URL", url).with(name, value);
        send(&sandbox).failed(1, "mail: expected one line each in SMTP_URL and MAIL_FROM");
    }
    let server = Server::start();
    send(&sandbox().with("SMTP_URL", &server.url()).with("MAIL_TO", "*@example.org m*"));
    assert_eq!(server.letter().envelope()[1..], ["RCPT TO:<*@example.org>", "RCPT TO:<m*>"]);
}
