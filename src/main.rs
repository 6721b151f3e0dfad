//! The command line of lodkast.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    lodkast::cli::run(lodkast::cli::Arguments::parse())
}
