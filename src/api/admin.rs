use axum::Json;
use axum::extract::State;
use secrecy::ExposeSecret;

use super::error::ApiError;
use super::extract::NoParams;
use super::failure::{Code, Failure};
use super::resources::{ErrorEnvelope, ReloadResource, TokenResource};
use super::service::Shared;
use crate::blocking::blocking;

/// `POST /v1/token/rotate`: a new token; the old one is dead when this is answered.
#[utoipa::path(
    post,
    path = "/v1/token/rotate",
    responses((status = 200, description = "The new token", body = TokenResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn rotate_token(
    State(serving): State<Shared>,
    _: NoParams,
) -> Result<Json<TokenResource>, Failure> {
    let token = serving.service.token.clone();
    let rotated = blocking(move || Ok(token.rotate())).await;
    let text = match rotated {
        Ok(Ok(text)) => text,
        Ok(Err(error @ ApiError::TokenNotOurs)) => return Err(Failure::new(Code::GivenToken, error)),
        Ok(Err(error)) => return Err(Failure::new(Code::Internal, error)),
        Err(error) => return Err(Failure::new(Code::Internal, error)),
    };
    tracing::info!("the API token was rotated");
    Ok(Json(TokenResource { token: text.expose_secret().to_owned() }))
}

/// `POST /v1/reload`: puts a changed configuration into effect.
#[utoipa::path(
    post,
    path = "/v1/reload",
    responses((status = 200, description = "What is in effect", body = ReloadResource), (status = "default", description = "Why not", body = ErrorEnvelope)),
)]
pub(super) async fn reload(
    State(serving): State<Shared>,
    _: NoParams,
) -> Result<Json<ReloadResource>, Failure> {
    let changed = serving.service.reloader.reload().await?;
    Ok(Json(ReloadResource { changed, generation: serving.config().generation.clone() }))
}
