use std::collections::BTreeMap;

use crate::app::pod::{MountPath, PodTemplate, TaintEffect, Toleration, Volume, VolumeSource};
use crate::app::{is_label_key, is_label_value};
use crate::config::fault::{Fault, listed};
use crate::config::parse;
use crate::config::table::Table;
use crate::config::value::Value;

const ID: &str = "the number of a user or group; left out, the image says which";
const SOURCES: [&str; 4] = ["secret", "config_map", "empty_dir", "persistent_volume_claim"];
const VOLUME: &str = "as in `{ secret = \"certs\", mount_path = \"/etc/certs\" }`";

/// `pod_template` of an App. `state_at` is where its lasting directory lies, where it has one.
pub(super) fn pod_template(app: &mut Table<'_>, state_at: Option<&str>) -> PodTemplate {
    let Some(mut table) = app.get("pod_template").and_then(|value| value.table()) else {
        return PodTemplate::default();
    };
    let mut id = |key| {
        let value = table.get(key)?;
        value.checked(parse::integer(&value.integer()?, 0..=i32::MAX.unsigned_abs(), ID))
    };
    let (run_as_user, run_as_group, fs_group) = (id("run_as_user"), id("run_as_group"), id("fs_group"));
    let run_as_non_root = table.get("run_as_non_root").and_then(|value| {
        let flag = value.boolean()?;
        if flag && run_as_user == Some(0) {
            value.refuse(Fault::new(
                "expected a `run_as_user` other than 0 beside this, found 0",
                "0 is root",
            ));
        }
        Some(flag)
    });
    let template = PodTemplate {
        node_selector: node_selector(&mut table),
        tolerations: items(&mut table, "tolerations", toleration),
        volumes: volumes(&mut table, state_at),
        image_pull_secrets: items(&mut table, "image_pull_secrets", object_name),
        run_as_user,
        run_as_group,
        fs_group,
        run_as_non_root,
    };
    table.finish();
    template
}

fn items<T>(table: &mut Table<'_>, key: &'static str, read: impl Fn(&Value<'_>) -> Option<T>) -> Vec<T> {
    let items = table.get(key).and_then(|value| value.array()).unwrap_or_default();
    items.iter().filter_map(read).collect()
}

fn object_name(value: &Value<'_>) -> Option<String> {
    value.checked(parse::object_name(value.text()?))
}

fn node_selector(table: &mut Table<'_>) -> BTreeMap<String, String> {
    let labels = table.get("node_selector").and_then(|value| value.table());
    let mut selector = BTreeMap::new();
    for entry in labels.iter().flat_map(Table::entries) {
        if !is_label_key(entry.key) {
            entry.refuse(Fault::new(
                format!("expected the key of a label, found `{}`", entry.key),
                "as in `\"kubernetes.io/arch\" = \"arm64\"`",
            ));
        }
        if let Some(text) = entry.value.text().and_then(|text| entry.value.checked(label_value(text))) {
            selector.insert(entry.key.to_owned(), text);
        }
    }
    selector
}

fn label_value(text: &str) -> Result<String, Fault> {
    match text.is_empty() || is_label_value(text) {
        true => Ok(text.to_owned()),
        false => Err(Fault::new(
            format!("expected the value of a label, found `{text}`"),
            "at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
        )),
    }
}

fn toleration(value: &Value<'_>) -> Option<Toleration> {
    let mut table = value.table()?;
    let key = table.get("key").and_then(|value| {
        let key = value.text()?;
        if !is_label_key(key) {
            value.refuse(Fault::new(
                format!("expected the key of a taint, found `{key}`"),
                "as in `node-role.kubernetes.io/batch`; left out, every taint is tolerated",
            ));
        }
        Some(key.to_owned())
    });
    let said = table.get("value");
    let tolerated = said.as_ref().and_then(|value| value.checked(label_value(value.text()?)));
    if let Some(said) = said.filter(|_| !table.has("key")) {
        said.refuse(Fault::new(
            "expected a `key` beside the value, found none",
            "a taint's value belongs to its key",
        ));
    }
    let effect = table.get("effect").and_then(|value| {
        let hint = "left out, whatever the taint does is tolerated";
        value.checked(parse::word(value.text()?, &TaintEffect::WORDS, hint))
    });
    let seconds = table.get("toleration_seconds").and_then(|value| {
        let hint = "how long a task that runs already is left alone; left out, for ever";
        let seconds = value.checked(parse::integer(&value.integer()?, 0..=i32::MAX.unsigned_abs(), hint))?;
        if effect != Some(TaintEffect::NoExecute) {
            value.refuse(Fault::new(
                "expected `effect = \"NoExecute\"` beside this, found another or none",
                "no other taint ends what runs already",
            ));
        }
        Some(seconds)
    });
    table.finish();
    Some(Toleration { key, value: tolerated, effect, seconds })
}

fn volumes(table: &mut Table<'_>, state_at: Option<&str>) -> Vec<Volume> {
    let mut places: BTreeMap<String, String> = BTreeMap::new();
    if let Some(state_at) = state_at {
        places.insert(state_at.to_owned(), "`state = true` has it".to_owned());
    }
    let read = |item: &Value<'_>| {
        let mut table = item.table()?;
        let source = volume_source(&mut table);
        let at = table.require("mount_path", VOLUME);
        let mount_path: Option<MountPath> = at.as_ref().and_then(|at| at.parsed("as in `/etc/certs`"));
        if let (Some(at), Some(path)) = (&at, &mount_path) {
            match places.get(path.as_str()) {
                Some(first) => at.refuse(Fault::new(
                    format!("expected a path of its own, found `{path}` once more"),
                    first.clone(),
                )),
                None => {
                    places.insert(path.to_string(), format!("the first is at {}", at.address()));
                }
            }
        }
        let read_only = table.get("read_only").and_then(|value| value.boolean()).unwrap_or(false);
        table.finish();
        Some(Volume { source: source?, mount_path: mount_path?, read_only })
    };
    let items = table.get("volumes").and_then(|value| value.array()).unwrap_or_default();
    items.iter().filter_map(read).collect()
}

fn volume_source(table: &mut Table<'_>) -> Option<VolumeSource> {
    let given: Vec<_> = SOURCES.iter().copied().filter(|source| table.has(source)).collect();
    let mut named = |key| table.get(key).and_then(|value| object_name(&value));
    let secret = named("secret").map(VolumeSource::Secret);
    let config_map = named("config_map").map(VolumeSource::ConfigMap);
    let claim = named("persistent_volume_claim").map(VolumeSource::PersistentVolumeClaim);
    let empty = table.get("empty_dir").and_then(|value| {
        let flag = value.boolean()?;
        if !flag {
            value.refuse(Fault::new(
                "expected `true`, found `false`",
                "leave the key out where it is not meant",
            ));
        }
        flag.then_some(VolumeSource::EmptyDir)
    });
    if given.len() != 1 {
        let found = if given.is_empty() { "none".to_owned() } else { listed(given) };
        table.refuse(Fault::new(format!("expected one of {}, found {found}", listed(SOURCES)), VOLUME));
        return None;
    }
    secret.or(config_map).or(claim).or(empty)
}
