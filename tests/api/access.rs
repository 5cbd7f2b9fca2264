//! Who may ask what.

use axum::body::Body;
use axum::http::{Method, Request};
use tekcron::api::{self, Access, Token, routes};
use tower::ServiceExt;

use crate::world::{Answer, World, logged};

fn filled(path: &str) -> String {
    path.replace("{app}", "etl").replace("{job}", "nightly").replace("{id}", "1").replace("{name}", "etl-x")
}

#[tokio::test]
async fn without_a_valid_token_every_route_but_the_open_ones_answers_401() {
    let world = World::new();
    let short = &world.token[..42];
    let other = "A".repeat(43);
    let credentials = [
        None,
        Some(String::new()),
        Some(world.token.clone()),
        Some(format!("Basic {}", world.token)),
        Some(format!("Bearer {short}")),
        Some(format!("Bearer {}A", world.token)),
        Some(format!("Bearer {other}")),
        Some("Bearer".to_owned()),
        Some("Bearer \u{e4}".to_owned()),
    ];
    let mut checked = 0;
    for (method, path, access) in routes() {
        for credential in &credentials {
            let mut request = Request::builder().method(method.clone()).uri(filled(path));
            if let Some(credential) = credential {
                request = request.header("authorization", credential.as_bytes());
            }
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            match access {
                Access::Open => assert_eq!(answer.status, 200, "{method} {path} {credential:?}"),
                Access::Token => {
                    answer.expect(401, "unauthorized", "", "Authorization: Bearer");
                    assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"tekcron\"");
                }
                Access::Build => answer.expect(401, "unauthorized", "token of a build", ""),
            }
            checked += 1;
        }
    }
    assert!(checked >= 20 * credentials.len());
    world.end().await;
}

#[tokio::test]
async fn with_the_token_no_route_answers_401_and_the_scheme_may_be_written_in_any_case() {
    let world = World::new();
    let is_asked =
        |path: &str, access| access != Access::Build && !path.contains("rotate") && !path.contains("reload");
    for (method, path, _) in routes().filter(|(_, path, access)| is_asked(path, *access)) {
        let path = filled(path);
        let scheme = format!("bEARER {}", world.token);
        let request = Request::builder().method(method).uri(&path).header("authorization", scheme);
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert!(![401, 403, 405, 500].contains(&answer.status), "{path}: {answer:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn strangers_learn_nothing_about_paths_methods_or_a_verbose_state() {
    let world = World::new();
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/v1"),
        (Method::GET, "/v1/nothing"),
        (Method::DELETE, "/v1/apps"),
        (Method::POST, "/livez"),
        (Method::GET, "/livez/"),
        (Method::GET, "/readyz?verbose"),
        (Method::GET, "/healthz/schedules?verbose"),
        (Method::GET, "/v1/status"),
        (Method::GET, "/livez?x=1"),
        (Method::OPTIONS, "/v1/apps"),
    ] {
        let request = Request::builder().method(method.clone()).uri(path).body(Body::empty()).unwrap();
        assert_eq!(world.send(request).await.status, 401, "{method} {path}");
    }
    let head = Request::builder().method(Method::HEAD).uri("/livez").body(Body::empty()).unwrap();
    assert_eq!(world.send(head).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_token_of_another_length_is_told_so() {
    let world = World::new();
    let request = Request::builder().uri("/v1/apps").header("authorization", "Bearer abc");
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    answer.expect(401, "unauthorized", "expected a token of 43 characters, found 3", "`token`");
    world.end().await;
}

#[tokio::test]
async fn a_rotated_token_is_the_only_one_from_then_on() {
    let mut world = World::new();
    let rotated = world.post("/v1/token/rotate", "").await;
    assert_eq!(rotated.status, 200);
    let old = world.get("/v1/apps").await;
    old.expect(401, "unauthorized", "not valid", "rotated");
    world.token = rotated.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(world.get("/v1/apps").await.status, 200);
    let written = std::fs::read_to_string(world.dir.path().join("token")).unwrap();
    assert_eq!(written, format!("{}\n", world.token));
    world.end().await;
}

#[tokio::test]
async fn a_given_token_is_the_only_one_and_is_changed_by_who_gave_it() {
    let mut world = World::new();
    let given = "A".repeat(Token::LENGTH);
    world.service.token = Token::given(&given.as_str().into()).unwrap();
    let router = api::router(world.service.clone(), "127.0.0.1:7070".parse().unwrap(), world.stop.clone());
    let in_the_file = world.get("/v1/apps").await;
    assert_eq!(in_the_file.status, 200, "the world's own router");
    let request = |method, path, world: &World| world.request(method, path).body(Body::empty()).unwrap();
    let ask = async |request| Answer::of(router.clone().oneshot(request).await.unwrap()).await;
    let stale = ask(request(Method::GET, "/v1/apps", &world)).await;
    stale.expect(401, "unauthorized", "not valid", "TEKCRON_TOKEN");
    let stale = world.token.clone();
    world.token = given;
    assert_eq!(ask(request(Method::GET, "/v1/apps", &world)).await.status, 200);
    let rotated = ask(request(Method::POST, "/v1/token/rotate", &world)).await;
    rotated.expect(409, "given-token", "TEKCRON_TOKEN", "start the service again");
    assert_eq!(ask(request(Method::GET, "/v1/apps", &world)).await.status, 200);
    let written = std::fs::read_to_string(world.dir.path().join("token")).unwrap();
    assert_eq!(written.trim(), stale, "what is there is left alone");
    world.end().await;
}

#[tokio::test]
async fn of_many_rotations_at_once_with_one_token_the_last_wins_and_no_other_is_valid() {
    let mut world = World::new();
    let requests = (0..8).map(|_| world.post("/v1/token/rotate", ""));
    let answers = futures::future::join_all(requests).await;
    let tokens: Vec<_> =
        answers.iter().filter(|answer| answer.status == 200).map(|answer| answer.json()).collect();
    assert!(!tokens.is_empty());
    let written = std::fs::read_to_string(world.dir.path().join("token")).unwrap();
    let mut valid = Vec::new();
    for token in tokens {
        world.token = token["token"].as_str().unwrap().to_owned();
        if world.get("/v1/apps").await.status == 200 {
            valid.push(world.token.clone());
        }
    }
    assert_eq!(valid, [written.trim()]);
    world.end().await;
}

#[tokio::test]
async fn a_name_made_to_point_here_and_a_page_from_elsewhere_are_refused_even_with_the_token() {
    let world = World::new();
    for (name, value) in
        [("host", "evil.example:7070"), ("origin", "http://evil.example"), ("sec-fetch-site", "cross-site")]
    {
        for path in ["/v1/apps", "/livez"] {
            let request = world.request(Method::GET, path).header(name, value).body(Body::empty()).unwrap();
            world.send(request).await.expect(403, "forbidden", "", "");
        }
    }
    let request = world.request(Method::GET, "/v1/apps").header("host", "localhost:7070");
    assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn answers_are_neither_cached_nor_sniffed() {
    let world = World::new();
    for path in ["/v1/apps", "/v1/nothing"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    world.end().await;
}

#[tokio::test]
async fn neither_token_nor_query_nor_body_is_in_our_log() {
    let world = World::new();
    world.get("/v1/tasks?cursor=query-secret").await;
    world.get("/v1/nothing/path-secret").await;
    world.post("/v1/apps/etl/tasks", r#"{"env": {"KEY": "body-secret"}}"#).await;
    let rotated = world.post("/v1/token/rotate", "").await.json();
    let logged = logged();
    assert!(logged.contains("a request was answered") && logged.contains("/v1/apps/{app}/tasks"), "{logged}");
    let new = rotated["token"].as_str().unwrap();
    for secret in [&world.token, new, "query-secret", "path-secret", "body-secret"] {
        assert!(!logged.contains(secret), "{secret}\n{logged}");
    }
    world.end().await;
}
