//! How a trial goes: something happens to the platform, the next version is applied, and what stands is judged.

use std::collections::BTreeSet;

use super::by_hand;
use super::happening::{Happening, Moment, Resource, Signal};
use super::platform::Platform;
use super::standing::{Allowed, Standing};
use super::version::Version;

/// What is tried.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) happening: Happening,
    pub(crate) next: Version,
}

/// Makes a trial with a platform of a version. Whatever is wrong afterwards panics.
pub(crate) fn undergo(platform: &mut Platform, version: &Version, trial: &Trial) {
    platform.renew();
    let Trial { happening, next } = trial;
    let before = Standing::look(platform);
    match happening {
        Happening::DestroyCutOff { signal, moment } => {
            platform.cut_off(&DESTROY, *signal, *moment);
            return create(platform, next, &before);
        }
        Happening::CreateCutOff { signal, moment } => {
            platform.stage.destroy();
            platform.write(version);
            cut_off_create(platform, *signal, *moment);
            return create(platform, next, &before);
        }
        _ => {}
    }
    let mut allowed = Allowed::default();
    let mut versions = vec![version, next];
    happen(platform, happening, &before, &mut allowed, &mut versions);
    let differing = Version::differing(&versions);
    allowed.replaced.extend(&differing);
    allowed.restarted.extend(&differing);
    update(platform, next, &before, allowed);
}

const APPLY: [&str; 3] = ["apply", "-no-color", "-auto-approve"];
const DESTROY: [&str; 3] = ["destroy", "-no-color", "-auto-approve"];

/// Has it happen.
fn happen<'a>(
    platform: &mut Platform,
    happening: &'a Happening,
    before: &Standing,
    allowed: &mut Allowed,
    versions: &mut Vec<&'a Version>,
) {
    match happening {
        Happening::Update => {}
        Happening::SetByHand {
            change,
            with_check,
            set_back,
        } => {
            by_hand::make(platform, before, *change);
            if *with_check {
                platform.stack_action("check");
            }
            by_hand::allows(*change, allowed);
            if *set_back {
                by_hand::take_back(platform, before, *change);
                // whatever Heat holds of it, it is well now
                allowed.replaced.clear();
            }
        }
        Happening::StackSuspended => {
            platform.stack_action("suspend");
            allowed.restarted = super::version::SERVERS.into();
        }
        Happening::UpdateCutOff {
            version,
            signal,
            moment,
        } => {
            versions.push(version);
            platform.write(version);
            platform.cut_off(&APPLY, *signal, *moment);
        }
        Happening::StateNotWritten { version } => {
            versions.push(version);
            platform.write(version);
            platform.apply_without_room();
        }
        Happening::Imported(resource) => import(platform, *resource),
        Happening::SecondState => {
            let said = platform.stage.apply_fails_without_state();
            assert!(said.contains("Import it"), "{said}");
        }
        Happening::OtherCredential => try_as_somebody_else(platform),
        Happening::DestroyCutOff { .. } | Happening::CreateCutOff { .. } => {
            unreachable!("a platform that ends is made anew")
        }
    }
}

/// Applies the next version, by a plan that names all that is lost with it.
fn update(platform: &mut Platform, next: &Version, before: &Standing, mut allowed: Allowed) {
    platform.write(next);
    let (planned, said) = platform.plan();
    allowed.planned = planned;
    let ended = platform.apply_plan();
    assert_eq!(ended.code, 0, "{said}\n{}", ended.said);
    platform.stage.settled();
    let after = Standing::look(platform);
    let violations = before.violations(&after, &allowed);
    assert!(
        violations.is_empty(),
        "{}\n{said}\n{}",
        violations.join("\n"),
        ended.said
    );
    platform.serves(next);
}

/// Makes a platform that is not there, or not whole.
fn create(platform: &mut Platform, next: &Version, before: &Standing) {
    platform.write(next);
    platform.stage.apply();
    platform.stage.settled();
    platform.renew();
    let after = Standing::look(platform);
    assert_eq!(after.counts, before.counts);
    platform.serves(next);
}

/// A creation whose state was lost with its CLI is found again by the names.
fn cut_off_create(platform: &Platform, signal: Signal, moment: Moment) {
    platform.cut_off(&APPLY, signal, moment);
}

fn import(platform: &Platform, resource: Resource) {
    let (blade, backplane) = (&platform.blade, &platform.backplane);
    let (address, id) = match resource {
        Resource::Blade => ("mkys_blade.blade", blade.clone()),
        Resource::Link => ("mkys_backplane_link.this", format!("{blade}/{backplane}")),
        Resource::Route => {
            let address = "mkys_route.site";
            let id = platform.state(address)["id"].clone();
            (address, crate::world::cloud::text(&id))
        }
    };
    for words in [
        ["state", "rm", address].as_slice(),
        &["import", "-no-color", address, &id],
    ] {
        let ended = platform.stage.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {}", ended.said);
    }
}

/// Nothing that somebody else tries is done, and nothing is forgotten.
fn try_as_somebody_else(platform: &mut Platform) {
    let addresses = platform.addresses();
    platform.as_somebody_else();
    let tries: [&[&str]; 4] = [
        &["plan", "-no-color"],
        &DESTROY,
        &["destroy", "-no-color", "-auto-approve", "-refresh=false"],
        &["apply", "-no-color", "-auto-approve"],
    ];
    for words in tries {
        let ended = platform.stage.run(words);
        assert_eq!(ended.code, 1, "{words:?}: {}", ended.said);
    }
    platform.as_itself();
    let here: BTreeSet<_> = addresses.lines().collect();
    let after = platform.addresses();
    assert_eq!(after.lines().collect::<BTreeSet<_>>(), here);
}
