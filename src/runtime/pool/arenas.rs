//! The arenas of `malloc`: glibc reserves 64 MB of address space for each of up to eight a processor,
//! which a process whose address space is limited does not have.

/// From now on, all threads allocate from one arena. Does nothing with another C library.
pub fn share_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: this sets a number, and has no other effect.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
