//! No core dumps: they would hold the token.

/// From now on the kernel writes no memory of this process to a file, nor hands it to a program that does. Where that
/// cannot be had the program goes on: it is a second wall.
pub(super) fn prevent() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let nothing = Rlimit { current: Some(0), maximum: Some(0) };
        let _ = setrlimit(Resource::Core, nothing);
    }
    // A limit does not hold for dumps that go to a program (core(5)).
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}
