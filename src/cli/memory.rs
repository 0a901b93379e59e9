//! How the C library hands memory back.
//!
//! An export holds one row group after the other, in blocks of about a megabyte. As it is, glibc gives such blocks back to the system
//! when they are freed, which costs a tenth of an export to get them again, until it has learnt to keep them: then it keeps what
//! was freed in one thread from all others. So it is set to have one heap for all threads, to keep blocks of up to 8 MiB in it,
//! and to give back what is free at its end from 2 MiB on. It reads that from the environment alone, before the program begins.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
use super::environment::Environment;

/// The settings (`mallopt(3)`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const SETTINGS: [(&str, &str); 3] = [
    (Environment::MMAP_THRESHOLD, "8388608"),
    (Environment::TRIM_THRESHOLD, "2097152"),
    (Environment::ARENA_MAX, "1"),
];

/// Starts the program again, as the same process, with these settings, unless the user has made some. Where
/// that cannot be done it goes on as it is.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn set_up_heap() {
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
    let _ = std::process::Command::new(program).arg0(name).args(arguments).envs(SETTINGS).exec();
}

/// Other C libraries have no such settings.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn set_up_heap() {}
