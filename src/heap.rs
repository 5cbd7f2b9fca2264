//! Memory that was freed here, and that the C library keeps between what is still in use.

/// Gives it back to the system. For quiet moments: the larger the heap the longer it takes, and others wait for
/// memory meanwhile.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "only the C library knows what it keeps")]
    // SAFETY: any thread may call it at any time, and it takes nothing but a number.
    unsafe {
        libc::malloc_trim(0);
    }
}
