//! The one door to the kernel.
//!
//! Thin system calls, and files and locks that have to survive a crash. What can hang (mounts, file systems of dead
//! servers, name resolution) is a worker's to do, in `worker`. Nothing here knows grants, guests or front-ends:
//! callers have decided already.

pub(crate) mod byte_lock;
mod clock;
mod core_dump;
mod directory;
mod disk;
mod durable;
mod event_log;
mod file_beneath;
mod file_cache;
mod file_identity;
mod held_link;
mod host_name;
mod inotify;
mod key_file;
mod lock;
pub(crate) mod lock_file;
mod log;
mod look;
mod memory_limit;
mod mountinfo;
mod open_directory;
mod owner;
mod privileges;
mod program;
mod random;
mod rate_limit;
pub(crate) mod rlimit;
mod socket;
mod socket_directory;
mod socket_name;
mod stdio;
mod termination;
mod writable;

pub use clock::{ThreadClock, now_seconds};
pub use core_dump::forbid_core_dumps;
pub use directory::{
    check_directory, check_directory_itself, check_parents, close_directory,
    close_directory_beneath, create_directories_beneath, create_root_only_directory,
};
pub use disk::{
    appearance, device_beneath, disk_beneath, errors_met, says_shut_down, sysfs, takes_writes,
};
pub use durable::{
    TrustError, check_root_only_directory, create_durably, open_trusted, read_trusted,
    remove_durably, remove_durably_by_way_of, remove_leftovers, remove_unfinished, replace_link,
    write_durably, write_durably_by_way_of, write_program_durably, write_readable_durably,
};
pub use event_log::{EventLog, LAST_EVENTS};
pub use file_beneath::{read_key_beneath, read_trusted_beneath};
pub use file_cache::{FileCache, if_there};
pub use held_link::HeldLink;
pub use host_name::host_name;
pub use inotify::{DirectoryEvents, Heard, WatchedDirectory, wait_readable};
pub use key_file::read_key_file;
pub use lock::{Afterwards, Lock, LockError, give_up_inherited_lock};
pub use log::open_log;
pub use look::{Look, Looks};
pub use memory_limit::{MemoryLimit, memory_limit};
pub use mountinfo::{
    MountEntry, ToldBy, cached_mount_at, cached_name_at, is_mount_point, mount_at,
    mount_points_beneath, mount_points_of,
};
pub use open_directory::{DirectoryIdentity, OpenDirectory};
pub use privileges::{Privilege, Privileges};
pub(crate) use program::while_no_program_is_written;
pub use random::{fill_randomly, random_bytes};
pub use rate_limit::count_in_window;
pub use socket::is_listened_at;
pub use socket_directory::{connect_all, listen_in};
pub use socket_name::{NameHolder, Predecessor, SocketName};
pub use stdio::{Answer, silence_standard_streams};
pub use termination::{hold_termination, wait_for_termination};
pub use writable::check_writable;
