use std::path::PathBuf;

use toml::de::DeTable;

use super::env::env;
use super::group::{MAX_RUNNING, group};
use super::job::jobs;
use super::lint;
use super::place::Surroundings;
use super::pod::pod_template;
use crate::app::{
    App, AppName, Build, Command, LogsOnTerminate, Resources, Retention, ServiceName, Timeout, check_image,
};
use crate::config::fault::Fault;
use crate::config::parse;
use crate::config::settings::ExecutorKind;
use crate::config::source::Source;
use crate::config::table::Table;
use crate::config::value::Value;
use crate::executor::pipeline_run::STATE_PATH;
use crate::hint::nearest;

const COMMAND: &str = "as in `command = \"sh etl.sh\"`, or `command = [\"sh\", \"etl.sh\"]`";
const CPU: &str = "`1` is one core, `500m` half of one; left out, nothing limits it";
const BYTES: &str = "`512M` and `512Mi` are 512 mebibytes, `1G` is 1024; left out, nothing limits it";
const KEEP: &str = "how many ended tasks of the App are kept, the newest first; left out, 500";
const KEEP_PER_JOB: &str = "how many ended tasks of each job are kept beyond that; left out, 1";
const LOGS_ON_TERMINATE: &str = "`keep` shows a terminated task's log as any other's, `delete` removes it";

/// The App of one file, and where its name stands. None where it has no usable name.
pub(in crate::config) fn app<'s>(
    source: &'s Source,
    tree: &'s DeTable<'s>,
    around: &Surroundings,
) -> Option<(App, Value<'s>)> {
    let mut root = Table::root(source, tree);
    let app = root.require("app", "a file holds one App: `[app]` with at least `name = \"…\"`");
    let mut table = app.and_then(|value| value.table());
    let may_run = table.as_ref().is_none_or(|table| table.has("command"));
    let called = table.as_mut().and_then(|table| table.get("name")).filter(|name| name.is_text());
    let called = called.and_then(|name| name.text()).unwrap_or_default();
    // Those of a pushed App are stored by themselves.
    let (jobs, places) = match around.pushed {
        true => Default::default(),
        false => jobs(&mut root, called, may_run, around),
    };
    let build = root.get("build").map(|value| build(&value, around)).unwrap_or_default();
    root.finish();
    let mut table = table?;
    let name_at = table.require("name", "as in `name = \"etl\"`");
    let name = name_at.as_ref().and_then(name::<AppName>);
    let state = flag(&mut table, "state");
    let app = App {
        name: name.unwrap_or_else(|| "unnamed".parse().expect("this is a DNS label")),
        file: source.name().to_owned(),
        image: code(&mut table, "image", around).and_then(|value| value.checked(image(value.text()?))),
        path: code(&mut table, "path", around).and_then(|value| path(&value, around)),
        command: command(&mut table),
        env: env(&mut table),
        resources: resources(&mut table),
        services: services(&mut table, around),
        service_account: table
            .get("service_account")
            .and_then(|value| value.checked(parse::object_name(value.text()?))),
        security_groups: security_groups(&mut table, around),
        pod_template: pod_template(&mut table, state.then_some(STATE_PATH)),
        timeout: timeout(&mut table).unwrap_or_default(),
        max_running: table
            .get("max_running")
            .and_then(|value| value.checked(parse::integer(&value.integer()?, 1..=1_000_000, MAX_RUNNING))),
        group: group(&mut table, around),
        retention: retention(&mut table),
        logs_on_terminate: table.get("logs_on_terminate").and_then(logs_on_terminate).unwrap_or_default(),
        state,
        keep_workdir: flag(&mut table, "keep_workdir"),
        stored: false,
        revision: None,
        build,
        jobs,
    };
    lint::runs_at_once(&app, &places, around);
    if !around.pushed && !table.has("command") && app.jobs.is_empty() && !root_has_jobs(tree) {
        table.warn(Fault::new(
            "expected a `command` or `[[jobs]]`, found neither",
            "such an App runs only what `run-task -c COMMAND` gives it",
        ));
    }
    if around.executor == ExecutorKind::Tekton {
        on_a_cluster(&mut table, around.pushed);
    }
    table.finish();
    Some((app, name_at?))
}

/// How the source of a pushed App is built.
fn build(value: &Value<'_>, around: &Surroundings) -> Build {
    let Some(mut table) = value.table() else { return Build::default() };
    if around.pushed
        && around.executor == ExecutorKind::Tekton
        && let Some(command) = table.get("command")
    {
        command.warn(Fault::new(
            "a build's `command` means nothing with `executor = \"tekton\"`: the builder of the settings makes the image",
            "put it into the Dockerfile, or into what the buildpack reads",
        ));
    }
    let build = Build {
        command: command(&mut table),
        env: env(&mut table),
        resources: resources(&mut table),
        timeout: timeout(&mut table),
    };
    table.finish();
    if !around.pushed && build != Build::default() {
        value.warn(Fault::new(
            "`[build]` means nothing here: only what was pushed is built",
            "`tekcron push` takes an App that stands in no file",
        ));
    }
    build
}

/// What a cluster lacks, and what it does not see.
fn on_a_cluster(table: &mut Table<'_>, pushed: bool) {
    if !pushed && !table.has("image") {
        table.refuse(Fault::new(
            "expected an `image`, as `executor = \"tekton\"` runs tasks on a cluster, found none",
            "as in `image = \"docker.io/library/busybox:1.37\"`",
        ));
    }
    let unseen = "a cluster does not see this machine's directories";
    if let Some(path) = table.get("path") {
        path.warn(Fault::new(
            format!("`path` means nothing with `executor = \"tekton\"`: {unseen}"),
            "put the files into the image, or mount them as a volume",
        ));
    }
    if let Some(kept) = table.get("keep_workdir").filter(|value| value.is_true()) {
        kept.warn(Fault::new(
            format!("`keep_workdir` means nothing with `executor = \"tekton\"`: {unseen}"),
            "leave it out; `state = true` keeps a directory of the App on the cluster",
        ));
    }
}

/// A key that says what an App runs. For one that was pushed, its revisions do.
fn code<'s>(table: &mut Table<'s>, key: &'static str, around: &Surroundings) -> Option<Value<'s>> {
    let value = table.get(key)?;
    if around.pushed {
        let message =
            format!("expected no `{key}`: the code of a pushed App is the source or the image of its push");
        value.refuse(Fault::new(message, "`tekcron push` takes `--path DIR` or `--image REF`"));
        return None;
    }
    Some(value)
}

fn root_has_jobs(tree: &DeTable<'_>) -> bool {
    tree.contains_key("jobs")
}

/// A name that becomes a Kubernetes label value.
pub(super) fn name<T: std::str::FromStr<Err = crate::app::NameError>>(value: &Value<'_>) -> Option<T> {
    let text = value.text()?;
    value.checked(text.parse().map_err(|error| parse::bad_name(text, &error)))
}

/// `command`: a shell line, or an array of words.
pub(super) fn command(table: &mut Table<'_>) -> Option<Command> {
    let value = table.get("command")?;
    let command = if value.is_array() {
        let words = value.array()?;
        let texts: Vec<_> = words.iter().filter_map(|word| word.text().map(ToOwned::to_owned)).collect();
        if texts.len() < words.len() {
            return None;
        }
        Command::exec(texts)
    } else if value.is_text() {
        Command::shell(value.text()?)
    } else {
        value.refuse_type("a shell line or an array of words", COMMAND);
        return None;
    };
    value.checked(command.map_err(|error| Fault::of(&error, COMMAND)))
}

/// `cpu`, `memory` and `disk`.
pub(super) fn resources(table: &mut Table<'_>) -> Resources {
    Resources {
        cpu: table.get("cpu").and_then(|value| value.quantity(CPU)),
        memory: table.get("memory").and_then(|value| value.quantity(BYTES)),
        disk: table.get("disk").and_then(|value| value.quantity(BYTES)),
    }
}

/// `timeout`, where `0` is none.
pub(super) fn timeout(table: &mut Table<'_>) -> Option<Timeout> {
    let value = table.get("timeout")?;
    let text = value.scalar()?;
    let none = parse::duration(&text, &parse::WAIT).is_ok_and(|duration| duration.is_zero());
    if none {
        return Some(Timeout::None);
    }
    value.checked(parse::duration(&text, &parse::TIMEOUT)).map(Timeout::After)
}

fn flag(table: &mut Table<'_>, key: &'static str) -> bool {
    table.get(key).and_then(|value| value.boolean()).unwrap_or(false)
}

/// Names of groups, each declared, and once.
fn security_groups(table: &mut Table<'_>, around: &Surroundings) -> Vec<String> {
    let items = table.get("security_groups").and_then(|value| value.array()).unwrap_or_default();
    let mut groups: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(group) = item.text() else { continue };
        let unknown = around.security_groups.as_ref().filter(|known| !known.contains(group));
        if let Some(known) = unknown {
            let hint = match nearest(group, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "security groups are declared in `tekcron.toml`: `[security_groups.NAME]`".to_owned(),
            };
            item.refuse(Fault::new(format!("expected a declared security group, found `{group}`"), hint));
        } else if groups.iter().any(|earlier| earlier == group) {
            item.warn(Fault::new(format!("`{group}` is named twice"), "once is enough"));
        } else {
            groups.push(group.to_owned());
        }
    }
    groups
}

/// An image that a registry may have.
pub(super) fn image(text: &str) -> Result<String, Fault> {
    let text = parse::plain(text)?;
    match text.chars().any(char::is_whitespace) {
        true => Err(Fault::new(
            format!("expected an image without blanks, found `{text}`"),
            "as `docker pull` takes it: `registry.example/etl:1.4`",
        )),
        false => match check_image(&text) {
            Ok(()) => Ok(text),
            Err(error) => Err(Fault::of(&error, "as `docker pull` takes it")),
        },
    }
}

fn path(value: &Value<'_>, around: &Surroundings) -> Option<PathBuf> {
    let path = value.checked(parse::path(value.text()?))?;
    value.checked(around.directory(&path))
}

fn services(table: &mut Table<'_>, around: &Surroundings) -> Vec<ServiceName> {
    let items = table.get("services").and_then(|value| value.array()).unwrap_or_default();
    let mut services: Vec<ServiceName> = Vec::new();
    for item in &items {
        let Some(service) = name::<ServiceName>(item) else { continue };
        if services.contains(&service) {
            item.refuse(Fault::new(format!("the service `{service}` stands twice"), "leave one out"));
        } else if let Some(known) = &around.services
            && !known.contains(service.as_str())
        {
            let known = known.iter().map(String::as_str);
            item.refuse(unknown_service(service.as_str(), known, around.pushed));
        }
        if around.executor == ExecutorKind::Local && around.secret_services.contains(service.as_str()) {
            item.warn(Fault::new(
                format!("service `{service}` is a Secret of a cluster: no task of this App can start here"),
                "`executor = \"tekton\"`, or credentials by `env` or `file`",
            ));
        }
        services.push(service);
    }
    services
}

fn unknown_service<'a>(service: &str, known: impl Iterator<Item = &'a str>, pushed: bool) -> Fault {
    let hint = match nearest(service, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if pushed => {
            format!("`tekcron create-user-provided-service {service} -p CREDENTIALS` makes one")
        }
        None => format!("services are declared in `tekcron.toml`: `[services.{service}]`"),
    };
    Fault::new(format!("expected a declared service, found `{service}`"), hint)
}

fn retention(table: &mut Table<'_>) -> Retention {
    let default = Retention::default();
    let keep = table
        .get("keep")
        .and_then(|value| value.checked(parse::integer(&value.integer()?, 1..=1_000_000, KEEP)));
    let per_job = table.get("keep_per_job");
    let per_job = per_job
        .and_then(|value| value.checked(parse::integer(&value.integer()?, 0..=1_000_000, KEEP_PER_JOB)));
    let age = table.get("keep_for");
    Retention {
        keep: keep.unwrap_or(default.keep),
        keep_for: age.and_then(|value| value.checked(parse::duration(&value.scalar()?, &parse::AGE))),
        keep_per_job: per_job.unwrap_or(default.keep_per_job),
    }
}

fn logs_on_terminate(value: Value<'_>) -> Option<LogsOnTerminate> {
    let words = [("keep", LogsOnTerminate::Keep), ("delete", LogsOnTerminate::Delete)];
    value.checked(parse::word(value.text()?, &words, LOGS_ON_TERMINATE))
}
