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
