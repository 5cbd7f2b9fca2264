//! The shapes of the files as JSON Schema, for editors that complete and check TOML.
//!
//! [`App`] is an App file, [`Settings`] is `tekcron.toml`. What the schema accepts, tekcron may still refuse:
//! it cannot look at other files, nor at the calendar.

#![expect(missing_docs, reason = "the words of a field are what an editor shows")]
