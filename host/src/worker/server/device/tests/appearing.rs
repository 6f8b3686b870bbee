use std::time::Instant;

use super::*;

fn wait_for(disk: &LoopDisk, timeout: Duration) -> Result<Reply, Fault> {
    let operation = DeviceOperation::Await { timeout };
    let wanted = disk.wanted();
    carry_out(&DeviceRequest::On { wanted, operation }, &disk.notes())
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_that_is_here_is_not_waited_for() {
    let disk = LoopDisk::new(4 * MIB);
    let started = Instant::now();
    wait_for(&disk, Duration::from_secs(20)).expect("here");
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_that_appears_is_seen_at_once() {
    let mut disk = LoopDisk::detached(4 * MIB);
    let wanted = disk.wanted();
    let waiting = std::thread::spawn(move || {
        let timeout = Duration::from_secs(20);
        let operation = DeviceOperation::Await { timeout };
        let request = DeviceRequest::On { wanted, operation };
        let reply = carry_out(&request, Path::new("/no/notes"));
        (reply, Instant::now())
    });
    // Just after the look once a second, so that only an event can be this quick.
    std::thread::sleep(Duration::from_millis(1150));
    disk.attach();
    let attached = Instant::now();
    let (reply, seen) = waiting.join().expect("no panic");
    assert_eq!(reply, Ok(Reply::Device(DeviceReply::Found)));
    let delay = seen.saturating_duration_since(attached);
    assert!(delay < Duration::from_millis(600), "{delay:?}");
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_that_stays_away_is_described() {
    let disk = LoopDisk::detached(4 * MIB);
    let started = Instant::now();
    let fault = wait_for(&disk, Duration::from_millis(300)).expect_err("not here");
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    assert!(fault.message.contains(&disk.serial), "{fault}");
    assert!(fault.message.contains("waited 0.3 s"), "{fault}");
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
#[ignore = "needs root: loop devices"]
fn a_disk_without_a_size_is_not_here_yet() {
    let disk = LoopDisk::new(0);
    let fault = wait_for(&disk, Duration::ZERO).expect_err("no size");
    assert_eq!(fault.kind, FaultKind::Unreachable, "{fault}");
    assert!(fault.message.contains("no size yet"), "{fault}");
}
