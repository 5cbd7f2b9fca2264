use std::path::PathBuf;

use serde_json::Map;
use serde_yaml_ng::Value;

use super::place::Step;
use super::reader::Reader;
use super::variables::{Variables, as_text};
use crate::app::{ByteSize, Command, Cpu, check_image, env};
use crate::config::Problems;
use crate::hint;

/// What a manifest says.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its applications, in its order.
    pub applications: Vec<Application>,
    /// The keys outside of them that mean nothing here.
    pub ignored: Vec<String>,
}

/// One application of a manifest.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Application {
    /// Its name, as it was written.
    pub name: String,
    /// The directory of its source, as it was written: relative to that of the manifest.
    pub path: Option<PathBuf>,
    /// Its image, where it is not to be built.
    pub image: Option<String>,
    /// What it says as keys of the `[app]` table.
    pub app: Map<String, serde_json::Value>,
    /// What it says as keys of the `[build]` table.
    pub build: Map<String, serde_json::Value>,
    /// The keys that mean nothing for an App that tasks run on.
    pub ignored: Vec<String>,
}

/// What an application may say, and is heard here.
const KNOWN: [&str; 12] = [
    "name",
    "path",
    "memory",
    "disk_quota",
    "cpu",
    "command",
    "env",
    "services",
    "docker",
    "instances",
    "no-route",
    OURS,
];

/// What is ours: keys of an App's file, and under `build` those of its `[build]` table.
const OURS: &str = "tekcron";

/// Of Cloud Foundry and of Kf: routes, instances, what keeps them alive, and how an image is built.
const ELSEWHERE: [&str; 44] = [
    "app-features",
    "args",
    "build",
    "buildpack",
    "buildpacks",
    "cnb-credentials",
    "cpu-limit",
    "default-route",
    "dockerfile",
    "domain",
    "domains",
    "droplet",
    "entrypoint",
    "features",
    "health-check",
    "health-check-http-endpoint",
    "health-check-interval",
    "health-check-invocation-timeout",
    "health-check-timeout",
    "health-check-type",
    "host",
    "hosts",
    "inherit",
    "lifecycle",
    "livenessProbe",
    "log-rate-limit-per-second",
    "memory-limit",
    "metadata",
    "no-hostname",
    "ports",
    "processes",
    "random-route",
    "readiness-health-check-http-endpoint",
    "readiness-health-check-interval",
    "readiness-health-check-invocation-timeout",
    "readiness-health-check-type",
    "readinessProbe",
    "routes",
    "sidecars",
    "stack",
    "startupProbe",
    "strategy",
    "timeout",
    "version",
];

const APPLICATIONS: &str = "applications";

/// Reads the manifest `text` of `file`.
///
/// # Errors
/// [`Problems`]: all that is wrong with it, each with its place.
pub fn read(file: &str, text: &str, variables: &Variables) -> Result<Manifest, Problems> {
    let reader = Reader::new(file, text);
    let filled = reader.document().map(|document| variables.fill(&document, &mut Vec::new(), &reader));
    // What a variable stands for is not known: nothing else is said about it.
    let manifest = filled
        .filter(|_| reader.is_sound())
        .map(|document| Part { reader: &reader, value: &document, steps: Vec::new() }.manifest());
    match manifest.flatten().filter(|_| reader.is_sound()) {
        Some(manifest) => Ok(manifest),
        None => Err(reader.into_problems()),
    }
}

/// A part of a manifest.
struct Part<'a> {
    reader: &'a Reader,
    value: &'a Value,
    steps: Vec<Step>,
}

impl<'a> Part<'a> {
    fn refuse(&self, message: impl AsRef<str>, hint: impl AsRef<str>) {
        self.reader.refuse(&self.steps, message.as_ref(), hint.as_ref());
    }

    fn within(&self, step: Step, value: &'a Value) -> Self {
        let steps = self.steps.iter().cloned().chain([step]).collect();
        Self { reader: self.reader, value, steps }
    }

    /// What is under `key`. A key without a value is as good as none.
    fn get(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(self.within(Step::Key(key.to_owned()), value))
    }

    /// The keys with what is under them; refuses whatever has none.
    fn keys(&self) -> Vec<(String, Self)> {
        let Value::Mapping(mapping) = self.value else {
            self.refuse(
                format!("expected keys and values, found {}", kind(self.value)),
                "`key: value`, one a line",
            );
            return Vec::new();
        };
        let key = |(key, value): (&Value, &'a Value)| {
            let key = as_text(key).unwrap_or_else(|| "?".to_owned());
            (key.clone(), self.within(Step::Key(key), value))
        };
        mapping.iter().map(key).collect()
    }

    fn items(&self, hint: &str) -> Vec<Self> {
        match self.value {
            Value::Sequence(items) => {
                items.iter().enumerate().map(|(at, item)| self.within(Step::Item(at), item)).collect()
            }
            other => {
                self.refuse(format!("expected a list, found {}", kind(other)), hint);
                Vec::new()
            }
        }
    }

    /// The text, refused where there is none.
    fn text(&self, hint: &str) -> Option<String> {
        match as_text(self.value).filter(|text| !text.is_empty()) {
            Some(text) => Some(text),
            None => {
                self.refuse(format!("expected a text, found {}", kind(self.value)), hint);
                None
            }
        }
    }

    /// The text, where `check` takes it.
    fn checked<T, E: ToString>(&self, hint: &str, check: impl Fn(&str) -> Result<T, E>) -> Option<String> {
        let text = self.text(hint)?;
        match check(&text) {
            Ok(_) => Some(text),
            Err(error) => {
                let said = error.to_string();
                let (message, better) = hint::split(&said);
                self.refuse(message, better.unwrap_or(hint));
                None
            }
        }
    }

    fn manifest(&self) -> Option<Manifest> {
        if self.value.is_null() {
            self.refuse(
                "expected `applications`, found an empty manifest",
                "`applications:`, and in it `- name: APP`",
            );
            return None;
        }
        let mut ignored = Vec::new();
        for (key, part) in self.keys() {
            match key.as_str() {
                APPLICATIONS | "version" => {}
                key if KNOWN.contains(&key) => part.refuse(
                    format!("`{key}` stands outside of `applications`"),
                    "keys of an application are indented as far as its `name`",
                ),
                _ => ignored.push(key),
            }
        }
        let Some(applications) = self.get(APPLICATIONS) else {
            if self.reader.is_sound() {
                let meant =
                    hint::nearest(APPLICATIONS, &ignored).map(|key| format!("did you mean that by `{key}`?"));
                let hint = meant.unwrap_or_else(|| "`applications:`, and in it `- name: APP`".to_owned());
                self.refuse("expected `applications`, found none", hint);
            }
            return None;
        };
        let listed = applications.items("each application begins with `- name: APP`");
        if listed.is_empty() && self.reader.is_sound() {
            applications.refuse("expected an application, found none", "`- name: APP`");
        }
        Some(Manifest { applications: listed.iter().map(Part::application).collect(), ignored })
    }

    fn application(&self) -> Application {
        let mut application = Application::default();
        for (key, part) in self.keys() {
            if !KNOWN.contains(&key.as_str()) {
                part.unknown(&key, &mut application.ignored);
            }
        }
        match self.get("name") {
            Some(name) => application.name = name.text("`name: APP`").unwrap_or_default(),
            None if self.value.is_mapping() => {
                self.refuse(
                    "expected the `name` of an application, found none",
                    "each begins with `- name: APP`",
                );
            }
            None => {}
        }
        self.code(&mut application);
        self.limits(&mut application.app);
        if let Some(command) = self.get("command") {
            command.command(&mut application.app);
        }
        if let Some(env) = self.get("env") {
            env.env(&mut application.app);
        }
        if let Some(services) = self.get("services") {
            services.services(&mut application);
        }
        self.instances(&mut application.ignored);
        if let Some(ours) = self.get(OURS) {
            ours.ours(&mut application);
        }
        application
    }

    fn unknown(&self, key: &str, ignored: &mut Vec<String>) {
        if ELSEWHERE.contains(&key) || key.starts_with("x-") {
            return ignored.push(key.to_owned());
        }
        let meant =
            hint::nearest(key, KNOWN.iter().chain(&ELSEWHERE)).map(|near| format!("did you mean `{near}`?"));
        let hint = meant.unwrap_or_else(|| "no manifest has such a key; `x-…` is left to others".to_owned());
        self.refuse(format!("the key `{key}` is unknown"), hint);
    }

    /// Where what runs comes from.
    fn code(&self, application: &mut Application) {
        let path = self.get("path");
        application.path = path
            .as_ref()
            .and_then(|path| path.text("a directory, relative to that of the manifest"))
            .map(PathBuf::from);
        let Some(docker) = self.get("docker") else { return };
        for (key, _) in docker.keys() {
            if key != "image" {
                application.ignored.push(format!("docker.{key}"));
            }
        }
        match docker.get("image") {
            Some(image) => {
                application.image = image.checked("`image: registry.example/etl:1.4`", check_image)
            }
            None if docker.value.is_mapping() => {
                docker.refuse("expected an `image`, found none", "`image: registry.example/etl:1.4`")
            }
            None => {}
        }
        if let Some(path) = path.filter(|_| application.image.is_some()) {
            path.refuse(
                "expected `path` or an image, found both",
                "an image is not built: leave out one of them",
            );
        }
    }

    fn limits(&self, app: &mut Map<String, serde_json::Value>) {
        for (key, name) in [("memory", "memory"), ("disk_quota", "disk")] {
            let hint = format!("`{key}: 256M`");
            let size = self.get(key).and_then(|size| size.checked(&hint, str::parse::<ByteSize>));
            app.extend(size.map(|size| (name.to_owned(), size.into())));
        }
        let cpu = self.get("cpu").and_then(|cpu| cpu.checked("`cpu: 500m`", str::parse::<Cpu>));
        app.extend(cpu.map(|cpu| ("cpu".to_owned(), cpu.into())));
    }

    fn command(&self, app: &mut Map<String, serde_json::Value>) {
        let hint = "`command: python main.py`";
        // Cloud Foundry's word for "as the build says".
        if as_text(self.value).is_some_and(|text| matches!(text.as_str(), "null" | "default")) {
            return;
        }
        let command = self.checked(hint, |text| Command::shell(text));
        app.extend(command.map(|command| ("command".to_owned(), command.into())));
    }

    fn env(&self, app: &mut Map<String, serde_json::Value>) {
        let mut variables = Map::new();
        for (name, part) in self.keys() {
            if !env::is_name(&name) {
                let message = format!("expected the name of a variable, found `{name}`");
                part.refuse(
                    message,
                    "it has letters, digits, `_`, `.` and `-`, and begins with none of the digits",
                );
            }
            // As Cloud Foundry does, what has parts is given as JSON.
            let value = match part.value {
                Value::Null => None,
                value => as_text(value).or_else(|| serde_json::to_string(value).ok()),
            };
            match value {
                Some(value) => drop(variables.insert(name, value.into())),
                None => part.refuse(
                    format!("the variable `{name}` has no value"),
                    format!("`{name}: \"\"` sets it to nothing; `tekcron unset-env` removes one"),
                ),
            }
        }
        app.insert("env".to_owned(), variables.into());
    }

    fn services(&self, application: &mut Application) {
        let mut names = Vec::new();
        for service in self.items("`services:`, and in it `- NAME`") {
            if !service.value.is_mapping() {
                names.extend(service.text("the name of a service"));
                continue;
            }
            for (key, _) in service.keys().iter().filter(|(key, _)| key != "name") {
                let key = format!("services.{key}");
                if !application.ignored.contains(&key) {
                    application.ignored.push(key);
                }
            }
            match service.get("name") {
                Some(name) => names.extend(name.text("the name of a service")),
                None => service.refuse("expected the `name` of a service, found none", "`- name: NAME`"),
            }
        }
        application.app.insert("services".to_owned(), names.into());
    }

    /// A task has no instances and no routes; only a wish for some is worth a word.
    fn instances(&self, ignored: &mut Vec<String>) {
        if let Some(instances) = self.get("instances") {
            match as_text(instances.value).and_then(|text| text.parse::<u32>().ok()) {
                Some(0 | 1) => {}
                Some(_) => ignored.push("instances".to_owned()),
                None => instances
                    .refuse(format!("expected a number, found {}", kind(instances.value)), "`instances: 0`"),
            }
        }
        if let Some(no_route) = self.get("no-route") {
            match as_text(no_route.value).as_deref() {
                Some("true") => {}
                Some("false") => ignored.push("no-route".to_owned()),
                _ => no_route.refuse(
                    format!("expected `true` or `false`, found {}", kind(no_route.value)),
                    "`no-route: true`",
                ),
            }
        }
    }

    fn ours(&self, application: &mut Application) {
        for (key, part) in self.keys() {
            match key.as_str() {
                "build" => application.build = part.build(),
                "name" | "path" | "image" | "env" | "services" | "command" | "memory" => {
                    part.refuse(
                        format!("`{key}` does not stand here"),
                        "it is a key of the application itself",
                    );
                }
                _ => drop(application.app.insert(key, part.as_json())),
            }
        }
    }

    /// A shell line alone is its command.
    fn build(&self) -> Map<String, serde_json::Value> {
        match (self.value, self.as_json()) {
            (Value::String(_), line) => Map::from_iter([("command".to_owned(), line)]),
            (_, serde_json::Value::Object(keys)) => keys,
            _ => {
                let message = format!("expected keys of a `[build]` table, found {}", kind(self.value));
                self.refuse(message, "`build: make`, or `build: {command: make, timeout: 10m}`");
                Map::new()
            }
        }
    }

    fn as_json(&self) -> serde_json::Value {
        serde_json::to_value(self.value).unwrap_or_else(|error| {
            self.refuse(format!("this has no counterpart in TOML: {error}"), "keys are texts");
            serde_json::Value::Null
        })
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "`true` or `false`",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Sequence(_) => "a list",
        Value::Mapping(_) => "keys and values",
        Value::Tagged(_) => "a tag",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str) -> Manifest {
        read("manifest.yml", text, &Variables::default()).unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn refused(text: &str) -> String {
        read("manifest.yml", text, &Variables::default()).unwrap_err().to_string()
    }

    #[test]
    fn what_means_something_is_taken_and_the_rest_is_listed() {
        let manifest = taken(
            "---
version: 1
defaults: &defaults
  memory: 256M
  buildpacks: [python_buildpack]
applications:
- name: etl
  <<: *defaults
  path: ./src
  disk_quota: 1G
  command: python main.py
  instances: 0
  no-route: true
  env:
    LEVEL: debug
    COUNT: 3
    ON: true
    LIST: [1, 2]
  services:
  - db
  - name: queue
    parameters: {a: 1}
  routes:
  - route: etl.example.com
  health-check-type: process
  tekcron:
    build: pip install -r requirements.txt -t .
    max_running: 2
- name: mail
  docker: {image: registry.example/mail:1, username: me}
  instances: 3
",
        );
        insta::assert_debug_snapshot!(manifest);
    }

    #[test]
    fn a_wrong_indent_is_told_with_line_and_column() {
        insta::assert_snapshot!(refused("applications:\n- name: etl\n   memory: 1G\n"), @r"
        error: this is not YAML: mapping values are not allowed in this context
         --> manifest.yml:3:10
          |
        3 |    memory: 1G
          |          ^^^^
          |
          = hint: keys of one mapping stand in the same column, and are indented by spaces

        1 problem
        ");
        insta::assert_snapshot!(refused("applications:\n- name: etl\nmemory: 1G\n"), @r"
        error: `memory` stands outside of `applications`
         --> manifest.yml:3:1
          |
        3 | memory: 1G
          | ^^^^^^ memory
          |
          = hint: keys of an application are indented as far as its `name`

        1 problem
        ");
        insta::assert_snapshot!(refused("applications:\n- name: etl\n  env:\n  LEVEL: debug\n"), @r"
        error: the key `LEVEL` is unknown
         --> manifest.yml:4:3
          |
        4 |   LEVEL: debug
          |   ^^^^^ applications[0].LEVEL
          |
          = hint: no manifest has such a key; `x-…` is left to others

        1 problem
        ");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_and_no_value_of_the_environment() {
        insta::assert_snapshot!(refused(
            "applications:
- name: etl
  memory: 256
  disk_quota: lots
  instances: some
  no-route: maybe
  comand: x
  env: {A: , 1B: hunter2}
  docker: {image: 'Not An Image'}
- memory: 1G
  services: db
- just text
"
        ));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        for (text, said) in [
            ("", "found an empty manifest"),
            ("aplications: []\n", "did you mean that by `aplications`?"),
            ("applications:\n", "expected `applications`, found none"),
            ("applications: []\n", "expected an application, found none"),
            ("applications: {name: x}\n", "expected a list, found keys and values"),
            ("just text", "expected keys and values, found a text"),
            ("a: 1\n---\nb: 2\n", "expected one document, found several"),
            ("a: [", "this is not YAML"),
            (
                "applications: [{name: a, path: ., docker: {image: b}}]",
                "expected `path` or an image, found both",
            ),
            ("applications: [{name: a, tekcron: {path: x}}]", "`path` does not stand here"),
            ("applications: [{name: a, tekcron: {build: [x]}}]", "expected keys of a `[build]` table"),
        ] {
            let told = refused(text);
            assert!(told.contains(said), "{text}: {told}");
        }
    }

    #[test]
    fn an_empty_value_is_as_good_as_none() {
        let manifest = taken("applications:\n- name: etl\n  command:\n  services:\n  env:\n  memory: ~\n");
        assert_eq!(manifest.applications, [Application { name: "etl".to_owned(), ..Application::default() }]);
        assert_eq!(taken("applications: [{name: etl, command: 'null'}]").applications[0].app, Map::new());
    }
}
