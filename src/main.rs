//! The `tekcron` binary.

use std::process::ExitCode;

use tekcron::executor::local::shim;

/// sled makes and frees small pieces from several threads, over which the system's allocator looks for longer the more
/// there are; and what it keeps for each thread is memory that nobody uses.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // The daemon starts this binary in another role, once a task: nothing may go before it.
    if std::env::args_os().nth(1).is_some_and(|role| role == "shim") {
        return shim::main();
    }
    tekcron::cli::main()
}
