//! A changed configuration, on request.

use std::fs;

use serde_json::json;
use tekcron::config::{self, SettingsOverrides};
use tempfile::TempDir;

use crate::world::World;

const ETL: &str = "[app]\nname = \"etl\"\ncommand = \"true\"\n";

#[tokio::test]
async fn a_changed_config_is_in_effect_when_it_is_answered_and_a_wrong_one_keeps_the_old() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("config/apps/etl.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, ETL).unwrap();
    let config = config::load(&dir.path().join("config"), &SettingsOverrides::default()).unwrap();
    let world = World::with_config(dir, config);
    assert_eq!(world.post("/v1/reload", "").await.json()["changed"], false);
    fs::write(&file, format!("{ETL}memory = \"1Gi\"\n")).unwrap();
    let answer = world.post("/v1/reload", "").await.json();
    assert_eq!(answer["changed"], true);
    assert_eq!(world.get("/v1/apps/etl").await.json()["memory"], "1Gi");
    fs::write(&file, format!("{ETL}memory = \"512\"\n")).unwrap();
    world.post("/v1/reload", "").await.expect(409, "bad-config", "etl.toml", "");
    assert_eq!(world.get("/v1/apps/etl").await.json()["memory"], "1Gi");
    fs::remove_dir_all(file.parent().unwrap()).unwrap();
    world.post("/v1/reload", "").await.expect(409, "bad-config", "", "");
    assert_eq!(world.get("/v1/jobs").await.json()["items"], json!([]));
    world.end().await;
}

#[tokio::test]
async fn a_builder_that_the_settings_name_is_in_effect_with_the_next_push() {
    let dir = TempDir::new().unwrap();
    let config = dir.path().join("config");
    fs::create_dir_all(config.join("apps")).unwrap();
    fs::write(config.join("apps/etl.toml"), format!("{ETL}image = \"busybox\"\n")).unwrap();
    let settings = "executor = \"tekton\"\n";
    fs::write(config.join("tekcron.toml"), settings).unwrap();
    let read = config::load(&config, &SettingsOverrides::default()).unwrap();
    let world = World::with_config(dir, read);
    let push = json!({ "source": "00".repeat(32), "dry_run": true }).to_string();
    world.post("/v1/apps/web/push", &push).await.expect(
        409,
        "no-builder",
        "name no builder",
        "tekcron reload",
    );
    let build = "public_url = \"https://tekcron.example\"\n[build]\nbuilder = \"kaniko\"\nimage = \"kaniko:1\"\n\
                 registry = \"registry.example/apps\"\nfetch_image = \"fetch:1\"\n";
    fs::write(config.join("tekcron.toml"), format!("{settings}{build}")).unwrap();
    assert_eq!(world.post("/v1/reload", "").await.json()["changed"], true);
    let would_be = world.post("/v1/apps/web/push", &push).await;
    assert_eq!(would_be.status, 200, "{would_be:?}");
    let settings = &world.service.config.load().settings;
    assert_eq!(settings.public_url.as_deref(), Some("https://tekcron.example"));
    world.end().await;
}
