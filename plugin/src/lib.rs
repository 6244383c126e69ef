//! The Terraform/OpenTofu plugin protocol, version 6, served: typed resources, nothing else.
//!
//! A provider is a [`Provider`] with its [`Resource`]s, [`DataSource`]s, [`EphemeralResource`]s and [`Function`]s, given to a
//! [`Server`]. Configuration, plan and state of a resource are one plain serde struct, its *model*; the fields that a person
//! sets are [`Attr`]s, because while planning a value can be unknown. The schema says what the attributes look like and how they
//! are planned. What resource code saves to its [`Slot`] reaches the state whatever happens.
//!
//! Three things a model must know:
//! - It has a field for each attribute of its schema, no more and no fewer; what does not fit is told with its path.
//! - What meets an unknown value must be an [`Attr`], also within maps and lists; for a dynamic attribute it is `Attr<Value>`.
//! - `serde(flatten)` and untagged enums read into a buffer that knows no unknown: not in models.
//!
//! ```no_run
//! use std::process::ExitCode;
//! use std::sync::{Arc, OnceLock};
//!
//! use mkys_plugin::{
//!     Attr, Attribute, Context, Create, Delete, Diagnostics, Import, Path, Diagnostic, Plan, Provider, Read,
//!     Resource, Schema, Server, Slot, Update,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! // What configuring makes, and resources use. A real one would be a client.
//! type Client = Arc<OnceLock<std::path::PathBuf>>;
//!
//! struct Notes { folder: Client }
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Config { folder: Attr<String> }
//!
//! impl Provider for Notes {
//!     type Config = Config;
//!     fn name(&self) -> &'static str { "notes" }
//!     fn schema(&self) -> Schema {
//!         Schema::new().attribute("folder", Attribute::string().required())
//!     }
//!     async fn configure(&self, config: Config, _cx: &Context) -> Result<(), Diagnostics> {
//!         if let Some(folder) = config.folder.into_option() {
//!             let _ = self.folder.set(folder.into());
//!         }
//!         Ok(())
//!     }
//! }
//!
//! struct Note { folder: Client }
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Model { id: Attr<String>, title: Attr<String>, text: Attr<String> }
//!
//! impl Note {
//!     fn file(&self, id: &str) -> Result<std::path::PathBuf, Diagnostics> {
//!         let Some(folder) = self.folder.get() else {
//!             return Err(Diagnostics::error("The provider is not configured", ""));
//!         };
//!         Ok(folder.join(id))
//!     }
//!     fn write(&self, mut model: Model, slot: &Slot<Self>) -> Result<(), Diagnostics> {
//!         let id = model.title.clone().unwrap_or_default();
//!         std::fs::write(self.file(&id)?, model.text.as_str().unwrap_or_default())?;
//!         model.id = id.into();
//!         slot.save_model(model);
//!         Ok(())
//!     }
//! }
//!
//! impl Resource for Note {
//!     type Model = Model;
//!     type Private = ();
//!     fn name(&self) -> &'static str { "note" } // notes_note
//!     fn schema(&self) -> Schema {
//!         Schema::new()
//!             .description("A note in the folder.")
//!             .attribute("id", Attribute::string().computed().use_state_for_unknown())
//!             .attribute("title", Attribute::string().required().requires_replace().validate_str(|title| {
//!                 if title.contains('/') { Err("a title has no slash".into()) } else { Ok(()) }
//!             }))
//!             .attribute("text", Attribute::string().default(""))
//!     }
//!     async fn plan(&self, plan: &mut Plan<Self>, _cx: &Context) -> Result<(), Diagnostics> {
//!         if let Some(planned) = &plan.planned && planned.title.as_str() == Some("secret") {
//!             return Err(Diagnostic::error("No secrets here", "").at(Path::root("title")).into());
//!         }
//!         Ok(())
//!     }
//!     async fn create(&self, request: Create<Self>, slot: &Slot<Self>, _cx: &Context) -> Result<(), Diagnostics> {
//!         self.write(request.planned, slot)
//!     }
//!     async fn read(&self, request: Read<Self>, slot: &Slot<Self>, _cx: &Context) -> Result<(), Diagnostics> {
//!         let mut model = request.state;
//!         match std::fs::read_to_string(self.file(model.id.as_str().unwrap_or_default())?) {
//!             Ok(text) => { model.text = text.into(); slot.save_model(model); }
//!             Err(_) => slot.remove(),
//!         }
//!         Ok(())
//!     }
//!     async fn update(&self, request: Update<Self>, slot: &Slot<Self>, _cx: &Context) -> Result<(), Diagnostics> {
//!         self.write(request.planned, slot)
//!     }
//!     async fn delete(&self, request: Delete<Self>, _slot: &Slot<Self>, _cx: &Context) -> Result<(), Diagnostics> {
//!         Ok(std::fs::remove_file(self.file(request.prior.id.as_str().unwrap_or_default())?)?)
//!     }
//!     async fn import(&self, request: Import, slot: &Slot<Self>, _cx: &Context) -> Result<(), Diagnostics> {
//!         let id = request.id.unwrap_or_default();
//!         slot.save_model(Model { title: id.clone().into(), id: id.into(), text: Attr::Null }); // a read follows
//!         Ok(())
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     let folder = Client::default();
//!     Server::builder(Notes { folder: Arc::clone(&folder) }).resource(Note { folder }).run()
//! }
//! ```
mod attr;
mod calls;
mod context;
mod data_source;
mod diagnostic;
mod ephemeral;
mod erased;
mod function;
mod path;
mod plan;
mod protocol;
mod provider;
mod resource;
mod schema;
mod serve;
mod server;
mod service;
mod value;

pub use attr::Attr;
pub use context::{ClientCapabilities, Context};
pub use data_source::DataSource;
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use ephemeral::{EphemeralResource, Opened, Renewed};
pub use function::{Function, FunctionError};
pub use path::{Path, Step};
pub use provider::Provider;
pub use resource::{Create, Delete, Identity, Import, Plan, Read, Resource, Slot, Update};
pub use schema::{
    Attribute, IdentityAttribute, IdentitySchema, Nested, Nesting, Parameter, Schema, Signature,
    Type, TypeError,
};
pub use server::{Server, ServerBuilder};
pub use value::{ModelError, Number, NumberError, Value};
