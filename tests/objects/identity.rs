use tekcron::executor::label;
use tekcron::executor::pipeline_run::{MetaError, Mismatch, TaskMeta, build, same_run};
use tekcron::task::{Task, TaskId, Trigger};

use crate::sample::{config, manual, scheduled};

fn meta(task: &Task) -> k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta {
    build(&config(), task, None).unwrap().metadata
}

#[test]
fn the_object_alone_tells_whose_it_is() {
    let mut retried = scheduled();
    (retried.attempt, retried.first_attempt, retried.trigger) = (2, Some(TaskId(17)), Trigger::Retry);
    for task in [scheduled(), retried, manual("etl")] {
        assert_eq!(TaskMeta::read(&meta(&task)), Ok(TaskMeta::of("tekcron", &task)));
    }
}

#[test]
fn the_same_run_under_another_id_is_adopted_with_that_id() {
    let theirs = Task { id: TaskId(12), display_name: "x".into(), generation: "older".into(), ..scheduled() };
    assert_eq!(same_run(&meta(&scheduled()), &meta(&theirs)), Ok(TaskId(12)));
}

#[test]
fn a_run_that_differs_in_any_part_of_its_identity_is_another() {
    let part = |theirs: &Task| match same_run(&meta(&scheduled()), &meta(theirs)) {
        Err(Mismatch::Differs { part, .. }) => part,
        other => panic!("expected a difference, found {other:?}"),
    };
    assert_eq!(part(&Task { app: "plain".parse().unwrap(), job: None, ..scheduled() }), "App");
    assert_eq!(part(&Task { job: None, ..scheduled() }), "job");
    assert_eq!(part(&Task { schedule: Some("other".parse().unwrap()), ..scheduled() }), "schedule");
    assert_eq!(part(&Task { scheduled: None, ..scheduled() }), "slot");
    assert_eq!(part(&Task { ordinal: 1, ..scheduled() }), "run ordinal");
    assert_eq!(part(&Task { attempt: 2, ..scheduled() }), "attempt");
    assert_eq!(part(&Task { request: Some("r".into()), ..scheduled() }), "request");

    let mut theirs = meta(&scheduled());
    theirs.labels.as_mut().unwrap().insert(label::INSTANCE.into(), "other".into());
    let other = same_run(&meta(&scheduled()), &theirs).unwrap_err();
    assert_eq!(other.to_string(), "another run has this name: expected instance `tekcron`, found `other`");
}

#[test]
fn an_object_that_is_not_ours_is_said_to_be_so() {
    let mut theirs = meta(&scheduled());
    theirs.labels = None;
    assert_eq!(TaskMeta::read(&theirs), Err(MetaError::Missing(label::MANAGED_BY)));
    theirs.labels = Some([(label::MANAGED_BY.to_owned(), "helm".to_owned())].into());
    assert_eq!(
        same_run(&meta(&scheduled()), &theirs),
        Err(Mismatch::Unreadable(MetaError::Foreign("helm".into())))
    );
    let mut broken = meta(&scheduled());
    broken.annotations.as_mut().unwrap().insert(label::SLOT.into(), "yesterday".into());
    assert!(matches!(TaskMeta::read(&broken), Err(MetaError::Unreadable { key: label::SLOT, .. })));
}
