//! Identities, API keys, roles and scopes: may this caller do this here?

mod caller;
pub mod key;
mod role;

pub use caller::Caller;
pub use key::KeyText;
pub use role::{Right, Role};
