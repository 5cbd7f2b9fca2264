//! Whatever the API server makes of a create.
