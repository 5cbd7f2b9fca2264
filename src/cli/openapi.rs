//! `tekcron openapi`: the OpenAPI document of the HTTP API. Needs no daemon.

use std::io::{self, Write};

use clap::Args;

use crate::api;

/// Arguments of `openapi`.
#[derive(Debug, Args)]
pub(super) struct OpenapiArgs {}

/// Writes the document to `out`.
///
/// # Errors
/// Where `out` cannot be written.
pub(super) fn run(out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &api::openapi())?;
    writeln!(out)
}
