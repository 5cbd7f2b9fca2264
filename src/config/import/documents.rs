use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::problem::Problem;

/// What is said about the objects of a file.
#[derive(Debug)]
pub(super) struct Remarks {
    file: String,
    /// The object that is looked at, as in `CronJob/nightly`.
    object: String,
    /// The App that it belongs to; empty where that is none.
    app: String,
    /// Each with its App.
    problems: Vec<(String, Problem)>,
}

impl Remarks {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), object: String::new(), app: String::new(), problems: Vec::new() }
    }

    /// What follows is about this object, and belongs to the App of that name.
    pub(super) fn about(&mut self, object: &Object, app: &str) {
        self.object = format!("{}/{}", object.kind, object.name);
        app.clone_into(&mut self.app);
    }

    /// All that was said, each with the name of the App that it is about.
    pub(super) fn into_problems(self) -> Vec<(String, Problem)> {
        self.problems
    }

    pub(super) fn refuse(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push((self.app.clone(), Problem::of_file(self.place(path), message, hint)));
    }

    pub(super) fn warn(&mut self, path: &str, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::of_file(self.place(path), message, hint).only_a_warning();
        self.problems.push((self.app.clone(), problem));
    }

    /// Says of every field of `value` that is not among `known` that it is left out.
    pub(super) fn left_out(&mut self, path: &str, value: &Value, known: &[&str]) {
        let Some(fields) = value.as_object() else { return };
        for field in fields.keys().filter(|field| !known.contains(&field.as_str())) {
            let path = format!("{path}.{field}");
            self.warn(
                &path,
                format!("`{field}` is left out: it has no counterpart here"),
                "what a task needs of it, its command must see to",
            );
        }
    }

    fn place(&self, path: &str) -> String {
        [&self.file, &self.object, path]
            .into_iter()
            .map(|part| part.trim_matches('.'))
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": ")
    }
}

/// An object of a manifest.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) value: Value,
}

impl Object {
    /// The object as what its kind says.
    pub(super) fn read<T: DeserializeOwned>(&self, remarks: &mut Remarks) -> Option<T> {
        match serde_json::from_value(self.value.clone()) {
            Ok(read) => Some(read),
            Err(error) => {
                let message = format!("this is no {}: {error}", self.kind);
                remarks.refuse("", message, "as `kubectl get -o yaml` prints it");
                None
            }
        }
    }
}

/// The objects of all documents, those of a list among them.
pub(super) fn objects(text: &str, remarks: &mut Remarks) -> Vec<Object> {
    let mut objects = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(text) {
        match Value::deserialize(document) {
            Ok(Value::Null) => {}
            Ok(value) => take(value, &mut objects, remarks),
            Err(error) => {
                let message = format!("this is not YAML: {error}");
                remarks.refuse("", message, "a manifest as `kubectl apply -f` takes it");
                // Behind it the reader is lost.
                break;
            }
        }
    }
    objects
}

fn take(value: Value, objects: &mut Vec<Object>, remarks: &mut Remarks) {
    if let Some(items) = value.get("items").and_then(Value::as_array) {
        items.iter().for_each(|item| take(item.clone(), objects, remarks));
        return;
    }
    let text = |path: &str| value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    match (text("/kind"), text("/metadata/name")) {
        (Some(kind), Some(name)) => objects.push(Object { kind, name, value }),
        _ => remarks.refuse(
            "",
            "expected an object with `kind` and `metadata.name`, found one without",
            "a manifest as `kubectl apply -f` takes it",
        ),
    }
}
