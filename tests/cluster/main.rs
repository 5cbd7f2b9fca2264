//! The real binary on a real cluster: `cargo test --test cluster -- --ignored --test-threads 1`, with KUBECONFIG,
//! TEKCRON_TEST_NAMESPACE and TEKCRON_TEST_IMAGE (any image with a shell) set. Builds also want TEKCRON_TEST_ADDRESS, an address of
//! this machine that pods reach, and `wget` or `curl`, `tar` and `sha256sum` in the image.
//!
//! Nothing else is assumed than Kubernetes 1.28 and Tekton 0.60. Every test has an instance of its own, and leaves
//! nothing behind.

#![expect(clippy::unwrap_used, reason = "a test may stop where it cannot go on")]

mod builds;
mod deleted;
#[path = "../daemon/harness.rs"]
#[expect(dead_code, reason = "tests of the local executor use more of it")]
mod harness;
mod lives;
mod many;
mod outages;
mod world;
