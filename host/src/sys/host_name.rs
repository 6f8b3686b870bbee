//! Who this machine is.

use std::io;

/// The host's name, as the kernel has it.
///
/// # Errors
/// Where /proc is not there.
pub fn host_name() -> io::Result<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(name.trim_end().to_owned())
}
