//! The `tekcron` binary.

use std::process::ExitCode;

use tekcron::executor::local::shim;

fn main() -> ExitCode {
    // The daemon starts this binary in another role, once a task: nothing may go before it.
    if std::env::args_os().nth(1).is_some_and(|role| role == "shim") {
        shim::main();
    }
    tekcron::cli::main()
}
