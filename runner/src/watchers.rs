//! Whoever is told what an executor sees.

use tokio::sync::mpsc;

use crate::executor::Seen;
use crate::spec::RunName;
use crate::state::Observation;

/// Those who watch an executor's runs. One that went away is forgotten.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Vec<mpsc::UnboundedSender<Seen>>);

impl Watchers {
    /// One more, who is told at once what was seen last of each run.
    pub(crate) fn join<'a>(
        &mut self,
        seen: impl IntoIterator<Item = (&'a RunName, &'a Option<Observation>)>,
    ) -> mpsc::UnboundedReceiver<Seen> {
        let (sender, receiver) = mpsc::unbounded_channel();
        for (run, observation) in seen {
            if let Some(observation) = observation.clone() {
                let run = run.clone();
                // the receiver is right here
                let _ = sender.send(Seen { run, observation });
            }
        }
        self.0.push(sender);
        receiver
    }

    /// Tells all of them.
    pub(crate) fn tell(&mut self, run: &RunName, observation: Observation) {
        let run = run.clone();
        let seen = Seen { run, observation };
        self.0.retain(|watcher| watcher.send(seen.clone()).is_ok());
    }
}
