//! Reading what lies in `deploy`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// Where it lies.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy")
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The one object in a file.
pub(crate) fn object(path: &str) -> Value {
    let text = text(path);
    let mut documents = serde_yaml_ng::Deserializer::from_str(&text);
    let object =
        Value::deserialize(documents.next().unwrap()).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(documents.next().is_none(), "{path}: more than one object");
    object
}

/// Every file in `deploy` that ends in `end`, by its path there.
pub(crate) fn files(end: &str) -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![folder()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path.strip_prefix(folder()).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

pub(crate) fn stateful_set() -> Value {
    object("base/statefulset.yaml")
}

/// The pod of the StatefulSet.
pub(crate) fn pod() -> Value {
    stateful_set()["spec"]["template"]["spec"].take()
}

/// Its one container.
pub(crate) fn container() -> Value {
    let mut containers = pod()["containers"].take();
    assert_eq!(containers.as_array().unwrap().len(), 1);
    containers[0].take()
}

/// What stands at `pointer`, which has to be a text.
pub(crate) fn word<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {object:#}"))
}

pub(crate) fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}
