//! How the service is found, and who gets to see the token.

use std::fs;

use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::fake::{Fake, Reply, Run, TOKEN, tekcron};
use crate::sample::task;

const LIST: &str = "GET /v1/tasks?limit=50";

fn one_task() -> [(&'static str, Reply); 1] {
    [(LIST, Reply::page(&[task(7)], None))]
}

#[tokio::test]
async fn address_and_token_are_found_in_the_data_directory() {
    for by_flag in [true, false] {
        let fake = Fake::start(one_task()).await;
        let directory = fake.data_dir.path().to_str().unwrap().to_owned();
        let run = if by_flag {
            Run::of(tekcron(&["tasks", "--data-dir", &directory])).await
        } else {
            fake.run(&["tasks"]).await
        };
        assert_eq!(run.code, 0, "{run}");
        fake.requests();
    }
}

#[tokio::test]
async fn the_data_directory_is_beside_that_of_the_configuration() {
    let fake = Fake::start(one_task()).await;
    let home = TempDir::new().unwrap();
    fs::create_dir(home.path().join("data")).unwrap();
    for file in ["address", "token"] {
        fs::copy(fake.data_dir.path().join(file), home.path().join("data").join(file)).unwrap();
    }
    let config = home.path().join("config");
    let run = Run::of(tekcron(&["--config", config.to_str().unwrap(), "tasks"])).await;
    assert_eq!(run.code, 0, "{run}");
    fake.requests();
}

#[tokio::test]
async fn url_and_token_come_from_the_environment_or_a_file() {
    let fake = Fake::start(one_task()).await;
    let mut command = tekcron(&["tasks"]);
    command.env("TEKCRON_URL", &fake.url).env("TEKCRON_TOKEN", TOKEN);
    assert_eq!(Run::of(command).await.code, 0);
    fake.requests();

    let fake = Fake::start(one_task()).await;
    let file = fake.data_dir.path().join("token");
    let run = Run::of(tekcron(&["tasks", "--url", &fake.url, "--token-file", file.to_str().unwrap()])).await;
    assert_eq!(run.code, 0, "{run}");
    fake.requests();
}

#[tokio::test]
async fn a_service_that_does_not_run_is_told_with_what_to_do() {
    let run = Run::of(tekcron(&["tasks", "--data-dir", "/nonexistent"])).await;
    insta::assert_snapshot!(run, @r"
    ! error: no tekcron is running on the data directory `/nonexistent`
    ! hint: start it with `tekcron serve`, or say where it is: --data-dir DIR (TEKCRON_DATA_DIR), or --url URL (TEKCRON_URL) with its token in TEKCRON_TOKEN
    [69]
    ");
}

#[tokio::test]
async fn an_address_where_nobody_listens_any_more_is_told() {
    let fake = Fake::start([]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    fs::write(fake.data_dir.path().join("address"), &url).unwrap();
    let run = fake.run(&["tasks"]).await;
    assert_eq!(run.code, 69, "{run}");
    assert!(run.err.starts_with(&format!("error: no tekcron answers at `{url}/`: ")), "{run}");
    assert!(run.err.contains("\nhint: "), "{run}");
}

#[tokio::test]
async fn a_wrong_token_is_told_with_where_it_comes_from() {
    let fake = Fake::start([]).await;
    let mut command = fake.command(&["tasks"]);
    command.env("TEKCRON_TOKEN", "wrong");
    insta::assert_snapshot!(Run::of(command).await, @r"
    ! error: expected a valid token
    ! hint: the token comes from TEKCRON_TOKEN, --token-file, or the file `token` in --data-dir; after a rotation only the new one is valid
    [77]
    ");
    let mut command = fake.command(&["tasks"]);
    command.env("TEKCRON_TOKEN", "a\nb");
    insta::assert_snapshot!(Run::of(command).await, @r"
    ! error: expected a token of letters, digits, `-` and `_`, found other characters
    [77]
    ");
}

#[tokio::test]
async fn a_token_that_is_missing_is_told_with_where_it_was_looked_for() {
    let fake = Fake::start([]).await;
    fs::remove_file(fake.data_dir.path().join("token")).unwrap();
    let run = fake.run(&["tasks"]).await;
    assert_eq!(run.code, 77, "{run}");
    assert!(run.err.contains("cannot read the token in `") && run.err.contains("\nhint: "), "{run}");
}

#[tokio::test]
async fn a_token_never_crosses_the_network_in_clear_text() {
    let mut command = tekcron(&["tasks", "--url", "http://192.0.2.1:7070"]);
    command.env("TEKCRON_TOKEN", TOKEN);
    insta::assert_snapshot!(Run::of(command).await, @r"
    ! error: the token is not sent to `http://192.0.2.1:7070/`: it would cross the network in clear text
    ! hint: use an https URL, with --ca FILE for a certificate of your own, or a tunnel to 127.0.0.1
    [77]
    ");
}

#[tokio::test]
async fn a_token_that_nobody_named_goes_to_this_machine_only() {
    let run = Run::of(tekcron(&["tasks", "--url", "https://tekcron.example"])).await;
    insta::assert_snapshot!(run, @r"
    ! error: `https://tekcron.example/` needs a token
    ! hint: put it in TEKCRON_TOKEN, or name its file with --token-file, or the data directory with --data-dir
    [77]
    ");
}

#[tokio::test]
async fn a_proxy_of_the_environment_does_not_see_a_request_to_this_machine() {
    let fake = Fake::start(one_task()).await;
    let mut command = fake.command(&["tasks"]);
    command.env("http_proxy", "http://127.0.0.1:1").env("HTTP_PROXY", "http://127.0.0.1:1");
    assert_eq!(Run::of(command).await.code, 0);
    fake.requests();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Fake::start([]).await;
    let fake = Fake::start([(LIST, Reply::Redirect(format!("{}/v1/tasks", elsewhere.url)))]).await;
    let run = fake.run(&["tasks"]).await;
    assert_eq!(run.code, 69, "{run}");
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_url_that_is_none_is_told() {
    for url in ["7070", "localhost:7070", "ftp://localhost", "http://"] {
        let mut command = tekcron(&["tasks", "--url", url]);
        command.env("TEKCRON_TOKEN", TOKEN);
        let run = Run::of(command).await;
        assert_eq!(run.code, 64, "{url}: {run}");
        let expected = format!("error: expected a URL as in `http://127.0.0.1:7070`, found `{url}`\n");
        assert_eq!(run.err, expected);
    }
}

#[tokio::test]
async fn a_rotated_token_is_printed_only_to_those_who_brought_their_own() {
    let rotated = || [("POST /v1/token/rotate", Reply::Json(200, json!({ "token": "new" })))];
    let fake = Fake::start(rotated()).await;
    let run = fake.run(&["token", "rotate"]).await;
    assert_eq!((run.code, run.out.as_str()), (0, ""), "{run}");
    assert!(run.err.ends_with(&format!("`{}`\n", fake.data_dir.path().join("token").display())), "{run}");

    let fake = Fake::start(rotated()).await;
    let mut command = fake.command(&["token", "rotate"]);
    command.env("TEKCRON_TOKEN", TOKEN);
    let run = Run::of(command).await;
    assert_eq!((run.code, run.out.as_str()), (0, "new\n"), "{run}");
}

#[tokio::test]
async fn a_token_stands_in_no_output_even_where_the_request_fails() {
    let fake = Fake::start([]).await;
    let mut command = fake.command(&["tasks"]);
    let secret = "c2VjcmV0LXRva2VuLXRoYXQtbm9ib2R5LW1heS1zZWU";
    command.env("TEKCRON_TOKEN", secret).env("RUST_LOG", "trace");
    let run = Run::of(command).await;
    assert_eq!(run.code, 77);
    assert!(!run.to_string().contains(secret), "{run}");
}

#[tokio::test]
async fn an_address_file_that_cannot_be_read_is_named() {
    let fake = Fake::start([]).await;
    let address = fake.data_dir.path().join("address");
    fs::remove_file(&address).unwrap();
    fs::create_dir(&address).unwrap();
    let run = fake.run(&["tasks"]).await;
    assert_eq!(run.code, 69, "{run}");
    assert!(run.err.contains(&format!("cannot read the address in `{}`", address.display())), "{run}");
    assert!(run.err.contains("\nhint: "), "{run}");
}
