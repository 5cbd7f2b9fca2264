//! A store, and an export, of the format before this one.

use super::super::{record, tally};
use super::*;

/// What format 1 had and this one has not: where the task of each name is.
fn make_former(dir: &std::path::Path) {
    let dir = dir.join("store");
    let tree = sled_in(&dir);
    let mut tally = tally::Tally::stored(&tree).unwrap();
    for row in tree.scan_prefix(b"t") {
        let (at, value) = row.unwrap();
        let name = format!("n{}\0", record::decode_task(&at, &value).unwrap().name);
        tally.iter_mut().for_each(|tally| tally.add(name.as_bytes(), &at));
        tree.insert(name, at).unwrap();
    }
    tree.insert(key::meta(key::FORMAT), &1u32.to_be_bytes()[..]).unwrap();
    if let Some(tally) = tally {
        tree.insert(key::meta(key::TALLY), record::encode(&tally)).unwrap();
    }
    drop(tree);
    wait_until_closed(dir.parent().unwrap());
}

#[tokio::test]
async fn a_store_of_the_former_format_is_carried_over_when_it_is_opened() {
    for count in [0, 3] {
        let dir = TempDir::new().unwrap();
        let store = Store::open(dir.path(), clock()).unwrap();
        for id in 1..=count {
            let mut commit = Commit::new();
            commit.create_task(&task(id));
            store.commit(commit).await.unwrap();
        }
        drop(store);
        wait_until_closed(dir.path());
        let kinds = || ClosedStore::lock(dir.path()).unwrap().verify().unwrap().kinds;
        let exported = |dir: &TempDir| {
            let mut lines = Vec::new();
            ClosedStore::lock(dir.path()).unwrap().export(&mut lines).unwrap();
            lines
        };
        let (expected, lines) = (kinds(), exported(&dir));
        make_former(dir.path());
        assert_eq!(kinds().get("name").copied().unwrap_or(0), count);
        // Looking at it and carrying it away change nothing.
        assert!(exported(&dir) == lines);
        let store = reopen(dir.path());
        let ids: Vec<TaskId> = store.tasks(&job().app, None).map(|task| task.unwrap().id).collect();
        assert_eq!(ids, (1..=count).rev().map(TaskId).collect::<Vec<_>>());
        let mut commit = Commit::new();
        commit.create_task(&task(9));
        store.commit(commit).await.unwrap();
        assert_eq!(store.task_named(&task(9).name).unwrap(), Some(task(9)));
        commit = Commit::new();
        commit.remove_task(&task(9));
        store.commit(commit).await.unwrap();
        drop(store);
        wait_until_closed(dir.path());
        let mut kinds = kinds();
        if count == 0 {
            assert_eq!(kinds.remove("counter"), Some(1));
        }
        assert_eq!(kinds, expected);
        drop(reopen(dir.path()));
    }
}

#[tokio::test]
async fn a_compaction_carries_a_store_of_the_former_format_over() {
    let dir = with_one_task().await;
    make_former(dir.path());
    let closed = || ClosedStore::lock(dir.path()).unwrap();
    assert_eq!(closed().verify().unwrap().kinds["name"], 1);
    assert_eq!(closed().compact().unwrap().records, 3);
    assert_eq!(closed().verify().unwrap().kinds.get("name"), None);
    assert_eq!(reopen(dir.path()).task_named(&task(1).name).unwrap(), Some(task(1)));
}

/// An export of before has lines for names.
#[tokio::test]
async fn an_export_of_the_former_format_is_imported_without_what_only_that_had() {
    use data_encoding::HEXLOWER;
    use sha2::{Digest, Sha256};

    let dir = with_one_task().await;
    let mut lines = Vec::new();
    ClosedStore::lock(dir.path()).unwrap().export(&mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let at = key::task(&job().app, TaskId(1));
    let value = data_encoding::BASE64.encode(&at);
    let name = format!("{{\"kind\":\"name\",\"name\":\"{}\",\"value\":\"{value}\"}}\n", task(1).name);
    let (head, rest) = lines.split_at(lines.find("{\"app\":\"etl\",\"id\":1,\"kind\":\"task\"").unwrap());
    let (records, _) = rest.split_at(rest.find("{\"records\"").unwrap());
    let former = format!("{head}{name}{records}");
    let sha256 = HEXLOWER.encode(&Sha256::digest(former.as_bytes()));
    let former = format!("{former}{{\"records\":4,\"sha256\":\"{sha256}\"}}\n");
    let other = TempDir::new().unwrap();
    let file = other.path().join("file");
    std::fs::write(&file, former).unwrap();
    assert_eq!(ClosedStore::import(other.path(), &file).unwrap().records, 3);
    let mut again = Vec::new();
    ClosedStore::lock(other.path()).unwrap().export(&mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), lines);
}
