//! How much memory this process may take: the least of what the machine has, what its control groups
//! allow, and what its own limits leave.
//!
//! ```text
//! MemTotal 24 GB, memory.max of the service 4 GB, ulimit -v 8 GB      4 GB
//! ```
//!
//! Known on Linux only. What cannot be read is taken for no limit. What other processes use is not
//! looked at: it may be free again when it is needed.

use std::path::Path;

/// Reads a file of the system, if it is there.
type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Bytes that this process may have, where that is known.
pub fn limit() -> Option<usize> {
    limit_of(&|path| std::fs::read_to_string(Path::new(path)).ok())
}

/// Bytes of address space that a limit leaves, where there is one.
pub fn address_space() -> Option<usize> {
    own(&|path| std::fs::read_to_string(path).ok(), "Max address space", "VmSize:")
}

fn limit_of(read: Read<'_>) -> Option<usize> {
    let machine = kilobytes(&read("/proc/meminfo")?, "MemTotal:")?;
    let limits = [own(read, "Max address space", "VmSize:"), own(read, "Max data size", "VmData:")];
    let limits = limits.into_iter().flatten().chain(groups(read));
    Some(limits.fold(machine, usize::min))
}

/// The number behind a word at the beginning of a line, in bytes.
fn kilobytes(text: &str, word: &str) -> Option<usize> {
    let number = text.lines().find_map(|line| line.strip_prefix(word))?;
    let number: usize = number.trim().trim_end_matches("kB").trim().parse().ok()?;
    number.checked_mul(1024)
}

/// Bytes that a limit of the process (`ulimit -v`, `ulimit -d`) leaves beside those it has already.
fn own(read: Read<'_>, name: &str, taken: &str) -> Option<usize> {
    let limits = read("/proc/self/limits")?;
    let soft =
        limits.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?;
    let soft: usize = soft.parse().ok()?;
    let taken = read("/proc/self/status").and_then(|status| kilobytes(&status, taken));
    Some(soft.saturating_sub(taken.unwrap_or(0)))
}

/// The limits of the control groups that the process is in, and of all groups around them.
fn groups(read: Read<'_>) -> Vec<usize> {
    let mut found = Vec::new();
    let lines = read("/proc/self/cgroup").unwrap_or_default();
    // A namespace may hide the path: what it shows as the root is looked at in any case.
    let hidden = [("/sys/fs/cgroup", "memory.max", "/")];
    let hidden = hidden.into_iter().chain([V1_ROOT]);
    for (root, file, path) in lines.lines().filter_map(group).chain(hidden) {
        let mut path = path;
        loop {
            let limit = read(&format!("{root}{}/{file}", path.trim_end_matches('/')));
            found.extend(limit.and_then(|limit| limit.trim().parse::<usize>().ok()));
            match path.trim_end_matches('/').rfind('/') {
                Some(slash) => path = &path[..slash],
                None => break,
            }
        }
    }
    found
}

/// Where version 1 says what its root may take.
const V1_ROOT: (&str, &str, &str) = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "/");

/// The root, the limit's file and the path of a group of `/proc/self/cgroup`, if it limits memory:
/// `0::/user.slice` of version 2, `9:memory:/docker/1` of version 1.
fn group(line: &str) -> Option<(&'static str, &'static str, &str)> {
    let mut parts = line.splitn(3, ':');
    let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    if number == "0" && controllers.is_empty() {
        return Some(("/sys/fs/cgroup", "memory.max", path));
    }
    let is_memory = controllers.split(',').any(|controller| controller == "memory");
    is_memory.then_some((V1_ROOT.0, V1_ROOT.1, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:       16 kB\nMemFree: 1 kB\n");

    fn limit(files: &[(&str, &str)]) -> Option<usize> {
        limit_of(&|path| {
            let file = files.iter().chain([&MACHINE]).find(|(name, _)| *name == path);
            file.map(|(_, text)| (*text).to_string())
        })
    }

    #[test]
    fn the_machine_is_a_limit() {
        assert_eq!(limit(&[]), Some(16 * 1024));
        assert_eq!(limit_of(&|_| None), None);
    }

    #[test]
    fn every_group_around_the_process_is_a_limit() {
        let group = ("/proc/self/cgroup", "0::/a/b\n");
        let own = ("/sys/fs/cgroup/a/b/memory.max", "max\n");
        let around = ("/sys/fs/cgroup/a/memory.max", "5000\n");
        assert_eq!(limit(&[group, own, around]), Some(5000));
        assert_eq!(limit(&[group, ("/sys/fs/cgroup/a/b/memory.max", "400\n"), around]), Some(400));
        assert_eq!(limit(&[group, ("/sys/fs/cgroup/memory.max", "300\n"), around]), Some(300));
    }

    #[test]
    fn groups_of_version_one_are_limits() {
        let group = ("/proc/self/cgroup", "12:cpu,memory:/docker/1\n3:pids:/docker/1\n");
        let own = ("/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9223372036854771712");
        let around = ("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "700\n");
        assert_eq!(limit(&[group, own, around]), Some(700));
        let root = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "600\n");
        assert_eq!(limit(&[group, root]), Some(600), "the namespace hides the path");
    }

    #[test]
    fn limits_of_the_process_leave_what_it_has_not_taken() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max data size             9000                 unlimited            bytes     \n\
                      Max address space         10000                unlimited            bytes     \n";
        let limits = ("/proc/self/limits", limits);
        let status = ("/proc/self/status", "VmPeak:\t 9 kB\nVmSize:\t    4 kB\nVmData:\t 2 kB\n");
        assert_eq!(limit(&[limits, status]), Some(10_000 - 4096));
        let unlimited = ("/proc/self/limits", "Max address space unlimited unlimited bytes\n");
        assert_eq!(limit(&[unlimited, status]), Some(16 * 1024));
    }
}
