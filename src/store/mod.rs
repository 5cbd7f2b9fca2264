//! The store: the one place where sled lives.
