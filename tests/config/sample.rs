//! Both files with every key that there is.

pub(crate) const SETTINGS: &str = r#"
instance = "blue"
namespace = "batch"
data_dir = "state"
listen = "0.0.0.0:7443"
insecure = false
max_children = 8
max_backfill = 200
grace = "5s"
drain = "20s"
hold = "10m"
max_log = "1Mi"
log_budget = "512M"
max_source = "256Mi"
keep_slots = "30d"
log_format = "json"
log = "info,tekcron::store=debug"
health_listen = "0.0.0.0:7071"
executor = "tekton"
kubeconfig = "kube/config"
kube_context = "blue"
max_creates = 4
max_submitted = 500
finalizer = false
unschedulable_after = "20m"
log_stream = "stdout"
public_url = "https://tekcron.example.org/"

[build]
builder = "buildah"
image = "quay.io/buildah/stable"
args = ["--pull=always"]
registry = "registry.example.org/team"
registry_secret = "registry"
fetch_image = "docker.io/curlimages/curl:8.17.0"
service_account = "builder"
timeout = "30m"

[tls]
certificate = "tls/tls.crt"
key = "/etc/tls/tls.key"

[env]
TZ = "UTC"

[notify]
webhook = "ops"
mail = "oncall"

[notify.webhooks.ops]
url = "https://hooks.example.org/tekcron"
secret = { file = "secrets/ops" }

[notify.mails.oncall]
server = "smtp.example.org:2525"
tls = "implicit"
from = "tekcron@example.org"
to = ["ops@example.org", "On call <oncall@example.org>"]
username = "tekcron"
password = { env = "SMTP_PASSWORD" }

[services.warehouse]
label = "postgres"
tags = ["sql", "reports"]
credentials = { env = "WAREHOUSE" }

[services.mailbox]
credentials = { file = "secrets/mailbox.json" }

[services.queue]
credentials = { secret = "team-queue" }

[groups.db]
max_running = 2

[security_groups.public_networks]
rules = [
    { protocol = "tcp", destination = "0.0.0.0-9.255.255.255,11.0.0.0/8", ports = "443,8000-8080", description = "the web", log = false },
    { protocol = "all", destination = "10.1.2.3" },
]

[calendars.holidays]
dates = ["2026-12-24..2026-12-26", "2027-01-01"]
cron = ["* * * * SAT,SUN"]
ics = "holidays.ics"
"#;

pub(crate) const HOLIDAYS: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Easter Monday\r\nDTSTART;VALUE=DATE:20270329\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

pub(crate) const APP: &str = r#"
[app]
name = "etl"
image = "registry.example/etl:1.4"
path = "work"
command = "sh etl.sh"
cpu = "500m"
memory = "256Mi"
disk = "1Gi"
timeout = "30m"
max_running = 3
group = "db"
keep = 50
keep_for = "30d"
keep_per_job = 2
services = ["warehouse", "mailbox", "queue"]
service_account = "etl-runner"
security_groups = ["public_networks"]
logs_on_terminate = "delete"
state = true
keep_workdir = true

[app.env]
STAGE = "demo"

[app.pod_template]
node_selector = { "kubernetes.io/arch" = "arm64" }
tolerations = [
    { key = "batch", value = "only", effect = "NoExecute", toleration_seconds = 60 },
    { effect = "NoSchedule" },
]
volumes = [
    { secret = "certs", mount_path = "/etc/certs", read_only = true },
    { config_map = "rates", mount_path = "/etc/rates" },
    { empty_dir = true, mount_path = "/scratch/" },
    { persistent_volume_claim = "shared", mount_path = "/shared" },
]
image_pull_secrets = ["registry"]
run_as_user = 1000
run_as_group = 1001
fs_group = 1002
run_as_non_root = true

[[jobs]]
name = "nightly"
schedule = "0 2 * * *"
timezone = "Europe/London"
dst = "skip"
catch_up = "all"
catch_up_window = "2 days"
max_catch_up = 7
start_deadline = "1h"
jitter = "30s"
from = "2026-01-01"
until = "2099-12-31"
exclude = []
command = ["sh", "etl.sh", "--full"]
cpu = 2
memory = "1G"
disk = "2Gi"
timeout = 0
overlap = "Forbid"
max_queued = 5
group = "db"
retries = { attempts = 3, backoff = "1m", max_backoff = "1h", on_lost = true }
late_after = "15m"
max_since_success = "26h"
max_runtime = "3h"
on_failure = { webhook = "ops", mail = "oncall", after = 3 }
on_recovery = { webhook = "ops", mail = "oncall" }

[jobs.env]
FULL = "yes"

[[jobs]]
name = "often"
timezone = "Europe/Oslo"
schedules = [
    { cron = "*/5 8-17 * * MON-FRI", id = "office-hours", timezone = "Asia/Tokyo", dst = "literal", catch_up = "none", catch_up_window = "1h", max_catch_up = 1, start_deadline = "30s", jitter = 0, from = "2026-12-01", until = "2099-12-31T18:00:00Z", exclude = ["holidays"], command = "sh etl.sh --fast", env = { MODE = "fast" } },
    { cron = "@hourly" },
]

[[jobs]]
name = "by-hand"
"#;
