//! Where bundles come from. A source finds content and offers it to the data plane.

pub mod arrivals;
pub mod content;
pub mod file;

pub use file::Handle;
