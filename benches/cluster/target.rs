//! Who is asked to create runs: the scripted server, or a real one.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures::AsyncBufReadExt;
use futures::future::join_all;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind, Request};
use kube::{Client, Config};
use tempfile::{NamedTempFile, TempPath};
use tokio::runtime::Runtime;

use crate::server::Server;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(240);

/// A cluster to measure against.
pub(crate) struct Target {
    pub(crate) kubeconfig: PathBuf,
    pub(crate) namespace: String,
    pub(crate) image: String,
    runtime: Runtime,
    client: Client,
    /// What the scripted server is reached by, and itself.
    _scripted: Option<(TempPath, Server)>,
}

impl Target {
    /// A scripted server of its own, which takes `latency` for a create.
    pub(crate) fn scripted(latency: Duration) -> Self {
        let server = Server::start(latency);
        let mut file = NamedTempFile::new().expect("a temporary file");
        write!(
            file,
            "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts:\n- name: here\n  context: {{ cluster: it, user: me }}\n\
             clusters:\n- name: it\n  cluster: {{ server: '{}' }}\nusers:\n- name: me\n  user: {{ token: t0ken }}\n",
            server.url
        )
        .expect("the file is ours");
        let path = file.into_temp_path();
        Self::of(path.to_path_buf(), "batch".to_owned(), "busybox:1".to_owned(), Some((path, server)))
    }

    /// The cluster that `KUBECONFIG` names, if it is set.
    pub(crate) fn real() -> Option<Self> {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let kubeconfig = var("KUBECONFIG")?;
        let namespace = var("TEKCRON_BENCH_NAMESPACE").unwrap_or_else(|| "default".to_owned());
        let image = var("TEKCRON_BENCH_IMAGE").unwrap_or_else(|| "busybox:1".to_owned());
        Some(Self::of(kubeconfig.into(), namespace, image, None))
    }

    fn of(
        kubeconfig: PathBuf,
        namespace: String,
        image: String,
        scripted: Option<(TempPath, Server)>,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let client = runtime.block_on(async {
            let read = Kubeconfig::read_from(&kubeconfig).expect("the kubeconfig can be read");
            let config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await;
            let mut config = config.expect("the kubeconfig names a cluster");
            config.default_retry = false;
            Client::try_from(config).expect("a client")
        });
        Self { kubeconfig, namespace, image, runtime, client, _scripted: scripted }
    }

    /// What a path of the server answers.
    pub(crate) fn ask(&self, path: &str) -> String {
        let request = axum::http::Request::get(path).body(vec![]).expect("the path is one");
        self.runtime.block_on(self.client.request_text(request)).expect("the server answers")
    }

    /// Creates all of `bodies`, `at_once` at a time, in a loop that does nothing else; how long that took.
    pub(crate) fn create_all(&self, bodies: Vec<Vec<u8>>, at_once: usize) -> Duration {
        let began = std::time::Instant::now();
        let bodies = std::sync::Mutex::new(bodies);
        let next = || bodies.lock().expect("nobody panics with it").pop();
        self.runtime.block_on(join_all((0..at_once).map(|_| async {
            while let Some(body) = next() {
                let request = Request::new(self.path()).create(&Default::default(), body).expect("it is one");
                let answer = self.client.send(request.map(kube::client::Body::from)).await;
                let answer = answer.expect("the server answers");
                let status = answer.status();
                let body = answer.into_body().collect_bytes().await.expect("it can be read");
                assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
            }
        })));
        began.elapsed()
    }

    /// When each of the next `count` runs of `instance` was seen to be created, while `meanwhile` is done.
    pub(crate) fn created<T>(
        &self,
        instance: &str,
        count: usize,
        meanwhile: impl FnOnce() -> T,
    ) -> (Vec<SystemTime>, T) {
        let selector = format!("app.kubernetes.io/instance={instance}");
        let listed = self
            .runtime
            .block_on(self.api().list_metadata(&ListParams::default().labels(&selector).limit(1)));
        let version = listed.expect("runs can be listed").metadata.resource_version.expect("lists have one");
        let path = format!(
            "{}?watch=true&timeoutSeconds=280&resourceVersion={version}&labelSelector={}",
            self.path(),
            selector.replace('/', "%2F").replace('=', "%3D")
        );
        let request = axum::http::Request::get(path).body(vec![]).expect("the path is one");
        let client = self.client.clone();
        let watching = self.runtime.spawn(async move {
            let stream = client.request_stream(request).await.expect("runs can be watched");
            let mut stream = std::pin::pin!(stream);
            let (mut seen, mut line) = (Vec::with_capacity(count), Vec::new());
            while seen.len() < count {
                line.clear();
                let read = stream.read_until(b'\n', &mut line).await.expect("the watch goes on");
                assert_ne!(read, 0, "the watch ended with {} of {count}", seen.len());
                if line.starts_with(br#"{"type":"ADDED""#) {
                    seen.push(SystemTime::now());
                }
            }
            seen
        });
        let done = meanwhile();
        let seen = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, watching).await });
        (seen.expect("they are created in time").expect("the watch goes on"), done)
    }

    /// Leaves nothing of `instance` on the cluster.
    pub(crate) fn clear(&self, instance: &str) {
        if self._scripted.is_some() {
            return;
        }
        let params = ListParams::default().labels(&format!("app.kubernetes.io/instance={instance}"));
        self.runtime.block_on(async {
            let api = self.api();
            api.delete_collection(&DeleteParams::background(), &params).await.expect("runs can be deleted");
            while !api.list_metadata(&params).await.expect("runs can be listed").items.is_empty() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
    }

    fn path(&self) -> String {
        format!("/apis/tekton.dev/v1/namespaces/{}/pipelineruns", self.namespace)
    }

    fn api(&self) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk("tekton.dev", "v1", "PipelineRun");
        let resource = ApiResource::from_gvk_with_plural(&kind, "pipelineruns");
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }
}
