use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::Value;
use tekcron::cli::schema::{self, SchemaArgs, SchemaFile};
use tekcron::config::{Config, Place as Spot};

use crate::harness::{PLAIN, Place};
use crate::sample;

fn schema(file: SchemaFile) -> Value {
    let mut out = Vec::new();
    schema::run(&SchemaArgs { file }, &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

fn validator(file: SchemaFile) -> Validator {
    jsonschema::validator_for(&schema(file)).unwrap()
}

fn json(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

/// A `[build]` without fault.
const BUILD: &str =
    "public_url = \"https://a\"\n[build]\nbuilder = \"kaniko\"\nimage = \"a\"\nregistry = \"a\"\n";

/// Each table of the files: the file, where its keys are in the schema, and a text in which it has the key
/// `zzz` of no meaning.
fn tables() -> Vec<(SchemaFile, &'static str, String)> {
    let app = |text: &str| format!("{PLAIN}{text}");
    let job = |text: &str| app(&format!("[[jobs]]\nname = \"j\"\n{text}"));
    vec![
        (SchemaFile::App, "/properties", format!("zzz = 1\n{PLAIN}")),
        (SchemaFile::App, "/definitions/App/properties", app("zzz = 1")),
        (SchemaFile::App, "/definitions/AppBuild/properties", app("[build]\nzzz = 1")),
        (SchemaFile::App, "/definitions/Job/properties", job("zzz = 1")),
        (
            SchemaFile::App,
            "/definitions/Schedule/properties",
            job("schedules = [{ cron = \"@daily\", zzz = 1 }]"),
        ),
        (SchemaFile::App, "/definitions/Retries/properties", job("retries = { attempts = 1, zzz = 1 }")),
        (SchemaFile::App, "/definitions/OnFailure/properties", job("on_failure = { zzz = 1 }")),
        (
            SchemaFile::App,
            "/definitions/OnRecovery/properties",
            job("on_failure = {}\non_recovery = { zzz = 1 }"),
        ),
        (SchemaFile::App, "/definitions/PodTemplate/properties", app("pod_template = { zzz = 1 }")),
        (
            SchemaFile::App,
            "/definitions/Toleration/properties",
            app("pod_template = { tolerations = [{ zzz = 1 }] }"),
        ),
        (
            SchemaFile::App,
            "/definitions/Volume/properties",
            app("pod_template = { volumes = [{ empty_dir = true, mount_path = \"/x\", zzz = 1 }] }"),
        ),
        (SchemaFile::Settings, "/properties", "zzz = 1".to_owned()),
        (SchemaFile::Settings, "/definitions/Tls/properties", "[tls]\nzzz = 1".to_owned()),
        (SchemaFile::Settings, "/definitions/Build/properties", format!("{BUILD}zzz = 1")),
        (SchemaFile::Settings, "/definitions/Notify/properties", "[notify]\nzzz = 1".to_owned()),
        (
            SchemaFile::Settings,
            "/definitions/Webhook/properties",
            "[notify.webhooks.ops]\nurl = \"https://a\"\nsecret = { env = \"A\" }\nzzz = 1".to_owned(),
        ),
        (
            SchemaFile::Settings,
            "/definitions/Mail/properties",
            "[notify.mails.ops]\nserver = \"a\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\nzzz = 1".to_owned(),
        ),
        (
            SchemaFile::Settings,
            "/definitions/Service/properties",
            "[services.db]\ncredentials = { env = \"DB\" }\nzzz = 1".to_owned(),
        ),
        (
            SchemaFile::Settings,
            "/definitions/SecurityGroup/properties",
            "[security_groups.g]\nrules = []\nzzz = 1".to_owned(),
        ),
        (
            SchemaFile::Settings,
            "/definitions/Calendar/properties",
            "[calendars.c]\ndates = []\nzzz = 1".to_owned(),
        ),
        (
            SchemaFile::Settings,
            "/definitions/Rule/properties",
            "[security_groups.g]\nrules = [{ protocol = \"all\", destination = \"10.0.0.0/8\", zzz = 1 }]"
                .to_owned(),
        ),
    ]
}

/// A place where `text` is one of the files and the other is without fault.
fn place(file: SchemaFile, text: &str) -> Place {
    match file {
        SchemaFile::App => Place::with_app(text),
        SchemaFile::Settings => Place::with_settings(text),
    }
}

/// The keys that the parser lists when it finds one that it does not know.
fn keys_of_the_parser(file: SchemaFile, text: &str) -> BTreeSet<String> {
    let checked = place(file, text).look();
    let [problem] = checked.problems.iter().collect::<Vec<_>>()[..] else { panic!("{}", checked.problems) };
    assert_eq!(problem.message, "unknown key `zzz`");
    let hint = problem.hint.strip_prefix("the keys here are ").unwrap();
    hint.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
}

#[test]
fn schema_and_parser_know_the_same_keys() {
    for (file, table, text) in tables() {
        let properties = schema(file).pointer(table).cloned().unwrap();
        let keys: BTreeSet<String> = properties.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, keys_of_the_parser(file, &text), "{file:?} {table}");
        assert!(!validator(file).is_valid(&json(&text)), "the schema takes `zzz` in {table}");
    }
}

#[test]
fn the_samples_hold_every_key_and_both_accept_them() {
    let place = Place::with(&[
        ("tekcron.toml", sample::SETTINGS),
        ("holidays.ics", sample::HOLIDAYS),
        ("apps/etl.toml", sample::APP),
    ]);
    std::fs::create_dir(place.path().join("work")).unwrap();
    place.load();
    for (file, text) in [(SchemaFile::App, sample::APP), (SchemaFile::Settings, sample::SETTINGS)] {
        let wrong: Vec<_> = validator(file).iter_errors(&json(text)).map(|error| error.to_string()).collect();
        assert_eq!(wrong, [""; 0], "{file:?}");
    }
    let app = json(sample::APP);
    let settings = json(sample::SETTINGS);
    for (file, properties, table) in [
        (SchemaFile::App, "/definitions/App/properties", &app["app"]),
        (SchemaFile::App, "/definitions/Schedule/properties", &app["jobs"][1]["schedules"][0]),
        (SchemaFile::App, "/definitions/Retries/properties", &app["jobs"][0]["retries"]),
        (SchemaFile::App, "/definitions/OnFailure/properties", &app["jobs"][0]["on_failure"]),
        (SchemaFile::App, "/definitions/OnRecovery/properties", &app["jobs"][0]["on_recovery"]),
        (SchemaFile::Settings, "/definitions/Build/properties", &settings["build"]),
        (SchemaFile::Settings, "/definitions/Notify/properties", &settings["notify"]),
        (SchemaFile::Settings, "/definitions/Webhook/properties", &settings["notify"]["webhooks"]["ops"]),
        (SchemaFile::Settings, "/definitions/Mail/properties", &settings["notify"]["mails"]["oncall"]),
        (SchemaFile::App, "/definitions/PodTemplate/properties", &app["app"]["pod_template"]),
        (
            SchemaFile::App,
            "/definitions/Toleration/properties",
            &app["app"]["pod_template"]["tolerations"][0],
        ),
        (SchemaFile::Settings, "/properties", &settings),
        (
            SchemaFile::Settings,
            "/definitions/SecurityGroup/properties",
            &settings["security_groups"]["public_networks"],
        ),
        (SchemaFile::Settings, "/definitions/Calendar/properties", &settings["calendars"]["holidays"]),
        (
            SchemaFile::Settings,
            "/definitions/Rule/properties",
            &settings["security_groups"]["public_networks"]["rules"][0],
        ),
        (SchemaFile::Settings, "/definitions/Tls/properties", &settings["tls"]),
        (SchemaFile::Settings, "/definitions/Service/properties", &settings["services"]["warehouse"]),
    ] {
        for key in schema(file).pointer(properties).unwrap().as_object().unwrap().keys() {
            assert!(table.get(key).is_some(), "the sample lacks `{key}` of {properties}");
        }
    }
}

#[test]
fn what_the_schema_refuses_the_parser_refuses_too() {
    let app = |text: &str| (SchemaFile::App, format!("{PLAIN}{text}"));
    let job = |text: &str| app(&format!("[[jobs]]\nname = \"j\"\n{text}"));
    let settings = |text: &str| (SchemaFile::Settings, text.to_owned());
    for (file, text) in [
        (SchemaFile::App, String::new()),
        (SchemaFile::App, "[app]\ncommand = \"date\"".to_owned()),
        (SchemaFile::App, "[app]\nname = \"Etl\"\ncommand = \"date\"".to_owned()),
        app("memory = 512"),
        app("memory = \"512\""),
        app("memory = \"-1Mi\""),
        app("cpu = \"half\""),
        app("cpu = -1"),
        app("timeout = 90"),
        app("timeout = \"90\""),
        app("keep = 0"),
        app("keep = \"many\""),
        app("state = \"yes\""),
        app("services = \"db\""),
        app("logs_on_terminate = \"burn\""),
        app("[app.env]\n2ND = \"x\""),
        app("[app.env]\nPORT = 8080"),
        app("[[jobs]]"),
        app("[jobs]\nname = \"j\""),
        job("command = []"),
        job("command = [1]"),
        job("command = \"\""),
        job("schedules = [\"@daily\"]"),
        job("schedules = [{ timezone = \"UTC\" }]"),
        job("schedules = [{ cron = \"@daily\", id = \"-\" }]"),
        job("dst = \"summer\""),
        job("catch_up = \"some\""),
        job("max_catch_up = 0"),
        job("overlap = \"sometimes\""),
        job("on_failure = 3"),
        job("on_failure = { after = 0 }"),
        job("on_failure = { after = \"3\" }"),
        settings("[notify.webhooks.ops]\nurl = \"ftp://x\"\nsecret = { env = \"A\" }"),
        settings("[notify.webhooks.ops]\nurl = \"https://x\""),
        settings("[notify.webhooks.ops]\nurl = \"https://x\"\nsecret = \"whsec_x\""),
        settings("[notify.webhooks.ops]\nurl = \"https://x\"\nsecret = { env = \"A\", file = \"b\" }"),
        settings("[notify.mails.ops]\nserver = \"a\"\nfrom = \"a@b.c\"\nto = []"),
        settings("[notify.mails.ops]\nserver = \"a\"\nfrom = \"a@b.c\"\nto = [\"a@b.c\"]\ntls = \"maybe\""),
        job("retries = 3"),
        job("retries = { backoff = \"1s\" }"),
        job("retries = { attempts = -1 }"),
        app("pod_template = []"),
        app("pod_template = { node_selector = [\"a\"] }"),
        app("pod_template = { run_as_user = -1 }"),
        app("pod_template = { run_as_non_root = \"yes\" }"),
        app("pod_template = { image_pull_secrets = [\"A B\"] }"),
        app("pod_template = { tolerations = [{ effect = \"Never\" }] }"),
        app("pod_template = { volumes = [{ empty_dir = true }] }"),
        app("pod_template = { volumes = [{ secret = \"A\", mount_path = \"/x\" }] }"),
        app("pod_template = { volumes = [{ secret = \"a\", mount_path = \"x\" }] }"),
        settings("[security_groups.g]"),
        settings("[security_groups.g]\nrules = {}"),
        settings("[security_groups.g]\nrules = [{ protocol = \"icmp\", destination = \"10.0.0.1\" }]"),
        settings("[security_groups.g]\nrules = [{ protocol = \"all\" }]"),
        settings(
            "[security_groups.g]\nrules = [{ protocol = \"tcp\", destination = \"10.0.0.1\", ports = 443 }]",
        ),
        settings(
            "[security_groups.g]\nrules = [{ protocol = \"tcp\", destination = \"10.0.0.1\", ports = \"x\" }]",
        ),
        settings("[services.db]\ncredentials = { secret = \"A B\" }"),
        settings("[services.db]\ncredentials = { secret = \"a\", env = \"B\" }"),
        settings("instance = \"a b\""),
        settings("max_children = 0"),
        settings("[groups.db]"),
        settings("[groups.db]\nmax_running = 0"),
        settings("grace = 10"),
        settings("log_format = \"xml\""),
        settings("max_log = \"10\""),
        settings("executor = \"kubernetes\""),
        settings("max_creates = 257"),
        settings("max_submitted = 0"),
        settings("finalizer = \"yes\""),
        settings("unschedulable_after = 10"),
        settings("log_stream = \"stderr\""),
        settings("kube_context = \"\""),
        settings("public_url = \"tekcron.example\""),
        settings("public_url = \"https://a\"\n[build]\nbuilder = \"kaniko\"\nimage = \"a\""),
        settings(
            "public_url = \"https://a\"\n[build]\nbuilder = \"docker\"\nimage = \"a\"\nregistry = \"a\"",
        ),
        settings(&format!("{BUILD}args = \"--x\"")),
        settings(&format!("{BUILD}registry_secret = \"A B\"")),
        settings(&format!("{BUILD}fetch_image = \"\"")),
        settings(&format!("{BUILD}timeout = 30")),
        settings("[services.db]"),
        settings("[services.db]\ncredentials = \"postgres://x\""),
        settings("[services.db]\ncredentials = { uri = \"postgres://x\" }"),
        settings("[services.db]\ncredentials = { env = \"A\", file = \"b\" }"),
    ] {
        assert!(!validator(file).is_valid(&json(&text)), "the schema takes\n{text}");
        assert!(place(file, &text).look().config.is_none(), "the parser takes\n{text}");
    }
}

#[test]
fn every_word_of_the_schema_is_one_of_the_parsers() {
    for (file, definition, key) in [
        (SchemaFile::App, "Dst", "dst"),
        (SchemaFile::App, "CatchUp", "catch_up"),
        (SchemaFile::App, "Overlap", "overlap"),
        (SchemaFile::App, "LogsOnTerminate", "logs_on_terminate"),
        (SchemaFile::Settings, "LogFormat", "log_format"),
        (SchemaFile::Settings, "LogStream", "log_stream"),
        (SchemaFile::Settings, "Executor", "executor"),
        (SchemaFile::Settings, "Builder", "builder"),
    ] {
        let words = schema(file)["definitions"][definition]["oneOf"].as_array().cloned().unwrap();
        assert!(!words.is_empty());
        for word in words {
            let line = format!("{key} = {}\n", word["const"]);
            let text = match (file, key) {
                (_, "builder") => format!(
                    "{}args = [\"{{digest_file}}\"]\n",
                    BUILD.replace("builder = \"kaniko\"\n", &line)
                ),
                (SchemaFile::Settings, _) => line,
                (_, "logs_on_terminate") => format!("{PLAIN}{line}"),
                _ => format!("{PLAIN}[[jobs]]\nname = \"j\"\n{line}"),
            };
            let place = place(file, &text);
            if key == "executor" {
                place.write("apps/plain.toml", &format!("{PLAIN}image = \"busybox\"\n"));
            }
            assert!(place.look().problems.is_empty(), "{text}");
        }
    }
}

#[test]
fn a_default_in_the_schema_is_what_the_parser_does() {
    let job = "[[jobs]]\nname = \"j\"\nschedule = \"@daily\"\n";
    let app = |text: &str| Config::from_toml("", &[text]).unwrap().apps;
    let mut seen = 0;
    let mut defaults = |file, table: &str| -> Vec<String> {
        let properties = schema(file).pointer(table).and_then(Value::as_object).cloned().unwrap();
        let with_default = properties.into_iter().filter_map(|(key, property)| {
            property.get("default").map(|default| format!("{key} = {default}\n"))
        });
        let lines: Vec<String> = with_default.collect();
        seen += lines.len();
        lines
    };
    for line in defaults(SchemaFile::Settings, "/properties") {
        let said = Config::from_toml(&line, &[PLAIN]).unwrap().settings;
        assert_eq!(said, Config::from_toml("", &[PLAIN]).unwrap().settings, "{line}");
    }
    for line in defaults(SchemaFile::Settings, "/definitions/Build/properties") {
        let build =
            |keys: &str| Config::from_toml(&format!("{BUILD}{keys}"), &[PLAIN]).unwrap().settings.build;
        assert_eq!(build(&line), build(""), "{line}");
    }
    for line in defaults(SchemaFile::App, "/definitions/App/properties") {
        assert_eq!(app(&format!("{PLAIN}{line}")), app(PLAIN), "{line}");
    }
    for line in defaults(SchemaFile::App, "/definitions/Job/properties") {
        assert_eq!(app(&format!("{PLAIN}{job}{line}")), app(&format!("{PLAIN}{job}")), "{line}");
    }
    for line in defaults(SchemaFile::App, "/definitions/Retries/properties") {
        let retries = |keys: &str| app(&format!("{PLAIN}{job}retries = {{ attempts = 1{keys} }}"));
        assert_eq!(retries(&format!(", {}", line.trim())), retries(""), "{line}");
    }
    assert!(seen > 20, "only {seen} defaults are in the schema");
}

#[test]
fn an_unknown_key_is_placed_where_it_stands() {
    for (file, _, text) in tables() {
        let checked = place(file, &text).look();
        let spot = checked.problems.iter().next().map(|problem| problem.place.clone());
        let Some(Spot::Text(excerpt)) = spot else { panic!("{spot:?}") };
        assert_eq!(&excerpt.text[excerpt.span.clone()], "zzz");
    }
}
