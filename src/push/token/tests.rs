use secrecy::ExposeSecret;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::task::Phase;

const NOW: &str = "2026-12-01T02:00:00Z";

fn source(digit: &str) -> SourceHash {
    digit.repeat(64).parse().unwrap()
}

fn build(name: &str) -> Task {
    let task = json!({
        "app": "etl", "id": 7, "name": name, "display_name": "etl", "ordinal": 0, "trigger": "manual",
        "attempt": 1, "overrides": { "env": {}, "resources": {} }, "generation": "", "created": NOW,
        "started": NOW, "phase": "running", "logs_on_terminate": "keep", "log": { "kept": 0, "cut": 0 },
    });
    let mut task: Task = serde_json::from_value(task).unwrap();
    task.overrides.timeout = Some(Timeout::After(SignedDuration::from_mins(30)));
    task
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn token_of(tokens: &SourceTokens, build: &Task, of: &SourceHash) -> String {
    tokens.key.token(&build.name, of).expose_secret().to_owned()
}

#[test]
fn a_token_opens_its_source_once_and_no_restart_makes_it_new() {
    let dir = TempDir::new().unwrap();
    let (task, of) = (build("etl-abc"), source("a"));
    let tokens = SourceTokens::open(dir.path()).unwrap();
    let token = token_of(&tokens, &task, &of);
    tokens.redeem(&token, &of, Some(&task), now()).unwrap();
    let again = SourceTokens::open(dir.path()).unwrap();
    assert_eq!(token_of(&again, &task, &of), token, "made again, it is the same");
    for tokens in [&tokens, &again] {
        assert!(matches!(tokens.redeem(&token, &of, Some(&task), now()), Err(TokenError::Used(_))));
    }
    SourceTokens::forget(dir.path(), &task.name).unwrap();
    SourceTokens::forget(dir.path(), &task.name).unwrap();
    assert_eq!(fs::read_dir(dir.path().join(USED)).unwrap().count(), 0);
}

#[test]
fn of_many_who_come_at_once_one_is_let_in() {
    let dir = TempDir::new().unwrap();
    let (task, of) = (build("etl-abc"), source("a"));
    let tokens = SourceTokens::open(dir.path()).unwrap();
    let token = token_of(&tokens, &task, &of);
    let redeemed = std::thread::scope(|scope| {
        let tries: Vec<_> =
            (0..8).map(|_| scope.spawn(|| tokens.redeem(&token, &of, Some(&task), now()).is_ok())).collect();
        tries.into_iter().map(|tried| tried.join().unwrap()).filter(|let_in| *let_in).count()
    });
    assert_eq!(redeemed, 1);
}

#[test]
fn a_token_of_another_build_source_or_directory_opens_nothing_and_uses_nothing_up() {
    let (dir, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (task, of) = (build("etl-abc"), source("a"));
    let tokens = SourceTokens::open(dir.path()).unwrap();
    let token = token_of(&tokens, &task, &of);
    let (name, tag) = token.split_once('.').unwrap();
    let theirs = token_of(&SourceTokens::open(elsewhere.path()).unwrap(), &task, &of);
    for wrong in [
        "",
        ".",
        name,
        tag,
        &theirs,
        &format!("etl-abd.{tag}"),
        &format!("../x.{tag}"),
        &format!("{name}.{tag}A"),
        &format!("{name}."),
        &format!("{name}.é"),
        &token.to_uppercase(),
    ] {
        let refused = tokens.redeem(wrong, &of, Some(&task), now());
        assert!(matches!(refused, Err(TokenError::Unknown)), "{wrong}");
    }
    let refused = |of: &SourceHash, task: Option<&Task>| tokens.redeem(&token, of, task, now());
    assert!(matches!(refused(&source("b"), Some(&task)), Err(TokenError::Unknown)));
    assert!(matches!(refused(&of, Some(&build("etl-abd"))), Err(TokenError::Unknown)));
    assert!(matches!(refused(&of, None), Err(TokenError::Unknown)), "its record is gone");
    refused(&of, Some(&task)).unwrap();
}

#[test]
fn a_token_ends_with_its_build_and_with_the_time_that_it_may_take() {
    let dir = TempDir::new().unwrap();
    let (mut task, of) = (build("etl-abc"), source("a"));
    let tokens = SourceTokens::open(dir.path()).unwrap();
    let token = token_of(&tokens, &task, &of);
    let later = now() + SignedDuration::from_mins(32);
    let expired =
        |task: &Task, at| matches!(tokens.redeem(&token, &of, Some(task), at), Err(TokenError::Expired(_)));
    assert!(expired(&task, later));
    for phase in [Phase::Succeeded, Phase::Failed, Phase::Cancelled, Phase::TimedOut, Phase::Lost] {
        task.phase = phase;
        assert!(expired(&task, now()), "{phase}");
    }
    task.phase = Phase::Submitted;
    task.started = None;
    tokens.redeem(&token, &of, Some(&task), later).unwrap();
}

#[test]
fn a_key_is_for_its_owner_alone_whole_and_never_replaced() {
    let dir = TempDir::new().unwrap();
    SourceKey::open(dir.path()).unwrap();
    let path = dir.path().join(KEY);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    let key = fs::read(&path).unwrap();
    make_key(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), key);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let refused = SourceKey::open(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("expected mode 0600") && refused.contains("0640"), "{refused}");
    fs::write(&path, &key[1..]).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(SourceKey::open(dir.path()).unwrap_err().to_string().contains("expected 32 bytes"));
}

#[test]
fn whose_a_token_says_it_is() {
    assert_eq!(SourceTokens::claimed("etl-abc.xyz"), Some("etl-abc".parse().unwrap()));
    for none in ["", "etl-abc", ".x", "../etc.x", "Etl.x"] {
        assert_eq!(SourceTokens::claimed(none), None, "{none}");
    }
    let dir = TempDir::new().unwrap();
    let tokens = SourceTokens::open(dir.path()).unwrap();
    assert!(!format!("{tokens:?}").contains("Key("));
}
