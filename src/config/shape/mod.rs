//! The shapes of the files as JSON Schema, for editors that complete and check TOML.
//!
//! [`AppFile`] is a file in `apps`, [`SettingsFile`] is `tekcron.toml`; a field's words are what an editor
//! shows. What the schema accepts, tekcron may still refuse: it cannot look at other files, at directories or
//! at the calendar. These types are never read from anything: the walk in `validate` is what counts. They are written, though: an import
//! makes App files of them.

mod app;
mod pod;
mod settings;
mod value;

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

pub use self::app::{App, AppFile, Job, OnFailure, OnRecovery, Retries, Schedule};
pub use self::pod::{ObjectName, PodTemplate, TaintEffect, Toleration, Volume};
pub use self::settings::{
    Build, Builder, Calendar, Credentials, Group, Mail, MailTls, Notify, Protocol, Rule, Secret,
    SecurityGroup, Service, SettingsFile, Tls, Webhook,
};
pub use self::value::{
    ByteSize, CatchUp, Command, Cpu, Cron, Dst, Duration, Env, Executor, LogFormat, LogStream,
    LogsOnTerminate, Name, Overlap,
};

/// The JSON Schema of an App file.
pub fn app_file() -> Schema {
    generated::<AppFile>("tekcron App file")
}

/// The JSON Schema of `tekcron.toml`.
pub fn settings_file() -> Schema {
    generated::<SettingsFile>("tekcron settings")
}

/// Draft 7, which is what TOML editors know.
fn generated<T: JsonSchema>(title: &str) -> Schema {
    let settings = SchemaSettings::draft07().with_transform(RecursiveTransform(without_null));
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}

/// TOML has no null: what is optional is left out.
fn without_null(schema: &mut Schema) {
    let null = |value: &Value| value == "null" || value == &json!({ "type": "null" });
    for key in ["type", "anyOf"] {
        let Some(choices) = schema.get_mut(key).and_then(Value::as_array_mut) else { continue };
        choices.retain(|choice| !null(choice));
        if choices.len() > 1 {
            continue;
        }
        match (key, choices.pop()) {
            ("type", Some(only)) => {
                schema.insert(key.to_owned(), only);
            }
            (_, Some(Value::Object(only))) => {
                schema.remove(key);
                // Draft 7 ignores what stands beside a `$ref`.
                schema.insert("allOf".to_owned(), json!([only]));
            }
            _ => {}
        }
    }
}
