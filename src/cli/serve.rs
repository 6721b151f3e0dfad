//! `lodkast serve`.

use super::{ConfigOption, Done, Stopped, open_service};
use crate::api::server;
use crate::clock::Clock;
use std::net::TcpListener;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
}

pub fn run(options: &Options) -> Done {
    let config = options.config.load()?;
    tracing::info!(?config, "the service starts");
    let listener = TcpListener::bind(&config.listen)
        .map_err(|fault| Stopped::failed(format!("{}: {fault}", config.listen)))?;
    let service = open_service(config, Clock::system())?;
    let running = server::start(service, listener, true).map_err(Stopped::failed)?;
    tracing::info!(address = %running.address, "the service takes requests");
    running.wait().map_err(Stopped::failed)?;
    tracing::info!("the service has ended");
    Ok(())
}
