//! From the document of an analysis to what people read.

mod html;
mod numbers;
mod text;

pub use html::html;
pub use text::{flow, text};
