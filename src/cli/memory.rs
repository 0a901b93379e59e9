//! How the C library hands memory back.
//!
//! An export holds one row group after the other, in blocks of about a megabyte. glibc gives such blocks back
//! to the system when they are freed, until the first of them is: then it raises its threshold and keeps
//! them, and what was freed in one thread is not what another asks for. Measured with five million customers,
//! the peak is 65 to 75 MiB with its own threshold and 49 to 57 with a fixed one. It reads that from the environment
//! alone, before the program begins.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use super::environment::Environment;

/// Blocks of this many bytes are given back when they are freed. Less than a batch, more than most else.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const THRESHOLD: &str = "524288";

/// Starts the program again, as the same process, with a fixed threshold, unless the user has set one. Where
/// that cannot be done it goes on as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn fix_threshold() {
    use std::os::unix::process::CommandExt;
    if Environment::says_how_to_allocate() {
        return;
    }
    let mut arguments = std::env::args_os();
    let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) else { return };
    // Started through the loader (`ld.so ./kometsales`), the process is the loader.
    if program.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"ld")) {
        return;
    }
    // It returns only if it failed.
    let _ = std::process::Command::new(program)
        .arg0(name)
        .args(arguments)
        .env(Environment::MMAP_THRESHOLD, THRESHOLD)
        .exec();
}

/// Other C libraries have no such threshold.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn fix_threshold() {}
