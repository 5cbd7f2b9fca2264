//! What is said about the keys that only a cluster has a use for.

use std::fs;

use tekcron::config::Severity;

use crate::harness::{PLAIN, Place};
use crate::problems::{app, said, settings};

#[test]
fn a_cluster_wants_an_image_and_sees_no_directory() {
    let app = |keys: &str| {
        let place = Place::with(&[("tekcron.toml", "executor = \"tekton\"\n")]);
        place.write("apps/etl.toml", &format!("{PLAIN}{keys}"));
        fs::create_dir(place.path().join("work")).unwrap();
        place
    };
    assert_eq!(
        said(&app("")),
        "app <[app]> expected an `image`, as `executor = \"tekton\"` runs tasks on a cluster, found none | as in `image = \"docker.io/library/busybox:1.37\"`"
    );
    let checked = app("image = \"busybox\"\npath = \"work\"\nkeep_workdir = true\n").look();
    let warnings: Vec<_> = checked.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(
        warnings,
        [
            "`path` means nothing with `executor = \"tekton\"`: a cluster does not see this machine's directories",
            "`keep_workdir` means nothing with `executor = \"tekton\"`: a cluster does not see this machine's directories",
        ]
    );
    assert!(checked.config.is_some());
    assert!(app("image = \"busybox\"\nkeep_workdir = false\n").look().problems.is_empty());
}

#[test]
fn an_image_is_one_that_a_registry_may_have() {
    assert_eq!(
        app("image = \"Registry.example/ETL:1.4\""),
        "app.image <\"Registry.example/ETL:1.4\"> expected an image as in `registry.example/etl:1.4`, found `Registry.example/ETL:1.4` | an image's path is in lower case"
    );
}

#[test]
fn a_pod_template() {
    let pod = |keys: &str| app(&format!("[app.pod_template]\n{keys}"));
    for (keys, expected) in [
        (
            "nodeSelector = {}",
            "app.pod_template.nodeSelector <nodeSelector> unknown key `nodeSelector` | did you mean `node_selector`?",
        ),
        (
            "node_selector = { \"a b\" = \"c\" }",
            "app.pod_template.node_selector.\"a b\" <\"a b\"> expected the key of a label, found `a b` | as in `\"kubernetes.io/arch\" = \"arm64\"`",
        ),
        (
            "node_selector = { a = \"-\" }",
            "app.pod_template.node_selector.a <\"-\"> expected the value of a label, found `-` | at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends",
        ),
        (
            "tolerations = [{ effect = \"NoSchedul\" }]",
            "app.pod_template.tolerations[0].effect <\"NoSchedul\"> expected one of `NoSchedule`, `PreferNoSchedule`, `NoExecute`, found `NoSchedul` | did you mean `NoSchedule`?",
        ),
        (
            "tolerations = [{ value = \"x\" }]",
            "app.pod_template.tolerations[0].value <\"x\"> expected a `key` beside the value, found none | a taint's value belongs to its key",
        ),
        (
            "tolerations = [{ key = \"x\", toleration_seconds = 5 }]",
            "app.pod_template.tolerations[0].toleration_seconds <5> expected `effect = \"NoExecute\"` beside this, found another or none | no other taint ends what runs already",
        ),
        (
            "volumes = [{ secret = \"a\", empty_dir = true, mount_path = \"/x\" }]",
            "app.pod_template.volumes[0] <{ secret = \"a\", empty_dir = true, mount_path = \"/x\" }> expected one of `secret`, `config_map`, `empty_dir`, `persistent_volume_claim`, found `secret`, `empty_dir` | as in `{ secret = \"certs\", mount_path = \"/etc/certs\" }`",
        ),
        (
            "volumes = [{ mount_path = \"/x\" }]",
            "app.pod_template.volumes[0] <{ mount_path = \"/x\" }> expected one of `secret`, `config_map`, `empty_dir`, `persistent_volume_claim`, found none | as in `{ secret = \"certs\", mount_path = \"/etc/certs\" }`",
        ),
        (
            "volumes = [{ empty_dir = true, mount_path = \"/tekton/bin\" }]",
            "app.pod_template.volumes[0].mount_path <\"/tekton/bin\"> expected a path apart from Tekton's own, found `/tekton/bin` | `/tekton` holds what starts the task; `/tekton/home` is free",
        ),
        (
            "volumes = [{ empty_dir = true, mount_path = \"/x\" }, { secret = \"a\", mount_path = \"/x/\" }]",
            "app.pod_template.volumes[1].mount_path <\"/x/\"> expected a path of its own, found `/x` once more | the first is at config/apps/etl.toml:5",
        ),
        (
            "image_pull_secrets = [\"Registry\"]",
            "app.pod_template.image_pull_secrets[0] <\"Registry\"> expected lower-case letters, digits and `-`, found `R` at position 1 | Kubernetes takes this as a label; `registry` would fit",
        ),
        (
            "run_as_user = 0\nrun_as_non_root = true",
            "app.pod_template.run_as_non_root <true> expected a `run_as_user` other than 0 beside this, found 0 | 0 is root",
        ),
        (
            "fs_group = \"staff\"",
            "app.pod_template.fs_group <\"staff\"> expected an integer, found the string `staff` | a whole number, without quotes",
        ),
    ] {
        assert_eq!(pod(keys), expected);
    }
    assert_eq!(
        app(
            "state = true\npod_template = { volumes = [{ empty_dir = true, mount_path = \"/workspace/state\" }] }"
        ),
        "app.pod_template.volumes[0].mount_path <\"/workspace/state\"> expected a path of its own, found `/workspace/state` once more | `state = true` has it"
    );
}

#[test]
fn security_groups() {
    let rule = |rule: &str| settings(&format!("[security_groups.web]\nrules = [{{ {rule} }}]"));
    for (keys, expected) in [
        (
            "protocol = \"icmp\", destination = \"0.0.0.0/0\", type = 8, code = 0",
            "security_groups.web.rules[0].protocol <\"icmp\"> a NetworkPolicy cannot tell `icmp` from other protocols | leave the rule out; `protocol = \"all\"` allows it with everything else, where the network plug-in does",
        ),
        (
            "protocol = \"tcpp\", destination = \"0.0.0.0/0\", ports = \"1\"",
            "security_groups.web.rules[0].protocol <\"tcpp\"> expected one of `tcp`, `udp`, `all`, found `tcpp` | did you mean `tcp`?",
        ),
        (
            "protocol = \"tcp\", destination = \"0.0.0.0/0\", ports = \"443\", log = true",
            "security_groups.web.rules[0].log <true> a NetworkPolicy does not log | leave `log` out; some network plug-ins log by settings of their own",
        ),
        (
            "protocol = \"tcp\", destination = \"0.0.0.0/0\", ports = \"443\", type = 0",
            "security_groups.web.rules[0].type <type> unknown key `type` | the keys here are `protocol`, `destination`, `ports`, `log`, `description`",
        ),
        (
            "protocol = \"tcp\", destination = \"db.example\", ports = \"443\"",
            "security_groups.web.rules[0].destination <\"db.example\"> expected an address, a block as in `10.0.0.0/8` or a range as in `10.0.0.1-10.0.0.9`, found `db.example` | addresses are in numbers; several stand in one text, with commas between them",
        ),
        (
            "protocol = \"udp\", destination = \"10.0.0.9-10.0.0.1\", ports = \"53\"",
            "security_groups.web.rules[0].destination <\"10.0.0.9-10.0.0.1\"> expected a range that begins before it ends, found `10.0.0.9-10.0.0.1` | did you mean `10.0.0.1-10.0.0.9`?",
        ),
        (
            "protocol = \"tcp\", destination = \"10.0.0.1\", ports = \"https\"",
            "security_groups.web.rules[0].ports <\"https\"> expected ports as in `443` or `53,8000-8080`, found `https` | a port is between 1 and 65535",
        ),
        (
            "protocol = \"all\", destination = \"10.0.0.1\", ports = \"1\"",
            "security_groups.web.rules[0].ports <\"1\"> expected no `ports` beside `protocol = \"all\"`, found some | `all` is every port of every protocol; `tcp` and `udp` have ports",
        ),
        (
            "protocol = \"tcp\", destination = \"10.0.0.1\"",
            "security_groups.web.rules[0] <{ protocol = \"tcp\", destination = \"10.0.0.1\" }> expected `ports` beside `tcp` and `udp`, found none | as in `{ protocol = \"tcp\", destination = \"10.0.0.0/8\", ports = \"443\" }`",
        ),
    ] {
        assert_eq!(rule(keys), expected);
    }
    assert_eq!(
        settings("[security_groups.\"the web\"]\nrules = []"),
        "security_groups.\"the web\" <\"the web\"> expected a name of at most 63 letters, digits, `-`, `_` and `.`, a letter or digit at both ends, found `the web` | it becomes a label of the tasks' pods"
    );
}

#[test]
fn a_security_group_that_nobody_declared_comes_with_the_nearest() {
    let place = Place::with_app(&format!("{PLAIN}security_groups = [\"public-networks\"]\n"));
    assert_eq!(
        said(&place),
        "app.security_groups[0] <\"public-networks\"> expected a declared security group, found `public-networks` | security groups are declared in `tekcron.toml`: `[security_groups.NAME]`"
    );
    place.write("tekcron.toml", "[security_groups.public_networks]\nrules = []\n");
    assert!(said(&place).ends_with(" | did you mean `public_networks`?"));
    place.write("tekcron.toml", "[security_groups.public-networks]\nrules = []\n");
    assert!(place.look().problems.is_empty());
}

#[test]
fn a_secret_of_a_cluster_is_of_no_use_here() {
    let place = Place::with_app(&format!("{PLAIN}image = \"busybox\"\nservices = [\"db\"]\n"));
    let declared = "[services.db]\ncredentials = { secret = \"team-db\" }\n";
    place.write("tekcron.toml", declared);
    let checked = place.look();
    let [warning] = checked.problems.iter().collect::<Vec<_>>()[..] else { panic!("{}", checked.problems) };
    assert_eq!(warning.severity, Severity::Warning);
    assert_eq!(warning.message, "service `db` is a Secret of a cluster: no task of this App can start here");
    place.write("tekcron.toml", &format!("executor = \"tekton\"\n{declared}"));
    assert!(place.look().problems.is_empty());
    let wrong =
        Place::with_settings("[services.db]\ncredentials = { secret = \"hunter2 or so\" }\n").report();
    assert!(wrong.contains("expected the name of a Secret of the cluster, found other text"), "{wrong}");
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

const BUILD: &str = "public_url = \"https://tekcron.example\"\n[build]\n";
const KANIKO: &str = "builder = \"kaniko\"\nimage = \"a\"\nregistry = \"registry.example/team\"\n";

#[test]
fn how_sources_are_built() {
    for (keys, expected) in [
        (
            "image = \"a\"\nregistry = \"a\"",
            "build <[build]> expected the key `builder`, found none | `buildpacks` needs no Dockerfile, `buildah` and `kaniko` build by one, `custom` is any program",
        ),
        (
            "builder = \"kanico\"\nimage = \"a\"\nregistry = \"a\"",
            "build.builder <\"kanico\"> expected one of `buildpacks`, `buildah`, `kaniko`, `custom`, found `kanico` | did you mean `kaniko`?",
        ),
        (
            "builder = \"kaniko\"\nimage = \"A\"\nregistry = \"a\"",
            "build.image <\"A\"> expected an image as in `registry.example/etl:1.4`, found `A` | an image's path is in lower case",
        ),
        (
            "builder = \"kaniko\"\nimage = \"a\"\nregistry = \"https://registry.example\"",
            "build.registry <\"https://registry.example\"> expected a registry and perhaps a path in it, found `https://registry.example` | as in `registry = \"registry.example/team\"`: what is pushed for App `etl` is `registry.example/team/etl`",
        ),
        (
            "builder = \"custom\"\nimage = \"a\"\nregistry = \"a\"",
            "build <[build]> expected `args` in which `{digest_file}` stands, as the builder is `custom`, found none | as in `args = [\"build-it\", \"{source}\", \"{image}\", \"{digest_file}\"]`",
        ),
        (
            "builder = \"custom\"\nimage = \"a\"\nregistry = \"a\"\nargs = [\"make\"]",
            "build.args <[\"make\"]> expected `args` in which `{digest_file}` stands, as the builder is `custom`, found others | as in `args = [\"build-it\", \"{source}\", \"{image}\", \"{digest_file}\"]`",
        ),
    ] {
        assert_eq!(settings(&format!("{BUILD}{keys}")), expected);
    }
    assert!(Place::with_settings(&format!("{BUILD}{KANIKO}")).look().problems.is_empty());
}

#[test]
fn what_a_build_lacks_is_said_where_it_is_missing() {
    assert_eq!(
        settings(&format!("[build]\n{KANIKO}")),
        "build <[build]> expected `public_url` beside `[build]`, found none | builds fetch their source there: `public_url = \"https://tekcron.example.org\"`, as pods reach the API"
    );
    assert_eq!(
        settings("public_url = \"tekcron.example\""),
        "public_url <\"tekcron.example\"> expected a URL that begins with `https://` or `http://`, found `tekcron.example` | as pods of the cluster reach the API: `https://tekcron.example.org`"
    );
    let place = Place::with_settings("public_url = \"http://tekcron.batch.svc:7070\"\n");
    let checked = place.look();
    let [warning] = checked.problems.iter().collect::<Vec<_>>()[..] else { panic!("{}", checked.problems) };
    assert_eq!(warning.severity, Severity::Warning);
    assert!(warning.message.contains("cross the network in clear text"), "{}", warning.message);
    let place = Place::with_settings("insecure = true\npublic_url = \"http://tekcron.batch.svc:7070\"\n");
    assert!(place.look().problems.is_empty());
}

#[test]
fn credentials_in_place_of_the_name_of_their_secret_are_not_shown() {
    let text = format!("{BUILD}{KANIKO}registry_secret = \"me:hunter2\"\n");
    for text in [text.clone(), format!("{text}broken =")] {
        let report = Place::with_settings(&text).report();
        assert!(!report.contains("hunter2"), "{report}");
    }
    let report = Place::with_settings(&text).report();
    assert!(report.contains("expected the name of a Secret of the cluster, found other text"), "{report}");
}
