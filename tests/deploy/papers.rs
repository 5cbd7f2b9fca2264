//! The page about it.

use tekcron::executor::label;

use crate::manifest::{object, stateful_set, text, word};

#[test]
fn the_page_uninstalls_what_is_there() {
    let page = text("README.md");
    let set = stateful_set();
    let claim = word(&set, "/spec/volumeClaimTemplates/0/metadata/name");
    let ours = format!("-l {}=tekcron", label::MANAGED_BY);
    for part in [
        format!("{claim}-{}-0", word(&set, "/metadata/name")),
        format!("\"value\":\"{}\"", label::FINALIZER),
        "\"op\":\"test\"".to_owned(),
        ours,
        "release --all".to_owned(),
        "kubectl delete -k deploy/".to_owned(),
    ] {
        assert!(page.contains(&part), "{part}");
    }
}

#[test]
fn the_page_makes_the_secrets_that_the_manifests_name() {
    let page = text("README.md");
    let endpoint = object("components/service-monitor/servicemonitor.yaml")["spec"]["endpoints"][0].take();
    let token = &endpoint["authorization"]["credentials"];
    let made =
        format!("create secret generic {} --from-literal={}=", word(token, "/name"), word(token, "/key"));
    assert!(page.contains(&made), "{made}");
    let authority = &endpoint["tlsConfig"]["ca"]["secret"];
    let made = format!("create secret generic {} ", word(authority, "/name"));
    assert!(page.contains(&made), "{made}");
}
