//! What a person sees of the cluster: its components, as they are now.

use super::Cluster;
use crate::lab::Error;
use crate::lab::procfs::resident_kib;
use crate::progress::Progress;

impl Cluster {
    /// Prints the components; true when all are well.
    ///
    /// # Errors
    /// When the cluster's own table is wrong.
    pub fn status(&self, progress: &Progress) -> Result<bool, Error> {
        let mut all_well = true;
        progress.line(format!(
            "{:<28} {:>8} {:<12} {:>7}  listens",
            "component", "pid", "state", "MiB"
        ));
        for component in self.table()?.iter() {
            let pid = self.background(component).pid();
            let well = pid.is_some() && self.answers(component);
            let state = match (well, pid) {
                (true, _) => "answers",
                (false, Some(_)) => "no answer",
                (false, None) => "not running",
            };
            let memory = pid.map(resident_kib).unwrap_or_default() / 1024;
            let pid = pid.map_or_else(|| "-".into(), |pid| pid.to_string());
            let listens: Vec<_> = component.listens.iter().map(ToString::to_string).collect();
            progress.line(format!(
                "{:<28} {pid:>8} {state:<12} {memory:>7}  {}",
                component.name,
                listens.join(" ")
            ));
            all_well &= well;
        }
        Ok(all_well)
    }
}
