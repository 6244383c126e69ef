//! What happens to a platform in a trial, drawn from the seed.

use std::fmt;

use super::version::Version;
use mkys_acceptance::chance::Chance;

/// What happens before the next version is applied.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    /// Nothing.
    Update,
    /// Somebody sets a part to a state by hand, has Heat check the stack or not, and sets it back or not.
    SetByHand {
        change: Change,
        with_check: bool,
        set_back: bool,
    },
    /// The stack is suspended.
    StackSuspended,
    /// An apply of another version is cut off.
    UpdateCutOff {
        version: Version,
        signal: Signal,
        moment: Moment,
    },
    /// The platform's end is cut off, and the platform is made anew.
    DestroyCutOff { signal: Signal, moment: Moment },
    /// The platform is destroyed, and its creation is cut off.
    CreateCutOff { signal: Signal, moment: Moment },
    /// The state loses a resource, and imports it.
    Imported(Resource),
    /// Another state has the same configuration.
    SecondState,
    /// The CLI has the credential of somebody else.
    OtherCredential,
    /// The state can't be written.
    StateNotWritten { version: Version },
}

/// A change that somebody makes by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A server's action at Nova, and the one that takes it back.
    Server(&'static str, Action),
    /// A volume's status in Cinder's books.
    Volume(&'static str, &'static str),
    VolumeDetached(&'static str),
    VolumeDeleted(&'static str),
    ServerDeleted(&'static str),
    PortDisabled(&'static str),
    PortDeleted(&'static str),
    NetworkDisabled,
    RouterDisabled,
    DhcpOff,
    LegRemoved,
    GatewayRemoved,
    AddressUnassigned,
    AddressDeleted,
    RuleDeleted,
    RuleAdded,
    LinkDisabled,
    LinkDeleted,
    RouteDeleted,
}

/// What Nova does to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Pause,
    Suspend,
    Shelve,
    Stop,
    /// Its status alone becomes `ERROR`.
    Error,
}

/// How an apply is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Interrupt,
    Terminate,
    HangUp,
    Kill,
}

/// When it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// So many milliseconds after its start.
    After(u64),
    /// Once Heat is at work.
    HeatBusy,
    /// Once a server is there that was not there before.
    NewServer,
}

/// A resource of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    Blade,
    Link,
    Route,
}

const CHANGES: [Change; 28] = [
    Change::Server("web", Action::Pause),
    Change::Server("web", Action::Suspend),
    Change::Server("web", Action::Shelve),
    Change::Server("web", Action::Stop),
    Change::Server("web", Action::Error),
    Change::Server("db1", Action::Pause),
    Change::Server("db1", Action::Suspend),
    Change::Server("db2", Action::Shelve),
    Change::Server("db2", Action::Stop),
    Change::Server("db1", Action::Error),
    Change::Volume("db1", "error"),
    Change::Volume("db2", "maintenance"),
    Change::Volume("db1", "available"),
    Change::VolumeDetached("db2"),
    Change::VolumeDeleted("db2"),
    Change::ServerDeleted("db1"),
    Change::ServerDeleted("web"),
    Change::PortDisabled("db1"),
    Change::PortDeleted("web"),
    Change::NetworkDisabled,
    Change::RouterDisabled,
    Change::DhcpOff,
    Change::LegRemoved,
    Change::GatewayRemoved,
    Change::AddressUnassigned,
    Change::AddressDeleted,
    Change::RuleDeleted,
    Change::RuleAdded,
];

const BESIDE: [Change; 3] = [
    Change::LinkDisabled,
    Change::LinkDeleted,
    Change::RouteDeleted,
];

impl Change {
    /// Whether it can be taken back by hand, as far as the cloud allows.
    fn has_way_back(self) -> bool {
        !matches!(
            self,
            Self::VolumeDetached(_)
                | Self::VolumeDeleted(_)
                | Self::ServerDeleted(_)
                | Self::PortDeleted(_)
                | Self::AddressDeleted
                | Self::RuleDeleted
                | Self::LinkDeleted
                | Self::RouteDeleted
                | Self::AddressUnassigned
                | Self::LegRemoved
        )
    }

    /// The server that a change is about, if it may be replaced for it.
    pub(crate) fn server(self) -> Option<&'static str> {
        match self {
            Self::Server(server, _)
            | Self::Volume(server, _)
            | Self::VolumeDetached(server)
            | Self::VolumeDeleted(server)
            | Self::ServerDeleted(server)
            | Self::PortDisabled(server)
            | Self::PortDeleted(server) => Some(server),
            _ => None,
        }
    }
}

impl Signal {
    /// Its name for `kill`.
    pub(crate) fn option(self) -> &'static str {
        match self {
            Self::Interrupt => "-INT",
            Self::Terminate => "-TERM",
            Self::HangUp => "-HUP",
            Self::Kill => "-KILL",
        }
    }

    fn draw(chance: &mut Chance) -> Self {
        chance.one_of(&[Self::Interrupt, Self::Terminate, Self::HangUp, Self::Kill])
    }
}

impl Moment {
    fn draw(chance: &mut Chance) -> Self {
        match chance.between(1, 4) {
            1 => Self::HeatBusy,
            2 => Self::NewServer,
            _ => Self::After(chance.between(300, 25_000)),
        }
    }
}

impl Happening {
    /// Draws one for a platform of this version.
    pub(crate) fn draw(chance: &mut Chance, version: &Version) -> Self {
        match chance.between(1, 24) {
            1 => Self::Update,
            2..=11 => Self::by_hand(chance.one_of(&CHANGES), chance),
            12 => Self::by_hand(chance.one_of(&BESIDE), chance),
            13 => Self::StackSuspended,
            14..=18 => Self::UpdateCutOff {
                version: version.next(chance),
                signal: Signal::draw(chance),
                moment: Moment::draw(chance),
            },
            19 => Self::DestroyCutOff {
                signal: Signal::draw(chance),
                moment: Moment::After(chance.between(300, 20_000)),
            },
            20 => Self::CreateCutOff {
                signal: Signal::draw(chance),
                moment: Moment::draw(chance),
            },
            21 => {
                Self::Imported(chance.one_of(&[Resource::Blade, Resource::Link, Resource::Route]))
            }
            22 => Self::SecondState,
            23 => Self::OtherCredential,
            _ => Self::StateNotWritten {
                version: version.next(chance),
            },
        }
    }

    /// What the first trial of every seed is about: an update that the CLI does not live to see the end of.
    pub(crate) fn certain(chance: &mut Chance, version: &Version) -> Self {
        Self::UpdateCutOff {
            version: version.with_another_site(chance),
            signal: Signal::Kill,
            moment: Moment::NewServer,
        }
    }

    fn by_hand(change: Change, chance: &mut Chance) -> Self {
        Self::SetByHand {
            change,
            with_check: chance.once_in(2),
            set_back: change.has_way_back() && chance.once_in(2),
        }
    }

    /// The kinds that enough trials have to have had, as [`Happening`] is displayed.
    pub(crate) const KINDS: [&str; 11] = [
        "updates",
        "changes by hand, left so",
        "changes by hand, taken back",
        "stacks suspended",
        "updates cut off",
        "destructions cut off",
        "creations cut off",
        "imports",
        "second states",
        "other credentials",
        "states not written",
    ];
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "updates",
            Self::SetByHand {
                set_back: false, ..
            } => "changes by hand, left so",
            Self::SetByHand { set_back: true, .. } => "changes by hand, taken back",
            Self::StackSuspended => "stacks suspended",
            Self::UpdateCutOff { .. } => "updates cut off",
            Self::DestroyCutOff { .. } => "destructions cut off",
            Self::CreateCutOff { .. } => "creations cut off",
            Self::Imported(_) => "imports",
            Self::SecondState => "second states",
            Self::OtherCredential => "other credentials",
            Self::StateNotWritten { .. } => "states not written",
        })
    }
}
