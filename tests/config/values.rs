use std::path::Path;

use jiff::SignedDuration;
use tekcron::app::pod::{TaintEffect, Toleration, Volume, VolumeSource};
use tekcron::app::security_group::Protocol;
use tekcron::app::{
    App, ByteSize, Command, CredentialSource, LogsOnTerminate, Resources, Retention, Timeout,
};
use tekcron::config::{
    BuildSettings, Builder, Config, ExecutorKind, LogFormat, LogStreamTarget, TektonSettings, TlsFiles,
};
use tekcron::job::{Job, MaxQueued, Retries};
use tekcron::notify::{Mail, MailTls, SecretSource, Tell, Webhook};
use tekcron::schedule::{CatchUp, DstMode, Overlap, ScheduleKey};
use tekcron::watch::OnFailure;

use crate::harness::{PLAIN, Place};
use crate::sample;

fn place() -> Place {
    let place = Place::with(&[
        ("tekcron.toml", sample::SETTINGS),
        ("holidays.ics", sample::HOLIDAYS),
        ("apps/etl.toml", sample::APP),
    ]);
    std::fs::create_dir(place.path().join("work")).unwrap();
    place
}

fn app<'a>(config: &'a Config, name: &str) -> &'a App {
    &config.apps[name]
}

fn job<'a>(config: &'a Config, app: &str, job: &str) -> &'a Job {
    &config.apps[app].jobs[job]
}

#[test]
fn every_setting_arrives() {
    let place = place();
    let Config { settings, services, security_groups, receivers, dir, .. } = place.load();
    assert_eq!(receivers.default, Tell { webhook: Some("ops".into()), mail: Some("oncall".into()) });
    let secret = SecretSource::File(place.path().join("secrets/ops"));
    let url = "https://hooks.example.org/tekcron".to_owned();
    assert_eq!(receivers.webhooks, [("ops".to_owned(), Webhook { url, secret })].into());
    let oncall = Mail {
        host: "smtp.example.org".into(),
        port: 2525,
        tls: MailTls::Implicit,
        from: "tekcron@example.org".into(),
        to: vec!["ops@example.org".into(), "On call <oncall@example.org>".into()],
        login: Some(("tekcron".into(), SecretSource::Env("SMTP_PASSWORD".into()))),
    };
    assert_eq!(receivers.mails, [("oncall".to_owned(), oncall)].into());
    assert_eq!(dir, place.config());
    assert_eq!((settings.instance.as_str(), settings.namespace.as_str()), ("blue", "batch"));
    assert_eq!(settings.data_dir, place.path().join("state"));
    assert_eq!(settings.listen, ([0, 0, 0, 0], 7443).into());
    let certificate = place.path().join("tls/tls.crt");
    assert_eq!(settings.tls, Some(TlsFiles { certificate, key: "/etc/tls/tls.key".into() }));
    assert_eq!((settings.insecure, settings.max_children, settings.max_backfill), (false, 8, 200));
    assert_eq!(settings.grace, SignedDuration::from_secs(5));
    assert_eq!(settings.drain, SignedDuration::from_secs(20));
    assert_eq!(settings.hold, SignedDuration::from_mins(10));
    assert_eq!(settings.max_log, ByteSize::from_mebibytes(1));
    assert_eq!(settings.log_budget, ByteSize::from_mebibytes(512));
    assert_eq!(settings.max_source, ByteSize::from_mebibytes(256));
    assert_eq!(settings.keep_slots, SignedDuration::from_hours(30 * 24));
    assert_eq!(settings.env, [("TZ".to_owned(), "UTC".to_owned())].into());
    assert_eq!(settings.health_listen, Some(([0, 0, 0, 0], 7071).into()));
    assert_eq!(settings.executor, ExecutorKind::Tekton);
    let tekton = TektonSettings {
        kubeconfig: Some(place.path().join("kube/config")),
        kube_context: Some("blue".into()),
        max_creates: 4,
        max_submitted: 500,
        finalizer: false,
        unschedulable_after: Some(SignedDuration::from_mins(20)),
        log_stream: LogStreamTarget::Stdout,
    };
    assert_eq!(settings.tekton, tekton);
    assert_eq!(settings.public_url.as_deref(), Some("https://tekcron.example.org"));
    let build = BuildSettings {
        builder: Builder::Buildah,
        image: "quay.io/buildah/stable".into(),
        args: vec!["--pull=always".into()],
        registry: "registry.example.org/team".into(),
        registry_secret: Some("registry".into()),
        fetch_image: "docker.io/curlimages/curl:8.17.0".into(),
        service_account: Some("builder".into()),
        timeout: Timeout::After(SignedDuration::from_mins(30)),
    };
    assert_eq!(settings.build, Some(build));
    assert_eq!((settings.log_format, settings.log.as_str()), (LogFormat::Json, "info,tekcron::store=debug"));
    let warehouse = &services["warehouse"];
    assert_eq!((warehouse.label.as_str(), warehouse.tags.len()), ("postgres", 2));
    assert_eq!(warehouse.credentials, CredentialSource::Env("WAREHOUSE".into()));
    let mailbox = &services["mailbox"];
    assert_eq!(mailbox.label, "user-provided");
    let file = place.path().join("secrets/mailbox.json");
    assert_eq!(mailbox.credentials, CredentialSource::File(file));
    assert_eq!(services["queue"].credentials, CredentialSource::Secret("team-queue".into()));
    let rules = &security_groups["public_networks"].rules;
    let blocks = |rule: usize| {
        let blocks = rules[rule].destination.blocks();
        blocks.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(blocks(0), ["0.0.0.0/5", "8.0.0.0/7", "11.0.0.0/8"]);
    assert_eq!(rules[0].protocol, Protocol::Tcp("443,8000-8080".parse().unwrap()));
    assert_eq!((blocks(1), &rules[1].protocol), (vec!["10.1.2.3/32".to_owned()], &Protocol::All));
}

#[test]
fn every_key_of_an_app_arrives() {
    let place = place();
    let config = place.load();
    let app = app(&config, "etl");
    assert_eq!(app.image.as_deref(), Some("registry.example/etl:1.4"));
    assert_eq!(app.path, Some(place.path().join("work")));
    assert_eq!(app.command, Some(Command::Shell("sh etl.sh".into())));
    assert_eq!(app.env, [("STAGE".to_owned(), "demo".to_owned())].into());
    assert_eq!(app.resources, resources("500m", "256Mi", "1Gi"));
    assert_eq!(app.timeout, Timeout::After(SignedDuration::from_mins(30)));
    let keep_for = Some(SignedDuration::from_hours(30 * 24));
    assert_eq!(app.retention, Retention { keep: 50, keep_for, keep_per_job: 2 });
    assert_eq!((app.max_running, app.group.as_ref().map(|group| group.as_str())), (Some(3), Some("db")));
    assert_eq!(
        app.services.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["warehouse", "mailbox", "queue"]
    );
    assert_eq!(app.service_account.as_deref(), Some("etl-runner"));
    assert_eq!(app.security_groups, ["public_networks"]);
    let pod = &app.pod_template;
    assert_eq!(pod.node_selector, [("kubernetes.io/arch".to_owned(), "arm64".to_owned())].into());
    let toleration = |key: Option<&str>, value: Option<&str>, effect, seconds| Toleration {
        key: key.map(ToOwned::to_owned),
        value: value.map(ToOwned::to_owned),
        effect: Some(effect),
        seconds,
    };
    let batch = toleration(Some("batch"), Some("only"), TaintEffect::NoExecute, Some(60));
    assert_eq!(pod.tolerations, [batch, toleration(None, None, TaintEffect::NoSchedule, None)]);
    let volume =
        |source, path: &str, read_only| Volume { source, mount_path: path.parse().unwrap(), read_only };
    let volumes = [
        volume(VolumeSource::Secret("certs".into()), "/etc/certs", true),
        volume(VolumeSource::ConfigMap("rates".into()), "/etc/rates", false),
        volume(VolumeSource::EmptyDir, "/scratch", false),
        volume(VolumeSource::PersistentVolumeClaim("shared".into()), "/shared", false),
    ];
    assert_eq!(pod.volumes, volumes);
    assert_eq!(pod.image_pull_secrets, ["registry"]);
    assert_eq!((pod.run_as_user, pod.run_as_group, pod.fs_group), (Some(1000), Some(1001), Some(1002)));
    assert_eq!(pod.run_as_non_root, Some(true));
    assert_eq!(app.logs_on_terminate, LogsOnTerminate::Delete);
    assert!(app.state && app.keep_workdir);
}

fn resources(cpu: &str, memory: &str, disk: &str) -> Resources {
    Resources {
        cpu: Some(cpu.parse().unwrap()),
        memory: Some(memory.parse().unwrap()),
        disk: Some(disk.parse().unwrap()),
    }
}

#[test]
fn every_key_of_a_job_arrives() {
    let config = place().load();
    let job = job(&config, "etl", "nightly");
    let words = ["sh", "etl.sh", "--full"].map(ToOwned::to_owned);
    assert_eq!(job.terms.command, Some(Command::Exec(words.to_vec())));
    assert_eq!(job.terms.env, [("FULL".to_owned(), "yes".to_owned())].into());
    assert_eq!(job.terms.resources, resources("2", "1G", "2Gi"));
    assert_eq!(job.terms.timeout, Some(Timeout::None));
    assert_eq!((job.terms.overlap, job.terms.max_queued), (Overlap::Skip, MaxQueued(5)));
    assert_eq!(job.terms.group.as_ref().map(|group| group.as_str()), Some("db"));
    let (backoff, max_backoff) = (SignedDuration::from_mins(1), SignedDuration::from_hours(1));
    assert_eq!(job.terms.retries, Retries { attempts: 3, backoff, max_backoff, on_lost: true });
    let watch = job.terms.watch.as_deref().unwrap();
    assert_eq!(watch.late_after, Some(SignedDuration::from_mins(15)));
    assert_eq!(watch.max_since_success, Some(SignedDuration::from_hours(26)));
    assert_eq!(watch.max_runtime, Some(SignedDuration::from_hours(3)));
    let everybody = Tell { webhook: Some("ops".into()), mail: Some("oncall".into()) };
    assert_eq!(watch.on_failure, Some(OnFailure { after: 3, tell: everybody.clone() }));
    assert_eq!(watch.on_recovery, everybody);
    let [schedule] = job.schedules.as_slice() else { panic!("{:?}", job.schedules) };
    assert_eq!(schedule.key, ScheduleKey::hashed("0 2 * * *", "Europe/London", "skip"));
    assert_eq!(schedule.recurrence.expression().to_string(), "0 2 * * *");
    assert_eq!(schedule.recurrence.timezone().to_string(), "Europe/London");
    assert_eq!(schedule.recurrence.dst(), DstMode::Skip);
    assert_eq!(schedule.rules.catch_up, CatchUp::All);
    assert_eq!(schedule.rules.catch_up_window, Some(SignedDuration::from_hours(48)));
    assert_eq!(schedule.rules.max_catch_up, 7);
    assert_eq!(schedule.rules.start_deadline, Some(SignedDuration::from_hours(1)));
    assert_eq!(schedule.rules.jitter, SignedDuration::from_secs(30));
}

#[test]
fn what_a_job_says_holds_for_schedules_that_say_nothing() {
    let config = place().load();
    let [office, hourly] = job(&config, "etl", "often").schedules.as_slice() else { panic!() };
    assert_eq!(office.key.as_str(), "office-hours");
    assert_eq!(office.recurrence.timezone().to_string(), "Asia/Tokyo");
    assert_eq!((office.recurrence.dst(), office.rules.catch_up), (DstMode::Literal, CatchUp::None));
    assert_eq!((office.rules.max_catch_up, office.rules.jitter), (1, SignedDuration::ZERO));
    let bounds = office.recurrence.bounds();
    assert_eq!(bounds.from, Some("2026-12-01T00:00:00+09:00".parse().unwrap()));
    assert_eq!(bounds.until, Some("2099-12-31T18:00:00Z".parse().unwrap()));
    assert_eq!(office.rules.exclude.to_string(), "holidays");
    assert_eq!((hourly.rules.exclude.is_empty(), hourly.parameters.is_none()), (true, true));
    assert_eq!(office.parameters.as_ref().unwrap().env, [("MODE".to_owned(), "fast".to_owned())].into());
    assert_eq!(hourly.recurrence.timezone().to_string(), "Europe/Oslo");
    assert_eq!(hourly.key, ScheduleKey::hashed("@hourly", "Europe/Oslo", "vixie"));
}

#[test]
fn an_app_of_two_lines_has_the_defaults() {
    let config = Place::with_app(PLAIN).load();
    let app = app(&config, "plain");
    assert_eq!(app.timeout, Timeout::After(SignedDuration::from_hours(1)));
    assert_eq!(app.retention, Retention { keep: 500, keep_for: None, keep_per_job: 1 });
    assert_eq!((app.resources, app.logs_on_terminate), (Resources::default(), LogsOnTerminate::Keep));
    assert!(!app.state && !app.keep_workdir && app.path.is_none() && app.jobs.is_empty());
}

#[test]
fn a_schedule_of_one_line_has_the_defaults() {
    let schedule = |keys: &str| {
        let text = format!("{PLAIN}[[jobs]]\nname = \"j\"\nschedule = \"@daily\"\n{keys}");
        job(&Place::with_app(&text).load(), "plain", "j").schedules[0].clone()
    };
    let plain = schedule("");
    assert_eq!(plain.recurrence.timezone().to_string(), "UTC");
    assert_eq!((plain.recurrence.dst(), plain.rules.catch_up), (DstMode::Vixie, CatchUp::Latest));
    assert_eq!((plain.rules.catch_up_window, plain.rules.max_catch_up), (None, 100));
    assert_eq!((plain.rules.start_deadline, plain.rules.jitter), (None, SignedDuration::ZERO));
    let all = schedule("catch_up = \"all\"\n");
    assert_eq!(all.rules.catch_up_window, Some(SignedDuration::from_hours(24)));
}

#[test]
fn a_longer_first_wait_raises_the_longest() {
    let text = format!("{PLAIN}[[jobs]]\nname = \"j\"\nretries = {{ attempts = 1, backoff = \"20m\" }}\n");
    let config = Place::with_app(&text).load();
    let retries = job(&config, "plain", "j").terms.retries;
    assert_eq!(retries.max_backoff, SignedDuration::from_mins(20));
}

#[test]
fn a_time_out_of_zero_is_none_however_it_is_written() {
    for zero in ["0", "\"0\"", "\"0s\"", "\"0h 0m\""] {
        let config = Place::with_app(&format!("{PLAIN}timeout = {zero}\n")).load();
        assert_eq!(app(&config, "plain").timeout, Timeout::None, "{zero}");
    }
}

#[test]
fn hidden_and_other_files_are_no_apps() {
    let place = Place::with_app(PLAIN);
    for name in ["apps/.etl.toml.swp", "apps/.hidden.toml", "apps/README.md", "apps/old.toml.bak"] {
        place.write(name, "not TOML");
    }
    assert_eq!(place.load().apps.len(), 1);
}

#[test]
fn a_configuration_can_be_made_of_texts() {
    let config = Config::from_toml("grace = \"1s\"", &[PLAIN]).unwrap();
    assert_eq!(config.settings.grace, SignedDuration::from_secs(1));
    assert!(config.dir.ends_with(Path::new("config")) && config.settings.data_dir.is_absolute());
    let report = Config::from_toml("", &["[app]", PLAIN, PLAIN]).unwrap_err().to_string();
    assert!(
        report.contains("config/apps/1.toml:1:1") && report.contains("config/apps/3.toml:2:8"),
        "{report}"
    );
}
