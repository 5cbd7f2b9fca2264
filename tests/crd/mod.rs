//! The real schemas of the cluster's objects, for whoever renders one.
//!
//! They lie beside the repository, or in `TEKCRON_CRDS`; elsewhere a test says on stderr that it checks nothing.
//! A schema is made to refuse what the API server would silently prune. What Tekton's schema of a PipelineRun
//! leaves open is checked elsewhere: `pipelineSpec` by the schema of a task in the status of a TaskRun; volumes
//! and the security context, which are open in all of Tekton's, by the types of Kubernetes.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;

use jsonschema::Validator;
use k8s_openapi::api::core::v1::{PodSecurityContext, Volume};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

static SKIPPED: Once = Once::new();

/// Says, even where the tests go well, that no object was checked.
fn skipped(folder: &Path) {
    let line = format!("SKIPPED: no schemas of Tekton at `{}`, so no object was checked\n", folder.display());
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Validators of what a PipelineRun holds.
pub(crate) struct Crds {
    run: Validator,
    task: Validator,
}

impl Crds {
    /// None, and a word about it, where there are no schemas.
    pub(crate) fn read() -> Option<Self> {
        let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tekton");
        let folder = std::env::var_os("TEKCRON_CRDS").map_or_else(beside, PathBuf::from);
        if !folder.is_dir() {
            SKIPPED.call_once(|| skipped(&folder));
            return None;
        }
        let run = schema(&folder.join("crd-300-pipelinerun.yaml"));
        let task = schema(&folder.join("crd-300-taskrun.yaml"));
        Some(Self {
            run: validator(run, ""),
            task: validator(task, "/properties/status/properties/taskSpec"),
        })
    }

    /// What is wrong with a PipelineRun.
    pub(crate) fn faults(&self, run: &Value) -> Vec<String> {
        let mut faults = found(&self.run, run, "");
        let tasks = run.pointer("/spec/pipelineSpec/tasks").and_then(Value::as_array);
        for (index, task) in tasks.into_iter().flatten().enumerate() {
            let at = format!("/spec/pipelineSpec/tasks/{index}/taskSpec");
            faults.extend(found(&self.task, &task["taskSpec"], &at));
            faults.extend(pruned::<Vec<Volume>>(run, &format!("{at}/volumes")));
        }
        let pod = "/spec/taskRunTemplate/podTemplate";
        faults.extend(pruned::<Vec<Volume>>(run, &format!("{pod}/volumes")));
        faults.extend(pruned::<PodSecurityContext>(run, &format!("{pod}/securityContext")));
        faults
    }
}

/// Whether something of what stands at `pointer` is none of the type's.
fn pruned<T: DeserializeOwned + Serialize>(run: &Value, pointer: &str) -> Option<String> {
    let said = run.pointer(pointer)?;
    match serde_json::from_value::<T>(said.clone()) {
        Ok(read) => (json!(read) != *said).then(|| format!("{pointer}: a field is unknown")),
        Err(error) => Some(format!("{pointer}: {error}")),
    }
}

/// Checks one object, where there are schemas to check it by.
#[track_caller]
pub(crate) fn assert_valid(run: &Value) {
    let Some(crds) = Crds::read() else { return };
    assert_eq!(crds.faults(run), [""; 0], "{run:#}");
}

fn found(validator: &Validator, object: &Value, at: &str) -> Vec<String> {
    validator.iter_errors(object).map(|error| format!("{at}{}: {error}", error.instance_path())).collect()
}

fn validator(mut schema: Value, pointer: &str) -> Validator {
    let mut schema = schema.pointer_mut(pointer).expect("the schema has moved").take();
    assert!(schema["properties"].is_object(), "the schema has moved");
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

/// The schema of version `v1`.
fn schema(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let crd: Value = serde_yaml_ng::from_str(&text).unwrap();
    let versions = crd["spec"]["versions"].as_array().unwrap();
    let v1 = versions.iter().find(|version| version["name"] == "v1").unwrap();
    let mut schema = v1["schema"]["openAPIV3Schema"].clone();
    // The API server knows `ObjectMeta` by itself; the schema only names it.
    schema["properties"]["metadata"]["x-kubernetes-preserve-unknown-fields"] = json!(true);
    schema
}

/// Says in JSON Schema what OpenAPI and Kubernetes say in words of their own: a field that is not in
/// `properties` is pruned, `nullable` is a further type, an int-or-string is both.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let says = |key: &str| map.get(key) == Some(&json!(true));
            let (open, nullable) = (says("x-kubernetes-preserve-unknown-fields"), says("nullable"));
            if says("x-kubernetes-int-or-string") {
                map.insert("type".into(), json!(["integer", "string"]));
                map.remove("anyOf");
            }
            if let Some(kind) = map.get("type").filter(|kind| nullable && kind.is_string()).cloned() {
                map.insert("type".into(), json!([kind, "null"]));
            }
            let is_object =
                map.get("type") == Some(&json!("object")) || map.get("properties").is_some_and(is_schemas);
            if is_object && !open && !map.contains_key("additionalProperties") {
                map.insert("additionalProperties".into(), json!(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(all) => all.iter_mut().for_each(close),
        _ => {}
    }
}

/// A field may be called `properties`, too.
fn is_schemas(properties: &Value) -> bool {
    properties.as_object().is_some_and(|fields| fields.values().all(Value::is_object))
}
