use axum::Json;
use axum::extract::State;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::extract::NoParams;
use super::failure::{Code, Failure};
use super::service::Shared;
use crate::blocking::blocking;

/// `POST /v1/token/rotate`: a new token; the old one is dead when this is answered.
pub(super) async fn rotate_token(State(serving): State<Shared>, _: NoParams) -> Result<Json<Value>, Failure> {
    let token = serving.service.token.clone();
    let rotated = blocking(move || Ok(token.rotate())).await;
    let text = match rotated {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(Failure::new(Code::Internal, error)),
        Err(error) => return Err(Failure::new(Code::Internal, error)),
    };
    tracing::info!("the API token was rotated");
    Ok(Json(json!({ "token": text.expose_secret() })))
}

/// `POST /v1/reload`: puts a changed configuration into effect.
pub(super) async fn reload(State(serving): State<Shared>, _: NoParams) -> Result<Json<Value>, Failure> {
    let changed = serving.service.reloader.reload().await?;
    Ok(Json(json!({ "changed": changed, "generation": serving.config().generation })))
}
