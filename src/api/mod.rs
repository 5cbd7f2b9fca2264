//! The HTTP API: JSON over loopback, the one way in and out of a running daemon.
