//! The MKYS provider: its resources over the clients they use. The binary serves it.

mod backplane_link;
mod blade;
pub mod cloud;
mod duration;
mod nearest;
mod platform;
mod provider;
mod render;
mod route;

pub use backplane_link::BackplaneLink;
pub use blade::Blade;
pub use platform::Platform;
pub use provider::Mkys;
pub use render::Render;
pub use route::Route;
