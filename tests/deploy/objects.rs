//! The manifests, and what they say of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{Service, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tekcron::api::{Access, routes};
use tekcron::executor::tekton::RIGHTS;

use crate::manifest::{container, files, folder, items, object, pod, stateful_set, text, word};

/// An object as Kubernetes' own types read it: what they do not know is missing.
fn as_known<K: DeserializeOwned + Serialize>(object: &Value) -> Value {
    serde_json::to_value(serde_json::from_value::<K>(object.clone()).unwrap()).unwrap()
}

#[test]
fn every_object_is_one_that_kubernetes_knows_field_by_field() {
    for path in files(".yaml") {
        let object = object(&path);
        let known = match word(&object, "/kind") {
            "StatefulSet" if path.starts_with("components/") => {
                // A patch leaves out what the base has.
                let mut whole = object.clone();
                whole["spec"]["selector"] = json!({});
                let mut known = as_known::<StatefulSet>(&whole);
                known["spec"].as_object_mut().unwrap().remove("selector");
                known
            }
            "StatefulSet" => as_known::<StatefulSet>(&object),
            "Service" => as_known::<Service>(&object),
            "ServiceAccount" => as_known::<ServiceAccount>(&object),
            "Role" => as_known::<Role>(&object),
            "RoleBinding" => as_known::<RoleBinding>(&object),
            // Not Kubernetes' own.
            "Kustomization" | "Component" | "ServiceMonitor" => continue,
            kind => panic!("{path}: nobody checks a {kind}"),
        };
        assert_eq!(object, known, "{path}");
    }
}

/// A folder and a path in it, without what `..` takes back.
fn within(kustomization: &str, path: &Value) -> String {
    let folder = Path::new(kustomization).parent().unwrap();
    folder.join(path.as_str().unwrap()).display().to_string()
}

#[test]
fn what_kustomizations_name_is_there_and_what_is_there_is_named() {
    let mut named = BTreeSet::new();
    for path in files("kustomization.yaml") {
        let object = object(&path);
        let patches = items(&object["patches"]).iter().map(|patch| &patch["path"]);
        let generated = items(&object["configMapGenerator"]).iter().flat_map(|map| items(&map["files"]));
        for file in items(&object["resources"]).iter().chain(patches).chain(generated) {
            let file = within(&path, file);
            assert!(folder().join(&file).exists(), "{path}: {file}");
            named.insert(file);
        }
        named.insert(path);
    }
    for file in files(".yaml").into_iter().chain(files(".toml")) {
        assert!(named.contains(&file), "{file} is in no kustomization");
    }
    // Those that are offered in a comment.
    let offered = text("kustomization.yaml");
    let offered: Vec<_> = offered.lines().filter_map(|line| line.strip_prefix("# - ")).collect();
    let offered: Vec<_> = offered.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(offered, ["components/tls", "components/service-monitor"]);
    for component in offered {
        assert_eq!(object(&format!("{component}/kustomization.yaml"))["kind"], "Component");
    }
}

#[test]
fn the_role_grants_what_tekcron_asks_for_and_nothing_else() {
    let role = object("base/role.yaml");
    let granted: Vec<Value> = items(&role["rules"]).to_vec();
    let needed = RIGHTS.map(
        |right| json!({ "apiGroups": [right.group], "resources": [right.resource], "verbs": right.verbs }),
    );
    assert_eq!(granted, needed);
}

#[test]
fn the_pod_has_the_role() {
    let (account, role) = (object("base/serviceaccount.yaml"), object("base/role.yaml"));
    let binding = object("base/rolebinding.yaml");
    let account = &account["metadata"]["name"];
    assert_eq!(binding["roleRef"]["kind"], role["kind"]);
    assert_eq!(binding["roleRef"]["name"], role["metadata"]["name"]);
    // Without a namespace, it is one of the binding's own.
    assert_eq!(binding["subjects"], json!([{ "kind": "ServiceAccount", "name": account }]));
    let pod = pod();
    assert_eq!((&pod["serviceAccountName"], &pod["automountServiceAccountToken"]), (account, &json!(true)));
}

#[test]
fn the_pod_may_do_nothing_that_it_need_not() {
    let (pod, container) = (pod(), container());
    let context = &pod["securityContext"];
    assert_eq!(context["runAsNonRoot"], true);
    assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(context["fsGroup"], context["runAsGroup"]);
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        })
    );
    assert!(container["resources"]["limits"]["memory"].is_string());
    let set = stateful_set();
    assert_eq!(set["spec"]["replicas"], 1);
}

#[test]
fn probes_ask_what_is_open_where_it_is_answered() {
    let container = container();
    let open: Vec<_> =
        routes().filter(|(.., access)| *access == Access::Open).map(|(_, path, _)| path).collect();
    let variables = items(&container["env"]);
    let listen = variables.iter().find(|variable| variable["name"] == "TEKCRON_HEALTH_LISTEN").unwrap();
    let (_, port) = word(listen, "/value").rsplit_once(':').unwrap();
    let ports = json!([{ "name": "probes", "containerPort": port.parse::<u16>().unwrap() }]);
    assert_eq!(container["ports"], ports);
    for (probe, path) in
        [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")]
    {
        assert_eq!(container[probe]["httpGet"], json!({ "path": path, "port": "probes" }), "{probe}");
        assert!(open.contains(&path));
    }
}

#[test]
fn services_and_the_monitor_find_the_pod_and_its_ports() {
    let labels = stateful_set()["spec"]["template"]["metadata"]["labels"].take();
    assert_eq!(labels, stateful_set()["spec"]["selector"]["matchLabels"]);
    let service = object("base/service.yaml");
    assert_eq!(service["spec"]["selector"], labels);
    assert_eq!(service["metadata"]["name"], stateful_set()["spec"]["serviceName"]);
    let ports = |object: &Value| -> BTreeMap<String, Value> {
        let port = |port: &Value| (word(port, "/name").to_owned(), port["containerPort"].clone());
        items(object).iter().map(port).collect()
    };
    let tls = object("components/tls/statefulset.yaml");
    let patched = &tls["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(patched["name"], container()["name"]);
    assert_eq!(tls["metadata"]["name"], stateful_set()["metadata"]["name"]);
    let of_pod: BTreeMap<_, _> =
        ports(&container()["ports"]).into_iter().chain(ports(&patched["ports"])).collect();
    let tls_service = object("components/tls/service.yaml");
    assert_eq!(tls_service["metadata"], service["metadata"]);
    for port in items(&service["spec"]["ports"]).iter().chain(items(&tls_service["spec"]["ports"])) {
        assert_eq!(of_pod[word(port, "/targetPort")], port["port"], "{port}");
    }
    // A Service gets the labels that the base gives to all.
    let given = object("base/kustomization.yaml")["labels"][0]["pairs"].take();
    let monitor = object("components/service-monitor/servicemonitor.yaml");
    assert_eq!(monitor["spec"]["selector"]["matchLabels"], given);
    assert_eq!(given, labels);
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert!(items(&tls_service["spec"]["ports"]).iter().any(|port| port["name"] == endpoint["port"]));
    assert!(routes().any(|(_, path, access)| endpoint["path"] == path && access == Access::Token));
    assert_eq!(endpoint["scheme"], "https");
}

#[test]
fn token_and_certificate_are_those_of_one_secret_each() {
    let endpoint = object("components/service-monitor/servicemonitor.yaml")["spec"]["endpoints"][0].take();
    let container = container();
    let variables = items(&container["env"]);
    let token = variables.iter().find(|variable| variable["name"] == "TEKCRON_TOKEN").unwrap();
    let mut from = token["valueFrom"]["secretKeyRef"].clone();
    // So that a first look needs nothing beforehand.
    assert_eq!(from.as_object_mut().unwrap().remove("optional"), Some(json!(true)));
    assert_eq!(endpoint["authorization"]["credentials"], from);
    let tls = object("components/tls/statefulset.yaml")["spec"]["template"]["spec"].take();
    let (container, volume) = (&tls["containers"][0], &tls["volumes"][0]);
    assert_eq!(container["volumeMounts"][0]["name"], volume["name"]);
    let authority = &endpoint["tlsConfig"]["ca"]["secret"];
    assert_eq!(authority["name"], volume["secret"]["secretName"]);
    let folder = word(container, "/volumeMounts/0/mountPath");
    for (variable, file) in [
        ("TEKCRON_TLS_CERTIFICATE", "tls.crt"),
        ("TEKCRON_TLS_KEY", "tls.key"),
        ("TEKCRON_CA", authority["key"].as_str().unwrap()),
    ] {
        let expected = json!({ "name": variable, "value": format!("{folder}/{file}") });
        assert!(items(&container["env"]).contains(&expected), "{expected}");
    }
}
