//! From the document of an analysis to what people read.

mod design;
mod html;
mod numbers;
mod simulation;
mod text;

pub use design::{design_svg, design_text};
pub use html::html;
pub use simulation::simulation;
pub use text::{flow, text};
