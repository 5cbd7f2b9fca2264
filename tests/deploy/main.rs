//! What `deploy` gives a cluster: manifests that are what they seem, agree with each other and with the program, and
//! a first configuration without a fault.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read fails the test")]

#[path = "../crd/mod.rs"]
mod crd;
mod image;
mod manifest;
mod objects;
mod papers;
mod settings;
