//! `queue`: what waits, and the order changed.

use tekcron::api::resources::{Blocked, QueueResource};
use tekcron::task::TaskId;

use crate::fake::{Fake, Reply};
use crate::sample::queued;

fn entries() -> Vec<QueueResource> {
    let behind = QueueResource {
        task: queued(8),
        blocked: Blocked::Run,
        behind: Some(TaskId(7)),
        group: None,
        waits_for: "task 7 of its job".to_owned(),
    };
    let limited = QueueResource {
        task: queued(9),
        blocked: Blocked::Group,
        behind: None,
        group: Some("db".to_owned()),
        waits_for: "max_running = 2 of group db: 2 run".to_owned(),
    };
    vec![behind, limited]
}

async fn shown(args: &[&str], line: &str, reply: Reply) -> String {
    let fake = Fake::start([(line, reply)]).await;
    let run = fake.run(args).await;
    fake.requests();
    run.to_string()
}

#[tokio::test]
async fn what_waits_is_shown_with_what_is_in_its_way() {
    let reply = Reply::page(&entries(), None);
    insta::assert_snapshot!(shown(&["queue", "etl"], "GET /v1/queue?app=etl&limit=50", reply).await);
    let reply = Reply::page(&entries(), None);
    insta::assert_snapshot!(shown(&["queue", "-o", "wide"], "GET /v1/queue?limit=50", reply).await);
    let reply = Reply::page::<QueueResource>(&[], None);
    let none = shown(&["queue"], "GET /v1/queue?limit=50", reply).await;
    assert_eq!(none, "! no waiting tasks found\n[0]");
}

#[tokio::test]
async fn one_is_moved_to_the_front_or_taken_out_by_its_name_or_its_app_and_id() {
    let reply = Reply::ok(&queued(8));
    let args = ["queue", "front", "etl", "8", "-o", "name"];
    insta::assert_snapshot!(shown(&args, "POST /v1/apps/etl/tasks/8/front", reply).await);
    let refused = Reply::error(409, "not-waiting", "task 8 of App `etl` has started: it is `running`", None);
    insta::assert_snapshot!(shown(&["queue", "drop", "etl-x"], "POST /v1/tasks/etl-x/drop", refused).await);
}
