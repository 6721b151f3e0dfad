//! The check of a bundle, from its commitments to the signatures of its checkpoints.

use super::draws::Redrawing;
use super::opened::Opened;
use super::read::{Bundle, Line};
use super::{Audience, FORMAT, PublicDraw};
use crate::ledger::note::{Checkpoint, Kind, Note, NoteError, VerifierKey};
use crate::ledger::tree::{Edge, Hash, empty_root, from_hex};
use crate::ledger::{Salt, leaf};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

/// What whoever verifies knows from elsewhere.
#[derive(Debug, Default)]
pub struct Trust {
    /// Keys that must have signed the last checkpoint or, a witness's, a kept one. Without a key of
    /// the log those are taken that the bundle names.
    pub keys: Vec<VerifierKey>,
    /// Signed notes that were kept, each with its name: the ledger must go on from them.
    pub kept: Vec<(String, String)>,
}

/// What was checked.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Report {
    pub trial: String,
    pub audience: String,
    /// The commitments, one for each registration: compare them with those that were published.
    pub commitments: Vec<String>,
    pub entries: u64,
    /// Entries whose record is shown and was held against its leaf.
    pub records: u64,
    /// Entries of a full bundle whose record is gone, each of a person whom an erasure names.
    pub erased: u64,
    /// Draws that were drawn anew.
    pub draws: u64,
    /// Draws that a public bundle says it does not list.
    pub draws_left_out: Option<u64>,
    /// Root over all entries, in hexadecimal digits.
    pub root: String,
    pub checkpoints: usize,
    /// Checkpoints of the verifier's own that the ledger goes on from.
    pub kept_checkpoints: usize,
    /// The keys whose signatures hold, each with the largest checkpoint that it signed.
    pub signed_by: Vec<SignedBy>,
    /// Whether the log's key was known from elsewhere.
    pub key_was_known: bool,
}

/// A key, and how many entries the largest checkpoint covers that it signed.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct SignedBy {
    pub key: String,
    pub entries: u64,
}

/// Why a bundle does not verify: the first thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    #[error("it cannot be read as a bundle: {0}")]
    Unreadable(String),
    /// A note that does not verify says nothing of the ledger: it is no ground to accuse anybody.
    #[error("{0}")]
    Note(String),
    #[error("{0}")]
    Differs(String),
}

impl From<String> for Difference {
    fn from(difference: String) -> Self {
        Difference::Differs(difference)
    }
}

/// Checks everything that a bundle claims; tells the first difference.
pub fn verify(text: &[u8], trust: &Trust) -> Result<Report, Difference> {
    let bundle = Bundle::parse(text).map_err(Difference::Unreadable)?;
    if bundle.format != FORMAT {
        return Err(Difference::Unreadable(format!(
            "its format is not {FORMAT}"
        )));
    }
    let audience = bundle.audience().map_err(Difference::Unreadable)?;
    if !bundle.origin.ends_with(&format!("/{}", bundle.trial)) {
        return Err(format!("the origin {} is not of this trial", bundle.origin).into());
    }
    let registrations = open(&bundle)?;
    let signed = Signed::read(&bundle, trust)?;

    let mut redrawing = Redrawing::new(&registrations);
    let mut ledger = Ledger::new(&signed.checkpoints);
    bundle
        .each_entry(|line| ledger.take(line, audience, &mut redrawing))
        .map_err(Difference::Unreadable)??;
    ledger.end()?;
    redrawing.end(audience)?;
    ledger.erasures.end()?;
    let public = public_draws(&redrawing, &registrations, &bundle.draws)?;
    if audience != Audience::Public && public > 0 {
        return Err("an auditor's bundle lists its draws as entries only"
            .to_owned()
            .into());
    }
    Ok(Report {
        trial: bundle.trial.clone(),
        audience: audience.to_string(),
        commitments: bundle
            .registrations
            .iter()
            .map(|r| r.commitment.clone())
            .collect(),
        entries: ledger.edge.size(),
        records: ledger.records,
        erased: ledger.erasures.hidden.values().sum(),
        draws: redrawing.draws + public,
        draws_left_out: bundle.draws_left_out,
        root: hex::encode(ledger.edge.root()),
        checkpoints: signed.own,
        kept_checkpoints: trust.kept.len(),
        signed_by: signed.keys,
        key_was_known: signed.key_was_known,
    })
}

fn open(bundle: &Bundle) -> Result<BTreeMap<i32, Opened>, String> {
    let mut opened = BTreeMap::new();
    for registered in &bundle.registrations {
        let number = registered.number;
        let open = Opened::open(registered.clone(), &bundle.trial)?;
        if opened.insert(number, open).is_some() {
            return Err(format!("registration {number} stands twice"));
        }
    }
    Ok(opened)
}

/// A checkpoint with the name by which a difference calls it.
struct Named {
    name: String,
    root: Hash,
}

/// The checkpoints whose signatures hold, by size.
struct Signed {
    checkpoints: BTreeMap<u64, Vec<Named>>,
    own: usize,
    keys: Vec<SignedBy>,
    key_was_known: bool,
}

impl Signed {
    fn read(bundle: &Bundle, trust: &Trust) -> Result<Self, Difference> {
        let is_log = |key: &&VerifierKey| key.kind == Kind::Log;
        let key_was_known = trust.keys.iter().any(|key| is_log(&key));
        let named = bundle.keys.iter().map(|key| VerifierKey::parse(key));
        let named: Vec<VerifierKey> = named
            .collect::<Result<_, _>>()
            .map_err(|fault| Difference::Unreadable(format!("keys: {fault}")))?;
        let keys: Vec<&VerifierKey> = match key_was_known {
            true => trust.keys.iter().filter(is_log).collect(),
            false => named.iter().filter(is_log).collect(),
        };
        // A signature of any of them that does not hold spoils its note.
        let mut known: Vec<&VerifierKey> = trust.keys.iter().collect();
        for key in named.iter().filter(is_log) {
            if !known.contains(&key) {
                known.push(key);
            }
        }
        let mut signed = Self {
            checkpoints: BTreeMap::new(),
            own: bundle.checkpoints.len(),
            keys: Vec::new(),
            key_was_known,
        };
        let own = (1..)
            .map(|i| format!("checkpoint {i}"))
            .zip(&bundle.checkpoints);
        let kept = trust.kept.iter().map(|(name, note)| (name.clone(), note));
        let mut used: BTreeMap<String, u64> = BTreeMap::new();
        let mut uses = |key: &VerifierKey, size: u64| {
            let largest = used.entry(key.to_string()).or_default();
            *largest = size.max(*largest);
        };
        for (name, text) in own.chain(kept) {
            let fault = |why: String| Difference::Note(format!("{name}: {why}"));
            let note = Note::parse(text).map_err(|f| fault(f.to_string()))?;
            let point = Checkpoint::parse(&note.text).map_err(|f| fault(f.to_string()))?;
            if point.origin != bundle.origin {
                return Err(fault(format!("it is of the ledger {}", point.origin)));
            }
            let mut signed_by_log = false;
            for key in &known {
                match key.verify(&note) {
                    Ok(_) if key.kind == Kind::Witness => uses(key, point.size),
                    Ok(_) if keys.contains(key) && key.name == point.origin => {
                        signed_by_log = true;
                        uses(key, point.size);
                    }
                    Ok(_) | Err(NoteError::NotSigned(_)) => {}
                    Err(wrong) => return Err(fault(wrong.to_string())),
                }
            }
            if !signed_by_log {
                return Err(fault("none of the keys has signed it".into()));
            }
            let root = point.root;
            signed
                .checkpoints
                .entry(point.size)
                .or_default()
                .push(Named { name, root });
        }
        if let Some(key) = trust
            .keys
            .iter()
            .find(|key| !used.contains_key(&key.to_string()))
        {
            let why = format!("no checkpoint bears a signature of {key}");
            return Err(Difference::Note(why));
        }
        let keys = used.into_iter();
        signed.keys = keys
            .map(|(key, entries)| SignedBy { key, entries })
            .collect();
        Ok(signed)
    }
}

/// The tree of a bundle, grown entry by entry.
struct Ledger<'a> {
    checkpoints: &'a BTreeMap<u64, Vec<Named>>,
    edge: Edge,
    records: u64,
    erasures: Erasures,
    /// Size of the last checkpoint that held.
    held: u64,
}

/// Who was erased, in a full bundle: records may be missing of nobody else, and no more of them than
/// their erasure took out.
#[derive(Default)]
struct Erasures {
    told: HashMap<String, u64>,
    hidden: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Erasure {
    kind: String,
    participant: Option<String>,
    body: Value,
}

impl Erasures {
    fn follow(&mut self, record: &str) {
        if !record.contains("\"kind\":\"erasure\"") {
            return;
        }
        let Ok(fact) = serde_json::from_str::<Erasure>(record) else {
            return;
        };
        if let (true, Some(person)) = (fact.kind == "erasure", fact.participant) {
            let facts = fact.body["facts"].as_u64().unwrap_or(0);
            *self.told.entry(person).or_default() += facts;
        }
    }

    fn end(&self) -> Result<(), String> {
        for (person, hidden) in &self.hidden {
            let told = self.told.get(person).copied();
            match told {
                None => {
                    return Err(format!(
                        "{hidden} records are hidden as erased of participant {person}, and nothing says \
                         that anybody erased them"
                    ));
                }
                Some(told) if told < *hidden => {
                    return Err(format!(
                        "{hidden} records are hidden as erased of participant {person}, and {told} were \
                         erased"
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

impl<'a> Ledger<'a> {
    fn new(checkpoints: &'a BTreeMap<u64, Vec<Named>>) -> Self {
        Self {
            checkpoints,
            edge: Edge::default(),
            records: 0,
            erasures: Erasures::default(),
            held: 0,
        }
    }

    fn take(
        &mut self,
        line: &Line,
        audience: Audience,
        redrawing: &mut Redrawing,
    ) -> Result<(), String> {
        let expected = self.edge.size() + 1;
        if line.sequence != expected {
            return Err(format!(
                "entry {expected} is missing: {} stands there",
                line.sequence
            ));
        }
        let fault = |why: &str| format!("entry {expected}: {why}");
        let told =
            from_hex(&line.leaf).ok_or_else(|| fault("its leaf is not 64 hexadecimal digits"))?;
        match (&line.salt, &line.record) {
            (Some(salt), Some(record)) => {
                let salt: Salt =
                    from_hex(salt).ok_or_else(|| fault("its salt is not 64 hexadecimal digits"))?;
                if leaf(&salt, record).0 != told {
                    return Err(fault("its record is not the one of its leaf"));
                }
                self.records += 1;
                self.erasures.follow(record);
                if let Err(why) = redrawing.follow(record) {
                    return Err(fault(&why));
                }
                if audience == Audience::Public && redrawing.draws > 0 {
                    return Err(fault("a public bundle shows no participant's draw"));
                }
            }
            (None, None) if audience == Audience::Full => {
                let person = line.erased.as_deref().ok_or_else(|| {
                    fault("its record is hidden, and a full bundle hides what was erased only")
                })?;
                *self.erasures.hidden.entry(person.to_owned()).or_default() += 1;
            }
            (None, None) => redrawing
                .hidden(audience, expected)
                .map_err(|why| fault(&why))?,
            _ => return Err(fault("salt and record are shown together or not at all")),
        }
        self.edge.push(told);
        self.hold_checkpoints()
    }

    fn hold_checkpoints(&mut self) -> Result<(), String> {
        let size = self.edge.size();
        for named in self.checkpoints.get(&size).into_iter().flatten() {
            if named.root != self.edge.root() {
                let after = self.held;
                return Err(format!(
                    "{} over {size} entries has another root: an entry from {} to {size} is not the \
                     one that was signed",
                    named.name,
                    after + 1
                ));
            }
            self.held = size;
        }
        Ok(())
    }

    /// Every checkpoint was reached, and the last one covers the last entry.
    fn end(&self) -> Result<(), String> {
        let size = self.edge.size();
        let empty = self.checkpoints.get(&0).into_iter().flatten();
        for named in empty {
            if named.root != empty_root() {
                return Err(format!("{} over no entry has another root", named.name));
            }
        }
        if let Some((signed, named)) = self.checkpoints.range(size + 1..).next() {
            let name = &named[0].name;
            return Err(format!(
                "{name} covers {signed} entries, and the bundle ends with entry {size}"
            ));
        }
        if self.held != size {
            return Err(format!(
                "the entries from {} to {size} are covered by no checkpoint",
                self.held + 1
            ));
        }
        Ok(())
    }
}

/// Re-draws the list of a public bundle: each stratum that it shows is shown from index 0. (Nothing ties
/// the list to the leaves: that takes the records, which name participants.)
fn public_draws(
    redrawing: &Redrawing,
    registrations: &BTreeMap<i32, Opened>,
    draws: &[PublicDraw],
) -> Result<u64, String> {
    let mut replays = BTreeMap::new();
    for (place, draw) in (1..).zip(draws) {
        let fault = |why: String| format!("draw {place} (stratum {}): {why}", draw.stratum);
        let opened = registrations
            .get(&draw.registration)
            .filter(|_| draw.registration as usize == registrations.len())
            .ok_or_else(|| fault("its registration is not the one in force".into()))?;
        let replay = match replays.entry(draw.registration) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let replay = opened.replay().map_err(fault)?;
                let mut replay = replay.ok_or_else(|| fault("arms were drawn elsewhere".into()))?;
                let joined = redrawing.joined.get(&draw.registration);
                joined
                    .into_iter()
                    .flatten()
                    .for_each(|units| replay.join(units));
                place.insert(replay)
            }
        };
        let label = opened.label(&draw.stratum).map_err(fault)?;
        let drawn = replay
            .next(&label, draw.unit.as_deref())
            .map_err(|why| fault(why.to_string()))?;
        let arm = &opened.protocol.arms[drawn.arm].id;
        if draw.index != drawn.index || draw.arm != *arm {
            return Err(fault(format!(
                "it is told as index {}, arm {}; the seed gives index {}, arm {arm}",
                draw.index, draw.arm, drawn.index
            )));
        }
    }
    Ok(draws.len() as u64)
}
