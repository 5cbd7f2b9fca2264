//! The table against the answers of a real API server, and against those of servers in trouble.

use kube::core::response::StatusDetails;

use super::*;

fn answer(code: u16, reason: &str, message: &str) -> Refusal {
    Refusal { code, retry_after: None, status: Status::failure(message, reason) }
}

/// What a real API server answered: by what was asked.
fn recorded(asked: &str) -> Refusal {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tekton/refusals.txt");
    let text = std::fs::read_to_string(path).unwrap();
    let line = text.lines().find(|line| line.starts_with(asked)).unwrap_or_else(|| panic!("no {asked}"));
    let mut words = line[asked.len()..].split_whitespace();
    let (code, reason) = (words.next().unwrap().parse().unwrap(), words.next().unwrap());
    let message = line.split_once(reason).unwrap().1.trim();
    answer(code, reason, message)
}

fn refused(refusal: &Refusal) -> (String, String) {
    match judge(refusal) {
        SubmitError::Refused { reason, message } => (reason, message),
        other => panic!("not final: {other:?}"),
    }
}

fn unreachable(refusal: &Refusal) -> (String, Option<i64>) {
    match judge(refusal) {
        SubmitError::Unreachable { message, retry_after } => {
            (message, retry_after.map(|wait| wait.as_secs()))
        }
        other => panic!("not to be tried again: {other:?}"),
    }
}

#[test]
fn what_the_server_judged_is_final_and_keeps_its_words() {
    let table = [
        (
            "namespace missing",
            "NotFound",
            "the namespace does not exist (404): namespaces \"nosuch\" not found",
        ),
        ("timeouts.pipeline: -5s", "BadRequest", "invalid value: -5s should be >= 0: spec.timeouts.pipeline"),
        (
            "pipelineRef + Spec",
            "BadRequest",
            "expected exactly one, got both: spec.pipelineRef, spec.pipelineSpec",
        ),
        ("name Bad_Name", "Invalid", "(422): metadata.name: Invalid value: \"Bad_Name\""),
        ("name of 66 characters", "BadRequest", "length must be no more than 63 characters: metadata.name"),
        ("no rights", "Forbidden", "the API server does not allow it (403)"),
    ];
    for (asked, reason, words) in table {
        let (said, message) = refused(&recorded(asked));
        assert_eq!(said, reason, "{asked}");
        assert!(message.contains(words), "{asked}: {message}");
    }
    // A webhook that refuses without a word of its own.
    assert_eq!(refused(&answer(400, "", "admission webhook denied it")).0, "BadRequest");
    assert_eq!(refused(&answer(422, "", "")).0, "Invalid");
    assert_eq!(refused(&answer(415, "Unsupported Media Type", "")).0, "BadRequest");
}

#[test]
fn a_cluster_without_tekton_is_told_what_to_install() {
    for message in ["404 page not found", "the server could not find the requested resource"] {
        let (reason, told) = refused(&answer(404, "NotFound", message));
        assert_eq!(reason, "NotFound");
        assert!(told.contains("install Tekton Pipelines 0.60 or newer"), "{told}");
        assert!(told.contains(message), "{told}");
    }
}

#[test]
fn what_was_surely_not_taken_and_may_be_taken_later_waits() {
    let quota = "pipelineruns.tekton.dev \"x\" is forbidden: exceeded quota: q, requested: count/pipelineruns.tekton.dev=1";
    let table = [
        (
            recorded("webhook process down"),
            "a webhook of the cluster does not answer (500): failed calling webhook ...",
        ),
        (recorded("unknown token"), "the API server does not accept the credentials (401)"),
        (answer(403, "Forbidden", quota), quota),
        (answer(409, "Conflict", "the object has been modified"), "the object has been modified"),
        (answer(429, "TooManyRequests", "slow down"), "the API server has too much to do (429): slow down"),
    ];
    for (refusal, words) in table {
        let (message, retry_after) = unreachable(&refusal);
        assert!(message.contains(words), "{message}");
        assert_eq!(retry_after, None);
    }
}

#[test]
fn the_server_says_how_long_it_wants_to_be_left_alone() {
    let mut refusal = answer(429, "TooManyRequests", "");
    refusal.retry_after = Some(7);
    assert_eq!(unreachable(&refusal).1, Some(7));
    let details: StatusDetails =
        serde_json::from_value(serde_json::json!({ "retryAfterSeconds": 3 })).unwrap();
    refusal.status.details = Some(details);
    assert_eq!(unreachable(&refusal).1, Some(7), "the header wins");
    refusal.retry_after = None;
    assert_eq!(unreachable(&refusal).1, Some(3));
    refusal.status.details = None;
    assert_eq!(unreachable(&refusal).1, None);
}

/// A server, or a proxy before it, that broke down after it may have taken the object.
#[test]
fn everything_else_may_have_been_taken() {
    for code in [301, 408, 500, 502, 503, 504, 599] {
        match judge(&answer(code, "", "broke down")) {
            SubmitError::Unknown { message } => {
                assert_eq!(message, format!("the API server answered {code}: broke down"));
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

#[test]
fn causes_are_told_once() {
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);
    let error = Said("outer: inner", Some(Box::new(Said("inner", Some(Box::new(Said("refused", None)))))));
    assert_eq!(in_full(&error), "outer: inner: refused");
}
