//! Jobs that break what they promise: what says so, and who is told, once.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use data_encoding::BASE64;
use ring::hmac;
use serde_json::{Value, json};

use crate::harness::{Place, text};
use crate::smtp;

/// Long enough for any machine; only a hang is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// A receiver of webhooks on loopback, which answers one request after the other with these.
struct Hooks {
    address: String,
    requests: Receiver<Request>,
}

#[derive(Debug)]
struct Request {
    head: Vec<String>,
    body: String,
}

impl Hooks {
    /// What is asked for behind the last answer is answered as that was.
    fn answering(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (send, requests) = channel();
        std::thread::spawn(move || {
            for (n, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let Some(request) = Request::read(&stream) else { continue };
                let answer = answers.get(n).or(answers.last()).unwrap();
                let _ = (&stream).write_all(
                    format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").as_bytes(),
                );
                if send.send(request).is_err() {
                    return;
                }
            }
        });
        Self { address, requests }
    }

    fn next(&self) -> Request {
        self.requests.recv_timeout(PATIENCE).unwrap()
    }

    /// Whether nobody asks for so long.
    fn is_quiet_for(&self, duration: Duration) -> bool {
        self.requests.recv_timeout(duration).is_err()
    }
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let mut request = Self { head, body: String::new() };
        let mut body = vec![0; request.header("content-length").parse().unwrap_or_default()];
        reader.read_exact(&mut body).ok()?;
        request.body = text(&body);
        Some(request)
    }

    fn header(&self, name: &str) -> &str {
        let fields = self.head.iter().filter_map(|line| line.split_once(": "));
        fields
            .filter(|(each, _)| each.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .next()
            .unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What happened, to which promise.
    fn event(&self) -> (String, String) {
        let json = self.json();
        let word = |value: &Value| value.as_str().unwrap().to_owned();
        (word(&json["type"]), word(&json["data"]["kind"]))
    }

    fn verify(&self) {
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY);
        let signed =
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let signature = self.header("webhook-signature").strip_prefix("v1,").unwrap();
        let signature = BASE64.decode(signature.as_bytes()).unwrap();
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
        self.header("webhook-timestamp").parse::<i64>().unwrap();
    }
}

const KEY: &[u8] = b"a key of thirty-two bytes, so it";

/// A place whose webhook `ops` is at `address`.
fn place(app: &str, notify: &str) -> Place {
    let place = Place::with(&[("work", app)]);
    fs::write(place.path().join("secret"), format!("whsec_{}\n", BASE64.encode(KEY))).unwrap();
    fs::set_permissions(place.path().join("secret"), Permissions::from_mode(0o600)).unwrap();
    fs::write(place.path().join("config/tekcron.toml"), notify).unwrap();
    place
}

fn ops(address: &str) -> String {
    format!(
        "[notify]\nwebhook = \"ops\"\n[notify.webhooks.ops]\nurl = \"http://{address}/private-path\"\nsecret = {{ file = \"secret\" }}\n"
    )
}

fn status(place: &Place) -> (Option<i32>, Value) {
    let output = place.run(&["status", "-o", "json"]);
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn a_job_that_never_runs_is_told_of_once_over_a_kill_and_once_more_when_it_succeeds() {
    let app =
        "[app]\nname = \"work\"\ncommand = \"true\"\n[[jobs]]\nname = \"rare\"\nmax_since_success = \"6s\"\n";
    let hooks = Hooks::answering(&["500 Oops", "204 No Content"]);
    let place = place(app, &ops(&hooks.address));
    let daemon = place.serve();
    let refused = hooks.next();
    refused.verify();
    assert_eq!(refused.event(), ("job.broken".to_owned(), "no-success".to_owned()));
    let told = hooks.next();
    told.verify();
    assert_eq!(
        (told.header("webhook-id"), &told.body),
        (refused.header("webhook-id"), &refused.body),
        "the same again"
    );
    assert_eq!(told.json()["data"]["job"], "work.rare");
    let (code, found) = status(&place);
    assert_eq!((code, &found["ok"], &found["watched"]), (Some(1), &json!(false), &json!(1)));
    assert_eq!(found["breaches"][0]["since"], told.json()["data"]["since"]);
    let shown = place.run(&["status"]);
    assert!(
        text(&shown.stdout).contains("work.rare")
            && text(&shown.stdout).contains("tekcron run-job work.rare")
    );

    place.until("that it was told is on disk", || place.log().contains("told of a breach").then_some(()));
    daemon.kill();
    let daemon = place.serve();
    assert_eq!(status(&place).1["breaches"][0]["since"], found["breaches"][0]["since"], "it goes on");
    place.ok(&["run-job", "rare", "--wait"]);
    place.until("all has run", || (status(&place).0 == Some(0)).then_some(()));
    let over = hooks.next();
    over.verify();
    assert_eq!(
        over.event(),
        ("job.recovered".to_owned(), "no-success".to_owned()),
        "and not told of it again"
    );
    assert_eq!(over.json()["data"]["since"], found["breaches"][0]["since"]);
    assert_ne!(over.header("webhook-id"), told.header("webhook-id"));
    assert!(daemon.terminate().success());
    for hidden in ["private-path", "whsec_", "a key of"] {
        assert!(!place.log().contains(hidden), "{hidden}");
        for file in place.data_files() {
            assert!(!text(&fs::read(&file).unwrap()).contains(hidden), "{hidden} in {}", file.display());
        }
    }
}

#[test]
fn a_slot_that_finds_no_room_is_late_until_it_starts() {
    let app = "[app]\nname = \"work\"\ncommand = \"true\"\n\
               [[jobs]]\nname = \"hog\"\ncommand = \"sleep 600\"\n\
               [[jobs]]\nname = \"tick\"\nschedule = \"* * * * * *\"\noverlap = \"skip\"\nlate_after = \"1s\"\n";
    let place = place(app, "max_children = 1\n");
    let daemon = place.serve();
    let hog = place.json(&["run-job", "hog"]);
    let late = place.until("it is late", || Some(status(&place).1).filter(|status| status["ok"] == false));
    assert_eq!(late["breaches"][0]["job"], "work.tick");
    assert_eq!(late["breaches"][0]["kind"], "late");
    assert!(late["breaches"][0]["what"].as_str().unwrap().contains("is pending"), "{late}");
    place.ok(&["terminate-task", "work", &hog["id"].to_string()]);
    place.until("it has started", || (status(&place).0 == Some(0)).then_some(()));
    assert!(daemon.terminate().success());
}

#[test]
fn so_many_failures_in_a_row_are_mailed_and_a_redirect_leads_nowhere() {
    let app = "[app]\nname = \"work\"\ncommand = \"exit 3\"\n[[jobs]]\nname = \"flaky\"\n\
               retries = { attempts = 1, backoff = \"10ms\" }\n\
               on_failure = { mail = \"oncall\", webhook = \"ops\", after = 2 }\n";
    let elsewhere = Hooks::answering(&["204 No Content"]);
    let location = format!("307 Temporary Redirect\r\nLocation: http://{}/", elsewhere.address);
    let hooks = Hooks::answering(Box::leak(Box::new([&*Box::leak(location.into_boxed_str())])));
    let server = smtp::Server::start();
    let mail = format!(
        "{}\n[notify.mails.oncall]\nserver = \"{}\"\ntls = \"none\"\nfrom = \"tekcron@example.org\"\nto = [\"Ops <ops@example.org>\", \"boss@example.org\"]\n",
        ops(&hooks.address).replace("webhook = \"ops\"\n", ""),
        server.url().strip_prefix("smtp://").unwrap()
    );
    let place = place(app, &mail);
    let daemon = place.serve();
    assert_eq!(place.run(&["run-job", "flaky", "--wait"]).status.code(), Some(3));
    place.until("its retry has ended", || {
        (place.json(&["tasks"]).as_array()?.iter().all(|task| task["finished"].is_string())).then_some(())
    });
    assert_eq!(status(&place).0, Some(0), "one failure, however often it was tried");
    place.run(&["run-job", "flaky", "--wait"]);
    let letter = server.letter();
    assert_eq!(letter.envelope()[1..], ["RCPT TO:<ops@example.org>", "RCPT TO:<boss@example.org>"]);
    assert_eq!(letter.field("Subject"), "[tekcron] work.flaky: failing");
    assert!(letter.parts().1.contains("its last 2 runs failed"), "{}", letter.wire);
    assert_eq!(hooks.next().event(), ("job.broken".to_owned(), "failing".to_owned()));
    place.until("the redirect was seen", || place.log().contains("a redirect is not followed").then_some(()));
    assert!(elsewhere.is_quiet_for(Duration::ZERO));
    assert_eq!(status(&place).1["breaches"][0]["kind"], "failing");
    assert!(daemon.terminate().success());
}
