//! The image: what it is made of, and that the manifests run what is in it.

use crate::manifest::{container, items, object, pod, text, word};

/// The arguments of the last instruction of that name in the Dockerfile.
fn instruction(name: &str) -> String {
    let file = text("Dockerfile");
    let found = file.lines().rev().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name}")).to_owned()
}

#[test]
fn the_pod_runs_the_one_file_of_the_image_as_its_user() {
    let file = text("Dockerfile");
    let (_, last) = file.rsplit_once("\nFROM ").unwrap();
    assert!(last.starts_with("scratch\n"), "{last}");
    let copied: Vec<_> = last.lines().filter_map(|line| line.strip_prefix("COPY --from=build ")).collect();
    let [copied] = copied[..] else { panic!("{copied:?}") };
    let (_, binary) = copied.split_once(' ').unwrap();
    assert_eq!(instruction("ENTRYPOINT"), format!("[\"{binary}\"]"));
    let container = container();
    assert_eq!(container["command"], serde_json::json!([binary]));
    assert_eq!(instruction("CMD"), format!("[\"{}\"]", word(&container, "/args/0")));
    let context = pod()["securityContext"].take();
    assert_eq!(instruction("USER"), format!("{}:{}", context["runAsUser"], context["runAsGroup"]));
}

#[test]
fn it_is_built_with_the_toolchain_and_tagged_with_the_version_of_the_package() {
    let (version, toolchain) = (env!("CARGO_PKG_VERSION"), env!("CARGO_PKG_RUST_VERSION"));
    let file = text("Dockerfile");
    assert!(file.contains(&format!("\nFROM docker.io/library/rust:{toolchain}-")), "{toolchain}");
    assert!(file.contains(&format!("-t tekcron:{version} .")), "{version}");
    let images = object("kustomization.yaml")["images"].take();
    assert_eq!(images, serde_json::json!([{ "name": "tekcron", "newTag": version }]));
    assert_eq!(container()["image"], images[0]["name"]);
    assert_eq!(items(&images).len(), 1);
}

#[test]
fn what_is_copied_into_the_build_is_not_ignored() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignore = std::fs::read_to_string(root.join(".dockerignore")).unwrap();
    let mut taken: Vec<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let file = text("Dockerfile");
    let copies =
        file.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|copy| !copy.starts_with("--"));
    let mut copied: Vec<_> = copies.flat_map(|copy| copy.split_whitespace().rev().skip(1)).collect();
    copied.sort_unstable();
    taken.sort_unstable();
    assert_eq!(copied, taken);
    for name in copied {
        assert!(root.join(name).exists(), "{name}");
    }
}
