//! An update as a row of templates, each of which Heat can reach and go back from, such that what
//! serves is never touched before what replaces it is known to serve.
//!
//! - **Expand** puts the new revisions beside the old ones; traffic stays. If a new one fails or
//!   stays silent, Heat takes away what this step added, and the old ones never stopped.
//! - **Contract** moves the traffic and takes the old revisions away.
//! - A server that cannot stand twice, because both would hold the same volume, is **taken away**
//!   and **added** afterwards; if adding fails, the old revision is added again. Volumes that the
//!   new revision does not have are **released** after that: the old one could need them until then.

use std::collections::BTreeMap;

use crate::blade::Audience;
use crate::compile::Compiled;
use crate::name::PartName;
use crate::revision::Revision;
use crate::template::{GROUP_TYPE, Resource, SERVER_TYPE, Template, VOLUME_TYPE, belongs_to};

/// What a step does; the word that a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Changes in place alone: no server is replaced.
    Change,
    /// New revisions beside the old ones.
    Expand,
    /// Traffic moves, old revisions go.
    Contract,
    /// Servers that cannot stand twice go.
    TakeAway,
    /// Their new revisions come.
    Add,
    /// Volumes that only their old revisions had go.
    Release,
}

/// One Heat update.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What it does.
    pub kind: Kind,
    /// The stack's template after it.
    pub template: Template,
}

/// How a server gets its new revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Beside the old one, which serves until the new one is ready.
    SideBySide,
    /// After the old one went: it does not serve meanwhile.
    Recreate,
}

/// A server that gets another revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// The server.
    pub server: PartName,
    /// The revision that stands.
    pub from: Revision,
    /// The revision wanted.
    pub to: Revision,
    /// How.
    pub strategy: Strategy,
}

impl Replacement {
    /// Whether the old revision goes before the new one comes.
    pub fn is_recreated(&self) -> bool {
        self.strategy == Strategy::Recreate
    }

    /// Whether a resource or parameter belongs to the revision that stands.
    pub(crate) fn has_old(&self, name: &str) -> bool {
        belongs_to(name, self.server.as_ref(), &self.from)
    }

    /// Whether a resource or parameter belongs to the wanted revision.
    fn has_new(&self, name: &str) -> bool {
        belongs_to(name, self.server.as_ref(), &self.to)
    }
}

/// The servers that get another revision; `strategy` decides how each does.
pub fn replacements(
    from: &BTreeMap<PartName, Revision>,
    to: &BTreeMap<PartName, Revision>,
    strategy: impl Fn(&PartName) -> Strategy,
) -> Vec<Replacement> {
    let changed = to.iter().filter_map(|(server, to)| {
        let from = from.get(server).filter(|from| *from != to)?;
        Some(Replacement {
            server: server.clone(),
            from: from.clone(),
            to: to.clone(),
            strategy: strategy(server),
        })
    });
    changed.collect()
}

/// The steps from the template that stands to the wanted one.
pub fn steps(old: &Template, new: &Compiled, replacements: &[Replacement]) -> Vec<Step> {
    let of = |strategy| {
        replacements
            .iter()
            .filter(move |one| one.strategy == strategy)
    };
    let recreated: Vec<_> = of(Strategy::Recreate).collect();
    let beside: Vec<_> = of(Strategy::SideBySide).collect();
    let mut steps = Vec::new();
    // the wanted template, but with the old revision of what is recreated later
    let contracted = with_old(&new.template, old, &recreated);
    if !beside.is_empty() || adds_servers(old, &contracted) {
        steps.push(Step {
            kind: Kind::Expand,
            template: expanded(old, &contracted, &beside),
        });
    }
    let kind = if steps.is_empty() {
        Kind::Change
    } else {
        Kind::Contract
    };
    if steps.last().map_or(old, |step| &step.template) != &contracted {
        steps.push(Step {
            kind,
            template: contracted.clone(),
        });
    }
    if !recreated.is_empty() {
        let away = without(&contracted, &recreated);
        steps.push(Step {
            kind: Kind::TakeAway,
            template: away,
        });
        let added = with_volumes(&new.template, &contracted);
        let releases = added != new.template;
        steps.push(Step {
            kind: Kind::Add,
            template: added,
        });
        if releases {
            steps.push(Step {
                kind: Kind::Release,
                template: new.template.clone(),
            });
        }
    }
    steps
}

/// Name of the resource that sends an audience's traffic to a server's revision.
pub(crate) fn association(server: &PartName, audience: Audience) -> String {
    format!("association-{}_{server}", audience.as_str())
}

fn adds_servers(old: &Template, new: &Template) -> bool {
    let server = |(_, resource): &(&String, &Resource)| resource.kind == SERVER_TYPE;
    new.resources
        .iter()
        .filter(server)
        .any(|(name, _)| !old.resources.contains_key(name))
}

/// Both templates at once. What has the same name is as wanted, but traffic stays where it is, and who is let in to it. The outputs stay as
/// well: until traffic moves, the version that the stack tells of is the one that serves.
fn expanded(old: &Template, new: &Template, beside: &[&Replacement]) -> Template {
    let mut both = new.clone();
    for (name, resource) in &old.resources {
        both.resources
            .entry(name.clone())
            .or_insert_with(|| resource.clone());
    }
    for (name, parameter) in &old.parameters {
        both.parameters
            .entry(name.clone())
            .or_insert_with(|| parameter.clone());
    }
    for (name, output) in &old.outputs {
        both.outputs.insert(name.clone(), output.clone());
    }
    let groups = old
        .resources
        .iter()
        .filter(|(_, one)| one.kind == GROUP_TYPE);
    both.resources
        .extend(groups.map(|(name, one)| (name.clone(), one.clone())));
    keep_associations(&mut both, old, beside);
    both
}

/// `new`, with the old revisions of `kept`.
fn with_old(new: &Template, old: &Template, kept: &[&Replacement]) -> Template {
    let mut template = without(new, kept);
    for replacement in kept {
        let resources = old
            .resources
            .iter()
            .filter(|(name, _)| replacement.has_old(name));
        template
            .resources
            .extend(resources.map(|(name, one)| (name.clone(), one.clone())));
        let parameters = old
            .parameters
            .iter()
            .filter(|(name, _)| replacement.has_old(name));
        template
            .parameters
            .extend(parameters.map(|(name, one)| (name.clone(), one.clone())));
        for (name, output) in &old.outputs {
            if output_of(name, &replacement.server) {
                template.outputs.insert(name.clone(), output.clone());
            }
        }
    }
    keep_associations(&mut template, old, kept);
    template.complete_from(old);
    template
}

/// `new`, with all volumes of `old`.
fn with_volumes(new: &Template, old: &Template) -> Template {
    let mut template = new.clone();
    for (name, resource) in &old.resources {
        if resource.kind == VOLUME_TYPE {
            template
                .resources
                .entry(name.clone())
                .or_insert_with(|| resource.clone());
        }
    }
    template
}

/// `template`, without either revision of `gone`. Parameters of the old revision stay, unused, so that Heat still knows their values (some
/// of them hidden) should the old revision have to be added again.
fn without(template: &Template, gone: &[&Replacement]) -> Template {
    let mut rest = template.clone();
    let is_new = |name: &String| gone.iter().any(|one| one.has_new(name));
    let is_old = |name: &String| gone.iter().any(|one| one.has_old(name));
    rest.resources
        .retain(|name, _| !is_new(name) && !is_old(name));
    rest.parameters.retain(|name, _| !is_new(name));
    for replacement in gone {
        for audience in Audience::ALL {
            rest.resources
                .remove(&association(&replacement.server, audience));
        }
        rest.outputs
            .retain(|name, _| !output_of(name, &replacement.server));
    }
    rest
}

fn keep_associations(template: &mut Template, old: &Template, of: &[&Replacement]) {
    for replacement in of {
        for audience in Audience::ALL {
            let name = association(&replacement.server, audience);
            if let Some(resource) = old.resources.get(&name) {
                template.resources.insert(name, resource.clone());
            }
        }
    }
}

/// Whether an output reads a resource of the server's revision.
fn output_of(name: &str, server: &PartName) -> bool {
    let of_server = |prefix: &str| {
        let rest = name
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix(server.as_ref()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
    };
    of_server("server_") || of_server("address_")
}

/// `template` without the server revisions for which `keep` is false: those that an interrupted update left.
pub fn prune(mut template: Template, keep: impl Fn(&str, &Revision) -> bool) -> Template {
    let unwanted: Vec<_> = template
        .server_revisions()
        .filter(|(server, revision)| !keep(server, revision))
        .map(|(server, revision)| (server.to_owned(), revision))
        .collect();
    let stays = |name: &String| {
        let mut unwanted = unwanted.iter();
        !unwanted.any(|(server, revision)| belongs_to(name, server, revision))
    };
    template.resources.retain(|name, _| stays(name));
    template.parameters.retain(|name, _| stays(name));
    template
}
