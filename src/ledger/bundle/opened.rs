//! A registration of a bundle, opened: what it committed to, and the draws that follow from it.

use super::Registered;
use crate::ledger::tree::from_hex;
use crate::protocol::canonical::sha256;
use crate::protocol::{self, Method, Protocol, level_fault};
use crate::randomization::{DRAW_VERSION, Replay, Secret, Seed, StratumLabel, StreamKeys};

/// A registration whose commitments hold.
pub(super) struct Opened {
    pub registered: Registered,
    pub protocol: Protocol,
    secret: Secret,
}

impl Opened {
    /// Opens a registration of a trial: its protocol and secret must be those committed to.
    pub fn open(registered: Registered, trial: &str) -> Result<Self, String> {
        let number = registered.number;
        let fault = |what: &str| format!("registration {number}: {what}");
        if registered.draw_version != DRAW_VERSION {
            return Err(fault("it draws by rules that this version does not know"));
        }
        // The commitment binds the secret, not the version: another one would be another seed.
        if registered.version != 1 {
            return Err(fault(
                "its version is not 1: later ones are not known to this software",
            ));
        }
        let protocol = protocol::from_value(registered.protocol.clone())
            .map_err(|_| fault("its protocol cannot be read"))?;
        if protocol.id != trial {
            return Err(fault("its protocol is of another trial"));
        }
        let salt = from_hex(&registered.protocol_salt)
            .ok_or_else(|| fault("the salt is not 64 hexadecimal digits"))?;
        let canonical = protocol.canonical();
        let salted = sha256(&[&salt[..], canonical.as_bytes()].concat());
        if hex::encode(salted) != registered.protocol_commitment {
            return Err(fault("the protocol is not the one that was committed to"));
        }
        let secret = Secret::from_hex(&registered.secret)
            .ok_or_else(|| fault("the secret is not 64 hexadecimal digits"))?;
        let commitment = secret.commitment(trial, &protocol.digest());
        if hex::encode(commitment.0) != registered.commitment {
            return Err(fault("the secret is not the one that was committed to"));
        }
        Ok(Self {
            registered,
            protocol,
            secret,
        })
    }

    /// Whether a public value goes into the seed.
    pub fn awaits_public_value(&self) -> bool {
        self.protocol.randomization.public_randomness.is_some()
    }

    fn seed(&self) -> Result<Seed, String> {
        match &self.registered.public_randomness {
            None if self.awaits_public_value() => {
                Err("the public randomness that the protocol names is missing".into())
            }
            Some(_) if !self.awaits_public_value() => {
                Err("the protocol names no public randomness".into())
            }
            None => Ok(self.secret.alone()),
            Some(value) => Ok(self.secret.mixed_with(value)),
        }
    }

    /// The draws of the trial from their beginning; None where arms are drawn elsewhere.
    pub fn replay(&self) -> Result<Option<Replay<'_>>, String> {
        if self.protocol.randomization.method == Method::External {
            return Ok(None);
        }
        let keys = StreamKeys::new(&self.seed()?, &self.protocol.id, self.registered.version);
        Replay::new(&self.protocol, keys)
            .map(Some)
            .map_err(|fault| fault.to_string())
    }

    /// The label of a text, where it has just the protocol's stratification factors, with levels that
    /// they may have. Another spelling of the same levels would be another stream.
    pub fn label(&self, text: &str) -> Result<StratumLabel, String> {
        let label = StratumLabel::parse(text)
            .ok_or_else(|| format!("{text} is not the label of a stratum"))?;
        let levels = label.levels();
        let mut factors = self.protocol.stratifiers();
        let known = factors.all(|factor| {
            let level = levels[&factor.id].as_str();
            level.is_some_and(|level| match factor.open_levels {
                true => level_fault(level).is_none(),
                false => factor.levels.iter().any(|known| known == level),
            })
        });
        let count = levels.as_object().map_or(0, serde_json::Map::len);
        if !known || count != self.protocol.stratifiers().count() {
            return Err(format!("{label} is not a stratum of the protocol"));
        }
        Ok(label)
    }
}
