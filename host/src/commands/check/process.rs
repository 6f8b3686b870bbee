//! Whether a process like this one could do what a driver's file grants.

use drivebay::config::{DriverConfig, Paths};
use drivebay::driver::{self, Work};

pub(super) fn problems(driver: &DriverConfig, work: Work) -> Vec<String> {
    let mut problems = Vec::new();
    problems.extend(
        driver::check_privileges(driver, work)
            .err()
            .map(|error| error.chain()),
    );
    let programs = driver::missing_programs(driver, work);
    if !programs.is_empty() {
        let missing = programs.join(", ");
        problems.push(format!(
            "its disks can want programs that are missing here: {missing}"
        ));
    }
    problems
}

/// Nothing that `serve` needs: it is that program itself.
pub(super) fn note_missing_compiler(paths: &Paths, driver: &DriverConfig) {
    let program = paths.compiler();
    if driver.flexvolume.is_some() && !program.exists() {
        say!(
            "  note       FlexVolume's shim finds no {}, which compiles for it and makes its requests; `drivebay install` puts it there",
            program.display()
        );
    }
}
