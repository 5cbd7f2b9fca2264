//! The page about the API says what the API does.

use std::path::Path;

use tekcron::api::routes;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md")).unwrap()
}

#[test]
fn the_page_lists_every_route_and_no_other() {
    let page = page();
    let mut listed: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(route, _)| route.split('?').next().unwrap_or(route).to_owned())
        .filter(|route| ["GET ", "POST ", "PUT ", "DELETE "].iter().any(|method| route.starts_with(method)))
        .collect();
    let mut served: Vec<_> = routes().map(|(method, path, _)| format!("{method} {path}")).collect();
    listed.sort();
    served.sort();
    assert_eq!(listed, served);
}

#[test]
fn the_page_lists_every_metric_that_is_described() {
    let source = include_str!("../../src/telemetry.rs");
    let names: Vec<_> =
        source.split('"').filter(|text| text.starts_with("tekcron_") && !text.contains(' ')).collect();
    assert!(names.len() > 10);
    for name in names {
        assert!(page().contains(&format!("`{name}")), "{name}");
    }
}
