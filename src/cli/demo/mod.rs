//! `lodkast demo`: the whole job on a fresh machine.
//!
//! In a folder of its own it makes a database and keys, starts the service, and lets synthetic citizens
//! live through a simulated year that ends today. Whatever it does to the trial it does as any other
//! client would, over HTTP. Then it goes on serving.

mod population;
mod year;

use super::client::Client;
use super::{Done, Stopped};
use crate::access::{KeyText, Role};
use crate::api::server;
use crate::clock::Clock;
use crate::conduct::issue_key::{self, Wish};
use crate::config::Config;
use crate::{key_file, protocol, report, telemetry};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;

const PROTOCOL: &str = include_str!("../../../config/protocols/digital-conversations.toml");

#[derive(Debug, clap::Args)]
pub struct Options {
    /// End when the trial is analysed
    #[arg(long)]
    no_serve: bool,
    /// Citizens to enrol
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(50..=200_000))]
    participants: u32,
    /// Folder for the database and the keys of the demonstration
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub fn run(options: &Options) -> Done {
    let mut config = Config::load(None).map_err(Stopped::input)?;
    telemetry::start(&crate::config::Log {
        level: "warn".into(),
        ..config.log.clone()
    })
    .map_err(Stopped::input)?;
    let clock = Clock::standing_at(Clock::system().now());
    let folder = options.folder.clone().unwrap_or_else(|| {
        PathBuf::from(format!("data/demo-{}", clock.now().format("%Y%m%d-%H%M%S")))
    });
    // Nothing of a real installation is touched: own database, own keys.
    config.database.url = format!("sqlite://{}", folder.join("lodkast.sqlite").display());
    config.key_file = folder.join("lodkast.keys");
    let store = super::open_store(&config)?;
    store.migrate().map_err(Stopped::failed)?;
    let secrets = key_file::load(&config).map_err(Stopped::input)?;
    let listener = bind(&config)?;
    let end = clock.now();
    clock.set(end - TimeDelta::weeks(year::WEEKS as i64));
    let service = crate::conduct::Service::open(store, clock.clone(), secrets, config)
        .map_err(Stopped::failed)?;

    let administrators = [
        key_by_hand(&service, Role::Administrator, "Trial administrator")?,
        key_by_hand(&service, Role::Administrator, "Second administrator")?,
    ];
    let running = server::start(service, listener, true).map_err(Stopped::failed)?;
    let address = format!("http://{}", running.address);
    let story = tell(&address, &administrators, &clock, end, options.participants);
    clock.release();
    match story {
        Ok(keys) if !options.no_serve => {
            println!("{}", farewell(&address, &folder, &keys));
            running.wait().map_err(Stopped::failed)
        }
        Ok(_) => running.stop().map_err(Stopped::failed),
        Err(stopped) => {
            let _ = running.stop();
            Err(stopped)
        }
    }
}

/// The configured address, or any free port where that one is taken.
fn bind(config: &Config) -> Result<TcpListener, Stopped> {
    TcpListener::bind(&config.listen)
        .or_else(|_| TcpListener::bind("127.0.0.1:0"))
        .map_err(|fault| Stopped::failed(format!("{}: {fault}", config.listen)))
}

fn key_by_hand(
    service: &crate::conduct::Service,
    role: Role,
    name: &str,
) -> Result<String, Stopped> {
    let wish = Wish {
        expires_at: Some(service.clock.now() + TimeDelta::days(2 * 365)),
        ..Wish::new(role, name)
    };
    issue_key::by_hand(service, &wish)
        .map(|key| key.reveal())
        .map_err(Stopped::failed)
}

/// The keys that the demonstration shows at its end, by role.
type Keys = Vec<(&'static str, String)>;

fn tell(
    address: &str,
    administrators: &[String; 2],
    clock: &Clock,
    end: DateTime<Utc>,
    participants: u32,
) -> Result<Keys, Stopped> {
    let document = protocol::from_toml(PROTOCOL)
        .map_err(|_| Stopped::failed("the example protocol cannot be read"))?;
    let trial = format!("/v1/trials/{}", document.id);
    let [administrator, second] = administrators
        .each_ref()
        .map(|key| Client::new(address, key));
    eprintln!("Registering {}", document.title);
    administrator.post("/v1/trials", &document.document)?;
    let registered = administrator.post(&format!("{trial}/registration"), &json!({}))?;
    eprintln!("  commitment {}", text(&registered, "commitment"));
    let expires_at = text_of_time(end + TimeDelta::days(365));
    let wish = |role: &str, name: &str| json!({"role": role, "name": name, "trial": document.id, "expires_at": expires_at});
    let make = |role: &str, name: &str, sites: Option<&[&str]>| {
        let mut wish = wish(role, name);
        wish["sites"] = json!(sites);
        administrator
            .post("/v1/keys", &wish)
            .map(|answer| text(&answer, "key"))
    };
    // Keys that see results are other persons': one administrator asks, the other signs, and the secret is
    // its holder's own.
    let sign = |role: &str, name: &str| {
        let key = KeyText::random();
        let person = administrator.post("/v1/persons", &json!({"name": name}))?;
        let mut wish = wish(role, name);
        wish["person"] = person["person"].clone();
        wish["key_id"] = json!(key.id);
        wish["secret_sha256"] = json!(key.hash());
        let asked = administrator.post("/v1/keys", &wish)?;
        second.post(&text(&asked, "approval"), &json!({}))?;
        Ok::<_, Stopped>(key.reveal())
    };
    let monitor = sign("monitor", "Data monitoring committee")?;
    let statistician = sign("statistician", "Trial statistician")?;
    let register = make("source", "Employment register", None)?;
    let mut sites = Vec::new();
    for site in population::SITES {
        let enroller = make("enroller", &format!("Job centre {site}"), Some(&[site]))?;
        let source = make("source", &format!("Case system {site}"), Some(&[site]))?;
        sites.push(year::Site {
            name: site,
            enroller: Client::new(address, &enroller),
            source: Client::new(address, &source),
        });
    }
    administrator.post(
        &format!("{trial}/status"),
        &json!({"to": "enrolling", "reason": "All sites are trained"}),
    )?;

    let register = Client::new(address, &register);
    year::live(&trial, clock, end, participants, &sites, &register)?;
    administrator.post(
        &format!("{trial}/status"),
        &json!({"to": "closed", "reason": "The planned follow-up has ended"}),
    )?;

    let monitor_client = Client::new(address, &monitor);
    let cut = monitor_client.post(&format!("{trial}/data-cuts"), &json!({}))?;
    let analysis = monitor_client.post(
        &format!("{trial}/analyses"),
        &json!({"data_cut": cut["data_cut"]}),
    )?;
    let flow = administrator.get(&format!("{trial}/flow"))?;
    println!("{}", summary(&document, &flow, &cut, &analysis));
    Ok(vec![
        ("administrator", administrators[0].clone()),
        ("monitor", monitor),
        ("statistician", statistician),
    ])
}

fn text_of_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// The flow and the primary result.
fn summary(document: &protocol::Protocol, flow: &Value, cut: &Value, analysis: &Value) -> String {
    let primary = &analysis["result"]["estimates"][0];
    let number = |value: &Value| value.as_f64().map_or("none".into(), |x| format!("{x:.4}"));
    let label = document
        .endpoint(primary["endpoint"].as_str().unwrap_or_default())
        .map_or("", |endpoint| endpoint.label.as_str());
    let limits = &primary["confidence"];
    let flow = serde_json::from_value(flow.clone())
        .map_or_else(|_| String::new(), |flow| report::flow(&flow));
    let level = limits["level"].as_f64().unwrap_or(0.0) * 100.0;
    format!(
        "\n{}\n\n{flow}\nData cut {}: {} records\n\nPrimary result: {label}\n  {} against {}: \
         {} ({level}% CI {} to {}), {}\n  non-inferiority with margin {}: p = {}\n",
        document.title,
        cut["data_cut"],
        cut["records"]
            .as_object()
            .map_or(0, |kinds| kinds.values().filter_map(Value::as_i64).sum()),
        text(primary, "arm"),
        text(primary, "reference"),
        number(&primary["estimate"]),
        number(&limits["lower"]),
        number(&limits["upper"]),
        text(primary, "estimator"),
        number(&primary["null"]),
        number(&primary["p_value"]),
    )
}

fn farewell(address: &str, folder: &std::path::Path, keys: &Keys) -> String {
    let mut text = format!("The service goes on at {address} (its API: {address}/docs/)\n");
    for (role, key) in keys {
        text.push_str(&format!("  {role:<14} {key}\n"));
    }
    text.push_str(&format!(
        "Database and keys: {}\nEnd it with Ctrl-C.",
        folder.display()
    ));
    text
}
