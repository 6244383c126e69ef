//! The image of a run: there already, or pulled.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;

use super::client::Client;
use super::{failure, triage};
use crate::spec::Image;
use crate::verdict::{Cause, Failure};

/// How images are named that were made on this machine and are in no registry.
const LOCAL: &str = "localhost/";

/// An image that is there.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    /// What runs: the engine's id of it.
    pub(super) id: String,
    /// Its own command: its entry point and arguments.
    pub(super) command: Vec<String>,
    /// The directories that it declares as volumes.
    pub(super) volumes: Vec<String>,
}

/// Why an image is not there.
#[derive(Debug)]
pub(super) enum ImageError {
    /// Asking again changes nothing.
    Refused(Failure),
    /// The engine can't say.
    Engine(Error),
}

/// Has the image there. As on Kubernetes, what is there under its reference is taken as it is, unless that has the tag `latest` or none
/// (<https://kubernetes.io/docs/concepts/containers/images/#imagepullpolicy-defaulting>). An image that was made here is in no registry.
pub(super) async fn ready(docker: &Client, image: &Image) -> Result<Ready, ImageError> {
    let is_asked_for = image.is_moving() && !image.as_str().starts_with(LOCAL);
    if !is_asked_for && let Some(ready) = inspect(docker, image).await? {
        return Ok(ready);
    }
    pull(docker, image.as_str())
        .await
        .map_err(|error| match triage::refusal(&error) {
            Some(failure) => ImageError::Refused(failure),
            None => ImageError::Engine(error),
        })?;
    there(docker, image).await
}

/// The image that was made ready before.
pub(super) async fn there(docker: &Client, image: &Image) -> Result<Ready, ImageError> {
    let words = format!("{image} was pulled, and the engine does not have it");
    let missing = || ImageError::Refused(failure(Cause::ImageMissing, words));
    inspect(docker, image).await?.ok_or_else(missing)
}

async fn pull(docker: &Client, reference: &str) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::new().from_image(reference);
    let pulled = docker.create_image(Some(options.build()), None, None);
    // progress, of which only the end counts
    pulled.try_for_each(|_| std::future::ready(Ok(()))).await
}

async fn inspect(docker: &Client, image: &Image) -> Result<Option<Ready>, ImageError> {
    let inspected = match docker.inspect_image(image.as_str()).await {
        Ok(inspected) => inspected,
        Err(error) if triage::is_absent(&error) => return Ok(None),
        Err(error) => return Err(ImageError::Engine(error)),
    };
    let config = inspected.config.unwrap_or_default();
    let command = [config.entrypoint, config.cmd];
    Ok(inspected.id.map(|id| Ready {
        id,
        command: command.into_iter().flatten().flatten().collect(),
        volumes: config.volumes.into_iter().flatten().collect(),
    }))
}

/// The digests that registries gave for what was run, by its name and the engine's id.
#[derive(Debug, Default)]
pub(super) struct Digests(Mutex<HashMap<(String, String), Option<String>>>);

impl Digests {
    /// The digest by which the registry knows an image that ran: the one that was asked for, or else one that the registry gives it under.
    /// An engine knows an image by every digest that any registry has given it, and by one of its own if it made it, under every name.
    pub(super) async fn of(
        &self,
        docker: &Client,
        image: &Image,
        inspected: &ImageInspect,
    ) -> Option<String> {
        if let Some(asked) = image.digest() {
            return Some(asked.to_owned());
        }
        let id = inspected.id.clone().unwrap_or_default();
        let key = (image.repository().to_owned(), id);
        if let Some(known) = self.known().get(&key) {
            return known.clone();
        }
        let found = find(docker, image, inspected).await;
        self.known().insert(key, found.clone());
        found
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Option<String>>> {
        // nothing panics while it is held
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn find(docker: &Client, image: &Image, inspected: &ImageInspect) -> Option<String> {
    let repository = image.repository();
    for digest in candidates(image, inspected) {
        if repository.starts_with(LOCAL) {
            return Some(digest);
        }
        // what the registry has under that name can be pulled by it, and is there already
        match pull(docker, &format!("{repository}@{digest}")).await {
            Ok(()) => return Some(digest),
            Err(error) => {
                tracing::debug!(%image, digest, %error, "its registry does not have it so")
            }
        }
    }
    None
}

/// The digests that may be the registry's: under its own name, as engines write it or as people do.
fn candidates(image: &Image, inspected: &ImageInspect) -> Vec<String> {
    let own = image.repository();
    let is_its = |repository: &str| {
        repository == own
            || repository.strip_prefix("docker.io/") == Some(own)
            || repository.strip_prefix("docker.io/library/") == Some(own)
    };
    let references = inspected.repo_digests.iter().flatten();
    let digests = references.filter_map(|reference| reference.split_once('@'));
    digests
        .filter(|(repository, _)| is_its(repository))
        .map(|(_, digest)| digest.to_owned())
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn digests_of_other_repositories_are_none_of_an_images() {
        let inspected = ImageInspect {
            repo_digests: Some(vec![
                "registry.example.org/other@sha256:1".to_owned(),
                "registry.example.org/own@sha256:2".to_owned(),
                "docker.io/library/own@sha256:3".to_owned(),
            ]),
            ..ImageInspect::default()
        };
        let of = |image: &str| candidates(&image.parse().unwrap(), &inspected);
        assert_eq!(of("registry.example.org/own:1"), ["sha256:2"]);
        assert_eq!(of("own"), ["sha256:3"]);
        assert_eq!(of("registry.example.org/none"), Vec::<String>::new());
    }
}
