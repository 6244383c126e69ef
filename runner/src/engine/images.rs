//! The image of a run: there already, or pulled.

use bollard::Docker;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::CreateImageOptionsBuilder;
use futures_util::TryStreamExt;

use super::{failure, triage};
use crate::spec::Image;
use crate::verdict::{Cause, Failure};

/// An image that is there.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    /// What runs: the engine's id of it.
    pub(super) id: String,
    /// Its own command: its entry point and arguments.
    pub(super) command: Vec<String>,
}

/// Why an image is not there.
#[derive(Debug)]
pub(super) enum ImageError {
    /// Asking again changes nothing.
    Refused(Failure),
    /// The engine can't say.
    Engine(Error),
}

/// Has the image there. What is there under its reference is taken as it is, as Kubernetes does.
pub(super) async fn ready(docker: &Docker, image: &Image) -> Result<Ready, ImageError> {
    if let Some(ready) = inspect(docker, image).await? {
        return Ok(ready);
    }
    let options = CreateImageOptionsBuilder::new()
        .from_image(image.as_str())
        .build();
    let pulled = docker.create_image(Some(options), None, None);
    // progress, of which only the end counts
    let pulled = pulled.try_for_each(|_| std::future::ready(Ok(()))).await;
    if let Err(error) = pulled {
        return Err(match triage::refusal(&error) {
            Some(failure) => ImageError::Refused(failure),
            None => ImageError::Engine(error),
        });
    }
    let words = format!("{image} was pulled, and the engine does not have it");
    let missing = || ImageError::Refused(failure(Cause::ImageMissing, words));
    inspect(docker, image).await?.ok_or_else(missing)
}

async fn inspect(docker: &Docker, image: &Image) -> Result<Option<Ready>, ImageError> {
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
    }))
}

/// The digest by which the registry knows an image that is there.
pub(super) fn digest(image: &Image, inspected: &ImageInspect) -> Option<String> {
    let references = inspected.repo_digests.iter().flatten();
    let mut digests = references.filter_map(|reference| reference.split_once('@'));
    let own = digests
        .clone()
        .find(|(repository, _)| *repository == image.repository());
    own.or_else(|| digests.next())
        .map(|(_, digest)| digest.to_owned())
}
