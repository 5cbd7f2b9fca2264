//! What was made by command beside what the files say.

use serde_json::{Map, Value, json};
use tekcron::app::{AppName, Command, CredentialSource};
use tekcron::config::{AppEdit, Config, EditError, NewService, Stored, StoredApp, StoredName, StoredService};
use tekcron::push::{Revision, RevisionNumber, RevisionState};

const FILED: &str = "[app]\nname = \"filed\"\ncommand = \"date\"\n";

fn config() -> Config {
    let settings = "data_dir = \"/data\"\n[services.shared]\ncredentials = { env = \"SHARED\" }\n";
    Config::from_toml(settings, &[FILED]).unwrap()
}

fn name(text: &str) -> AppName {
    text.parse().unwrap()
}

fn stored_app(toml: &str) -> StoredApp {
    StoredApp {
        toml: toml.to_owned(),
        current: None,
        newest: RevisionNumber(0),
        by: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        deleting: false,
    }
}

fn service(config: &Config, called: &str, credentials: CredentialSource) -> StoredService {
    let new = NewService { label: None, tags: vec!["sql".to_owned()], credentials };
    let toml = new.apply(config, &called.parse().unwrap()).unwrap();
    StoredService { toml, by: None, at: jiff::Timestamp::UNIX_EPOCH }
}

fn revision(number: u32, source: bool, image: Option<&str>, command: Option<&str>) -> Revision {
    Revision {
        number: RevisionNumber(number),
        source: source.then(|| "0123456789abcdef".repeat(4).parse().unwrap()),
        image: image.map(str::to_owned),
        command: command.map(|line| Command::shell(line).unwrap()),
        state: RevisionState::Ready,
        build: None,
        from: None,
        by: None,
        at: jiff::Timestamp::UNIX_EPOCH,
        ended: None,
    }
}

/// `web`, which has run two revisions, and binds a service of its own.
fn pushed() -> (Config, Stored) {
    let config = config();
    let mut stored = Stored::default();
    let db = service(&config, "db", CredentialSource::File("services/db.json".into()));
    stored.services.insert("db".parse().unwrap(), db);
    let toml =
        "[app]\nname = \"web\"\nmemory = \"64M\"\nservices = [\"db\", \"shared\"]\n[app.env]\nA = \"1\"\n";
    let app = StoredApp { current: Some(RevisionNumber(2)), newest: RevisionNumber(2), ..stored_app(toml) };
    stored.apps.insert(name("web"), app);
    let revisions = [
        revision(1, true, None, Some("sh one.sh")),
        revision(2, true, None, Some("sh two.sh")),
        revision(3, false, Some("example/web:3"), None),
    ];
    let revisions = revisions.into_iter().map(|revision| (revision.number, revision)).collect();
    stored.revisions.insert(name("web"), revisions);
    (config, stored)
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn a_pushed_app_runs_the_code_of_its_revision_with_its_own_settings() {
    let (config, stored) = pushed();
    let (config, resting) = config.with_stored(stored);
    assert!(resting.is_empty(), "{resting:?}");
    let app = &config.apps["web"];
    assert!(app.stored && app.revision == Some(RevisionNumber(2)));
    assert_eq!(app.path.as_deref(), Some("/data/revisions/web/2".as_ref()));
    assert_eq!(app.command, Some(Command::shell("sh two.sh").unwrap()));
    assert_eq!((app.env["A"].as_str(), app.services.len()), ("1", 2));
    let file = CredentialSource::File("/data/services/db.json".into());
    assert_eq!(config.services["db"].credentials, file);

    let at = |number| config.app_at(&name("web"), Some(RevisionNumber(number)));
    let (one, three) = (at(1).unwrap(), at(3).unwrap());
    assert_eq!(one.path.as_deref(), Some("/data/revisions/web/1".as_ref()));
    assert_eq!((one.command.clone(), &one.env), (Some(Command::shell("sh one.sh").unwrap()), &app.env));
    assert_eq!((three.path.as_ref(), three.image.as_deref()), (None, Some("example/web:3")));
    assert_eq!((three.command.as_ref(), three.revision), (None, Some(RevisionNumber(3))));
    assert!(at(4).is_none() && config.app_at(&name("nobody"), None).is_none());
    assert_eq!(config.app_at(&name("web"), None).as_deref(), Some(app.as_ref()));
}

#[test]
fn a_file_has_the_last_word_and_what_is_wrong_waits_with_its_reason() {
    let (config, mut stored) = pushed();
    let other = StoredService {
        toml: stored.services["db"].toml.replace("db", "shared"),
        ..stored.services["db"].clone()
    };
    stored.services.insert("shared".parse().unwrap(), other);
    stored.apps.insert(name("filed"), stored_app("[app]\nname = \"filed\"\n"));
    for (app, text) in [
        ("code", "[app]\nname = \"code\"\npath = \"src\"\n"),
        ("image", "[app]\nname = \"image\"\nimage = \"example/a\"\n"),
        ("jobs", "[app]\nname = \"jobs\"\n[[jobs]]\nname = \"a\"\n"),
        ("unbound", "[app]\nname = \"unbound\"\nservices = [\"gone\"]\n"),
        ("broken", "[app\n"),
        ("other", "[app]\nname = \"another\"\n"),
    ] {
        stored.apps.insert(name(app), stored_app(text));
    }
    stored
        .apps
        .insert(name("leaving"), StoredApp { deleting: true, ..stored_app("[app]\nname = \"leaving\"\n") });
    let (after, resting) = config.with_stored(stored);
    let resting: Vec<_> = resting.iter().map(|(name, why)| (name.to_string(), why.to_string())).collect();
    for (called, words) in [
        ("stored service shared", "`tekcron.toml` has a service of that name"),
        ("stored App broken", "this is not TOML"),
        ("stored App code", "expected no `path`"),
        ("stored App filed", "`config/apps/1.toml` has an App of that name"),
        ("stored App image", "expected no `image`"),
        ("stored App jobs", "unknown key `jobs`"),
        ("stored App other", "this is no App of that name"),
        ("stored App unbound", "expected a declared service, found `gone`"),
    ] {
        let (_, why) = resting.iter().find(|(name, _)| name == called).unwrap_or_else(|| panic!("{called}"));
        assert!(why.contains(words), "{called}: {why}");
    }
    assert_eq!(resting.len(), 8, "{resting:?}");
    assert_eq!(after.apps.keys().map(AppName::as_str).collect::<Vec<_>>(), ["filed", "web"]);
    assert_eq!(after.apps["filed"], config.apps["filed"]);
    assert_eq!(after.services["shared"], config.services["shared"]);
    // What is stored comes and goes, and the files are as they were.
    let (bare, resting) = after.with_stored(Stored::default());
    assert_eq!((bare, resting.len()), (config, 0));
}

#[test]
fn an_edit_changes_what_it_names_and_what_cannot_be_is_refused() {
    let (config, stored) = pushed();
    let (config, _) = config.with_stored(stored);
    let edited = |edit: AppEdit| -> Config {
        let toml = edit.apply(&config, &name("web")).unwrap();
        let mut stored = config.stored.as_ref().clone();
        stored.apps.get_mut(&name("web")).unwrap().toml = toml;
        let (after, resting) = config.with_stored(stored);
        assert!(resting.is_empty(), "{resting:?}");
        after
    };
    let set = [("B".to_owned(), "=\"two\"\n".to_owned())].into();
    let after = edited(AppEdit::Env { set, unset: vec!["A".to_owned(), "nothing".to_owned()] });
    assert_eq!(after.apps["web"].env, [("B".to_owned(), "=\"two\"\n".to_owned())].into());
    assert_eq!(after.apps["web"].path, config.apps["web"].path);
    assert_ne!(after.generation, config.generation);
    let after = edited(AppEdit::Unbind("db".parse().unwrap()));
    assert_eq!(after.apps["web"].services, ["shared".parse().unwrap()]);
    let after = edited(AppEdit::Bind("db".parse().unwrap()));
    assert_eq!(after.apps["web"], config.apps["web"]);

    let refused = |edit: AppEdit, app: &str| edit.apply(&config, &name(app)).unwrap_err().to_string();
    let gone = refused(AppEdit::Bind("gone".parse().unwrap()), "web");
    assert!(gone.contains("the service `gone` does not exist"), "{gone}");
    let nothing = || AppEdit::Env { set: Default::default(), unset: Vec::new() };
    let filed = refused(nothing(), "filed");
    assert!(filed.contains("read-only here\nhint: edit `config/apps/1.toml`"), "{filed}");
    assert!(refused(nothing(), "nobody").contains("does not exist"));
}

#[test]
fn a_push_replaces_the_keys_that_it_gives_and_adds_variables_and_services() {
    let (config, stored) = pushed();
    let (config, _) = config.with_stored(stored);
    let keys = json!({ "command": ["sh", "three.sh"], "memory": "128M", "env": { "B": "2" }, "services": ["shared"] });
    let after = config.pushed(&name("web"), object(keys), Map::new()).unwrap();
    assert_eq!(after.command, Some(Command::Exec(vec!["sh".to_owned(), "three.sh".to_owned()])));
    let read: toml::Table = after.toml.parse().unwrap();
    let expected: toml::Table =
        "[app]\nname = \"web\"\nmemory = \"128M\"\nservices = [\"db\", \"shared\"]\nenv = { A = \"1\", B = \"2\" }"
            .parse()
            .unwrap();
    assert_eq!(read, expected);

    let new = config.pushed(&name("new"), object(json!({ "cpu": "500m" })), Map::new()).unwrap();
    assert_eq!((new.toml.as_str(), new.command), ("[app]\ncpu = \"500m\"\nname = \"new\"\n", None));

    for (app, keys, words) in [
        ("filed", json!({}), "stands in a file"),
        ("web", json!({ "memory": "much" }), "memory"),
        ("web", json!({ "path": "/" }), "expected no `path`"),
        ("web", json!({ "image": "a" }), "expected no `image`"),
        ("web", json!({ "name": "x" }), "unknown key `name`"),
        ("web", json!({ "memmory": "1G" }), "did you mean `memory`?"),
        ("web", json!({ "cpu": null }), "found `null`"),
        ("web", json!({ "services": ["gone"] }), "found `gone`"),
        ("web", json!({ "env": { "A=B": "x" } }), "expected the name of a variable"),
        ("web", json!({ "command": "" }), "found nothing"),
    ] {
        let refused = config.pushed(&name(app), object(keys.clone()), Map::new()).unwrap_err().to_string();
        assert!(refused.contains(words), "{keys}: {refused}");
    }
}

#[test]
fn a_service_is_deleted_when_no_app_binds_it_not_even_one_that_rests() {
    let (files, mut stored) = pushed();
    let (config, _) = files.with_stored(stored.clone());
    let may = |config: &Config, name: &str| config.may_delete_service(&name.parse().unwrap());
    assert!(matches!(may(&config, "db"), Err(EditError::Bound { .. })));
    assert!(matches!(may(&config, "shared"), Err(EditError::ServiceInFile { .. })));
    assert!(matches!(may(&config, "nothing"), Err(EditError::NoService(_))));
    let web = stored.apps.get_mut(&name("web")).unwrap();
    web.toml = web.toml.replace("64M", "much");
    let (config, resting) = files.with_stored(stored.clone());
    assert_eq!(resting[0].0, StoredName::App(name("web")));
    let bound = may(&config, "db").unwrap_err().to_string();
    assert!(bound.contains("is bound by `web`\nhint: `tekcron unbind-service APP db`"), "{bound}");
    stored.apps.clear();
    assert!(may(&files.with_stored(stored).0, "db").is_ok());
    let again =
        NewService { label: None, tags: Vec::new(), credentials: CredentialSource::Secret("s".to_owned()) };
    assert!(matches!(again.clone().apply(&config, &"db".parse().unwrap()), Err(EditError::ServiceExists(_))));
    assert!(matches!(again.apply(&config, &"shared".parse().unwrap()), Err(EditError::ServiceInFile { .. })));
}

#[test]
fn what_is_exported_is_what_a_file_would_have_to_say() {
    let (config, stored) = pushed();
    let (config, _) = config.with_stored(stored);
    let text = config.exported_app(&name("web")).unwrap();
    for line in
        ["path = \"/data/revisions/web/2\"", "command = \"sh two.sh\"", "memory = \"64M\"", "A = \"1\""]
    {
        assert!(text.contains(line), "{text}");
    }
    let services = config.exported_services(&config.stored.apps["web"]);
    assert!(services.contains("[services.db.credentials]\nfile = \"/data/services/db.json\""), "{services}");
    assert!(!services.contains("shared"), "{services}");
    assert_eq!(config.exported_app(&name("filed")), None);

    // Its schedules can be planned without what it binds and runs.
    let (outline, revision) = StoredApp::outlined(&text).unwrap();
    let mut elsewhere = Stored::default();
    elsewhere.revisions.insert(name("web"), [(revision.number, revision)].into());
    elsewhere.apps.insert(name("web"), outline);
    let (elsewhere, resting) = Config::from_toml("", &[FILED]).unwrap().with_stored(elsewhere);
    assert!(resting.is_empty(), "{resting:?}");
    let (there, here) = (&elsewhere.apps["web"], &config.apps["web"]);
    assert_eq!((&there.command, &there.env, &there.resources), (&here.command, &here.env, &here.resources));
    assert!(there.path.is_none() && there.services.is_empty());
    assert!(StoredApp::outlined("[app").is_none());
}
