//! `lab down`: everything stopped and taken away, and the proof that nothing is left.

use std::thread;

use super::leftovers::Leftovers;
use super::lock::Lock;
use super::template::Templates;
use super::unit::{Table, Work};
use super::{Error, Lab, order, process, takeaway};

/// Takes the lab away. With `keep` its services end in order and the state stays for the next `up`.
///
/// # Errors
/// When something is still there after everything was tried.
pub fn down(lab: &Lab, keep: bool) -> Result<(), Error> {
    if !rustix::process::getuid().is_root() {
        return Err(Error::NotRoot);
    }
    if !lab.place.state().exists() && Leftovers::look(&lab.place).is_empty() {
        lab.progress.note("there is no lab");
        return Ok(());
    }
    let _lock = Lock::take(&lab.place, &lab.progress)?;
    if keep {
        lab.progress.run("stop in order", || stop_in_order(lab))?;
    }
    // What remains holds nothing worth an orderly end: guests, what agents leave running on purpose.
    lab.progress
        .run("take away", || takeaway::everything(&lab.place))?;
    if keep {
        let _ = std::fs::remove_file(lab.place.ready());
        std::fs::write(lab.place.kept(), "")
            .map_err(Error::io("write the mark that state is kept"))?;
    } else {
        takeaway::files(&lab.place)?;
    }
    let left = Leftovers::look(&lab.place);
    if !left.is_empty() {
        return Err(Error::LeftBehind(left.lines()));
    }
    let state = lab.place.state().display();
    let files = if keep {
        format!("{state} is kept")
    } else {
        format!("{state} is gone")
    };
    lab.progress
        .note(format!("down; looked for what is left: {left}; {files}"));
    Ok(())
}

/// Those that need others before those that are needed.
fn stop_in_order(lab: &Lab) -> Result<(), Error> {
    let templates = Templates::new(&lab.place, &lab.settings);
    let table = Table::load(&templates)?;
    for wave in order::waves(&table.units).iter().rev() {
        thread::scope(|scope| {
            for unit in wave {
                if let Work::Service(service) = &unit.work {
                    scope.spawn(|| process::stop(&lab.place, unit, service));
                }
            }
        });
    }
    Ok(())
}
