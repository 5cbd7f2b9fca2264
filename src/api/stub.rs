#![allow(missing_docs, clippy::todo, unused_variables, clippy::allow_attributes)]
use crate::clock::SharedClock;
use crate::config::{Config, Settings};
use crate::executor::Executor;
use crate::store::Store;
use crate::task::DispatchHandle;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ApiError(String);
#[derive(Clone)]
pub struct Token;
impl Token {
    pub fn load_or_create(data_dir: &Path) -> Result<Self, ApiError> {
        todo!()
    }
}
pub struct Service {
    pub store: Store,
    pub dispatch: DispatchHandle,
    pub executor: Arc<dyn Executor>,
    pub config: Arc<ArcSwap<Config>>,
    pub clock: SharedClock,
    pub metrics: metrics_exporter_prometheus::PrometheusHandle,
    pub token: Token,
}
pub struct Server;
impl Server {
    pub fn new(
        listener: tokio::net::TcpListener,
        service: Service,
        settings: &Settings,
    ) -> Result<Self, ApiError> {
        todo!()
    }
    pub fn url(&self) -> String {
        todo!()
    }
    pub async fn run(self, stop: CancellationToken, drain: jiff::SignedDuration) -> Result<(), ApiError> {
        todo!()
    }
}
pub fn check_listen(settings: &Settings) -> Result<(), ApiError> {
    todo!()
}
pub fn publish_address(data_dir: &Path, url: &str) -> Result<(), ApiError> {
    todo!()
}
pub fn withdraw_address(data_dir: &Path) {}
