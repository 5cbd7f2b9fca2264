//! Stored state of every released format must load: each kind of record, written down as bytes.

use std::fmt::Debug;

use super::*;
use crate::config::{StoredApp, StoredService};
use crate::job::{Pause, SkipNext, Steering};
use crate::notify::{Event, Notice, Receiver};
use crate::push::{Revision, RevisionNumber, RevisionState, SourceHash};
use crate::watch::{BreachKind, OpenBreach, Standing, Streak};

/// The bytes of `golden` read as `expected`, and that is written as those bytes.
fn is_kept<T: Debug + PartialEq>(
    golden: &str,
    expected: &T,
    decode: impl Fn(&[u8]) -> Result<T, StoreError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let bytes = data_encoding::HEXLOWER.decode(golden.trim().as_bytes()).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(&encode(expected)), golden.trim());
    assert_eq!(&decode(&bytes).unwrap(), expected);
}

#[test]
fn what_somebody_decided_about_slots() {
    let by = Some("ops".to_owned());
    let note = Some("the warehouse moves".to_owned());
    let steering = Steering {
        pause: Some(Pause { since: at(60), until: Some(at(3600)), by: by.clone(), note }),
        skip_next: Some(SkipNext { left: 3, by }),
    };
    let golden = include_str!("../../../tests/fixtures/records/steering-v1.hex");
    is_kept(golden, &steering, |bytes| record::decode_steering(b"h", bytes), record::encode_steering);
}

#[test]
fn how_runs_have_ended_of_late() {
    let streak = Streak { failures: 2, failing_since: Some(at(60)), last_success: Some(at(30)) };
    let golden = include_str!("../../../tests/fixtures/records/streak-v1.hex");
    is_kept(golden, &streak, |bytes| record::decode_streak(b"k", bytes), record::encode_streak);
}

#[test]
fn what_a_watched_job_breaks() {
    let open = BreachKind::ALL.map(|kind| OpenBreach { kind, since: at(60), told: kind == BreachKind::Late });
    let standing = Standing { since: at(30), open: open.to_vec() };
    let golden = include_str!("../../../tests/fixtures/records/standing-v1.hex");
    is_kept(golden, &standing, |bytes| record::decode_standing(b"l", bytes), record::encode_standing);
}

#[test]
fn whom_to_tell() {
    let notice = Notice {
        id: "msg_1".to_owned(),
        to: Receiver::Mail("ops".to_owned()),
        event: Event::Recovered,
        job: job(),
        kind: BreachKind::Failing,
        since: at(60),
        at: at(90),
        task: Some(TaskId(7)),
        what: "3 runs in a row failed".to_owned(),
        hint: Some("`tekcron job-history etl.nightly`".to_owned()),
    };
    let golden = include_str!("../../../tests/fixtures/records/notice-v1.hex");
    let at_key = key::notice(&notice.id);
    is_kept(golden, &notice, |bytes| record::decode_notice(&at_key, bytes), record::encode_notice);
}

#[test]
fn a_job_by_command() {
    let toml = "[[jobs]]\nname = \"nightly\"\nschedule = \"0 2 * * *\"\n".to_owned();
    let golden = include_str!("../../../tests/fixtures/records/job-v1.hex");
    is_kept(golden, &toml, |bytes| record::decode("job", b"j", bytes), record::encode);
}

#[test]
fn the_front_of_the_queue() {
    let golden = include_str!("../../../tests/fixtures/records/front-v1.hex");
    is_kept(golden, &-3_i64, |bytes| record::decode("front", b"q", bytes), record::encode);
}

#[test]
fn an_app_that_was_pushed() {
    let app = StoredApp {
        toml: "[app]\nname = \"web\"\n".to_owned(),
        current: Some(RevisionNumber(3)),
        newest: RevisionNumber(300),
        by: Some("alice".to_owned()),
        at: at(60),
        deleting: true,
    };
    let golden = include_str!("../../../tests/fixtures/records/app-v1.hex");
    is_kept(golden, &app, |bytes| record::decode_app(b"e", bytes), record::encode_app);
}

#[test]
fn a_service_that_was_made_by_command() {
    let service = StoredService { toml: "[services.db]\n".to_owned(), by: None, at: at(60) };
    let golden = include_str!("../../../tests/fixtures/records/service-v1.hex");
    is_kept(golden, &service, |bytes| record::decode_service(b"v", bytes), record::encode_service);
}

#[test]
fn a_task_on_a_revision() {
    let image = Some(format!("registry.example/web@sha256:{}", "0f".repeat(32)));
    let task = Task { revision: Some(RevisionNumber(3)), image, ..task(1) };
    let golden = include_str!("../../../tests/fixtures/records/task-v2.hex");
    let at_key = key::task(&task.app, task.id);
    is_kept(golden, &task, |bytes| record::decode_task(&at_key, bytes), record::encode_task);
}

#[test]
fn revisions_of_each_kind() {
    let ready = Revision {
        number: RevisionNumber(3),
        source: Some(SourceHash::of_digest([7; 32])),
        image: Some("registry.example/web:1".to_owned()),
        command: Some(crate::app::Command::shell("sh run.sh").unwrap()),
        state: RevisionState::Ready,
        build: Some(TaskId(9)),
        from: Some(RevisionNumber(1)),
        by: Some("alice".to_owned()),
        at: at(60),
        ended: Some(at(90)),
    };
    let of_image = Revision { source: None, build: None, from: None, by: None, ..ready.clone() };
    let building = Revision {
        image: None,
        command: Some(crate::app::Command::exec(vec!["make".to_owned(), "run".to_owned()]).unwrap()),
        state: RevisionState::Building,
        ended: None,
        ..ready.clone()
    };
    let failed = Revision {
        image: None,
        command: None,
        state: RevisionState::Failed { reason: "its build ended".to_owned() },
        ..ready.clone()
    };
    let golden = include_str!("../../../tests/fixtures/records/revisions-v1.hex");
    let app: crate::app::AppName = "web".parse().unwrap();
    let at_key = key::revision(&app, RevisionNumber(3));
    let revisions = [ready, of_image, building, failed];
    let encoded =
        revisions.iter().map(|revision| data_encoding::HEXLOWER.encode(&record::encode_revision(revision)));
    assert_eq!(encoded.collect::<Vec<_>>().join("\n"), golden.trim());
    for (golden, revision) in golden.lines().zip(&revisions) {
        let decode = |bytes: &[u8]| record::decode_revision(&at_key, bytes).map(|(_, revision)| revision);
        is_kept(golden, revision, decode, record::encode_revision);
    }
}
