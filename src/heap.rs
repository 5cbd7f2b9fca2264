//! What the C library does with memory: where large blocks come from, and when it gives back what was freed.

/// Blocks of this size come from the system, zeroed, and go back to it.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 512 << 10;

/// So much free memory at the end of a heap stays there.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 4 << 20;

/// Has large blocks come from the system, always. Once a large block was freed the C library would take the next one
/// from its heap and zero it by hand: of sled's tables, which are nearly empty, each page is memory then.
pub(crate) fn keep_large_blocks_apart() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "only the C library knows where it takes memory from")]
    // SAFETY: any thread may call it at any time, and it takes nothing but numbers.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        // Else the first also makes this smaller than it grows to by itself.
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Gives back what was freed and lies between what is still in use. For quiet moments: the larger the heap the longer
/// it takes, and others wait for memory meanwhile.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "only the C library knows what it keeps")]
    // SAFETY: any thread may call it at any time, and it takes nothing but a number.
    unsafe {
        libc::malloc_trim(0);
    }
}
