//! `mkys_blade`: one application platform as a unit.
//!
//! *observe → validate → build → apply → status*: [`read`] observes, [`definition`] and the `blade`
//! crate validate and build, [`create`], [`update`] and [`delete`] apply, [`stack`] and [`project`]
//! hold the calls.

mod advice;
mod asking;
mod back;
mod create;
mod definition;
mod delete;
mod drift;
mod foreign;
mod import;
mod joined;
mod leading;
mod leftovers;
mod mark;
mod model;
mod names;
mod network_drift;
mod plan;
mod project;
mod project_change;
mod read;
mod resolve;
mod room;
mod run;
mod schema;
mod scope;
mod serving;
mod sketch;
mod snapshots;
mod stack;
mod state;
mod stopping;
mod unplanned;
mod update;
mod volume_drift;
mod waiting;
mod watch;
mod ways_in;

use mkys_plugin::{
    Context, Create, Delete, Diagnostics, Import, Plan, Read, Resource, Schema, Slot, Update,
};

pub(crate) use import::{Standing, find};
pub(crate) use model::Model;
use names::Names;
use sketch::Sketch;
pub(crate) use state::{Id, Private};

use crate::platform::{NoCloud, Platform, not_looked_at};

/// The resource.
#[derive(Debug)]
pub struct Blade {
    platform: Platform,
    names: Names,
}

impl Blade {
    /// The resource on a platform.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            names: Names::default(),
        }
    }
}

impl Resource for Blade {
    type Model = Model;
    type Private = Private;

    fn name(&self) -> &'static str {
        "blade"
    }

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, config: &Model, _cx: &Context) -> Result<(), Diagnostics> {
        plan::check_timeouts(config)?;
        Sketch::of(config).validated().map(drop)
    }

    async fn plan(&self, plan: &mut Plan<Self>, cx: &Context) -> Result<(), Diagnostics> {
        self.plan_change(plan, cx).await
    }

    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        self.create_blade(request.planned, slot, cx).await
    }

    async fn read(
        &self,
        request: Read<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let configured = self.platform.configured()?;
        match configured.cloud {
            Err(NoCloud::NotYetKnown) => {
                cx.warn(not_looked_at("cloud"));
                Ok(())
            }
            _ => {
                self.read_blade(request.state, request.private, slot, cx)
                    .await
            }
        }
    }

    async fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        self.update_blade(request.prior, request.planned, request.private, slot, cx)
            .await
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        self.delete_blade(request.prior, request.private, slot, cx)
            .await
    }

    async fn import(
        &self,
        request: Import,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        self.import_blade(request.id.unwrap_or_default(), slot)
            .await
    }
}
