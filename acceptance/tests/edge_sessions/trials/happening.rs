//! What happens to the edge in a round.

use mkys_acceptance::chance::Chance;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Happening {
    MasterKilled,
    WorkersKilled,
    NginxKilled,
    PidFileLost,
    ControlSocketLost,
    /// By hand, as after a certificate was renewed.
    NginxReloaded,
    EdgeKilled,
    EdgeAndMasterKilled,
    EdgeAndNginxKilled,
    EdgeTerminated,
    EdgeInterrupted,
    EdgeHungUp,
    /// `mkys-edge`, then NGINX by `mkys-edge stop-nginx`.
    BothStopped,
    /// Other settings, and `mkys-edge` started again.
    Reconfigured,
    /// A second `mkys-edge serve` with the same state.
    SecondServe,
    DiskNearlyFull,
    DiskFull,
    EdgeKilledOnFullDisk,
    /// NGINX' memory for session routes.
    MemoryFull,
    NginxKilledOnFullMemory,
}

impl Happening {
    pub(super) const ALL: [Self; 20] = [
        Self::MasterKilled,
        Self::WorkersKilled,
        Self::NginxKilled,
        Self::PidFileLost,
        Self::ControlSocketLost,
        Self::NginxReloaded,
        Self::EdgeKilled,
        Self::EdgeAndMasterKilled,
        Self::EdgeAndNginxKilled,
        Self::EdgeTerminated,
        Self::EdgeInterrupted,
        Self::EdgeHungUp,
        Self::BothStopped,
        Self::Reconfigured,
        Self::SecondServe,
        Self::DiskNearlyFull,
        Self::DiskFull,
        Self::EdgeKilledOnFullDisk,
        Self::MemoryFull,
        Self::NginxKilledOnFullMemory,
    ];

    /// Whether `mkys-edge` ends, so that no change is acknowledged until it was started again.
    pub(super) fn ends_edge(self) -> bool {
        matches!(
            self,
            Self::EdgeKilled
                | Self::EdgeAndMasterKilled
                | Self::EdgeAndNginxKilled
                | Self::EdgeTerminated
                | Self::EdgeInterrupted
                | Self::BothStopped
                | Self::Reconfigured
        )
    }

    /// Whether visitors keep their connections.
    pub(super) fn keeps_connections(self) -> bool {
        !matches!(
            self,
            Self::MasterKilled
                | Self::WorkersKilled
                | Self::NginxKilled
                | Self::ControlSocketLost
                | Self::EdgeAndMasterKilled
                | Self::EdgeAndNginxKilled
                | Self::BothStopped
                | Self::NginxKilledOnFullMemory
        )
    }
}

/// The happening of a round: the deck of all is shuffled for each pass through it.
pub(super) fn drawn(seed: u64, round: u64) -> Happening {
    let mut deck = Happening::ALL;
    let size = deck.len() as u64;
    // beyond the numbers of rounds
    let mut chance = Chance::new(seed, (1 << 32) + round / size);
    for last in (1..deck.len()).rev() {
        let other = chance.between(0, last as u64);
        deck.swap(last, usize::try_from(other).unwrap());
    }
    deck[usize::try_from(round % size).unwrap()]
}
