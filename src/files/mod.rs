//! The border to the file system: one way to open what a user names, one way to write it.
//!
//! ```text
//! photos/a.png → [read]   links followed, then a plain file; opened without waiting; at most so
//!                         many bytes of it
//! last.safetensors → [write]  links followed; written beside its place and put there whole; mode
//!                         and owner kept; devices, pipes and folders refused
//! ```
//!
//! A path may lead anywhere: to a pipe that nobody writes into, to a device that never ends, to a
//! file that another name shares. Whoever opens a path by themselves waits, fills the memory or
//! destroys something sooner or later; so everything that nnc reads or writes goes through here.
//! Contents are interpreted by the caller.

pub mod held;
pub mod read;
pub mod stamp;
pub mod write;

use std::fs::FileType;

/// Name of a file type other than a plain file, for messages.
fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    "something else"
}
