//! The estimators against R in one run, on the same numbers. `benches/estimators/run` installs what R
//! lacks, runs this and writes the table into docs/performance.md.
//!
//! Every task is done three times here (and in R while it is quick), and the shortest time counts. Memory
//! is the highest that was allocated at once, over the columns that went in.

use lodkast::analysis::{Column, Dataset, Settings, Values};
use lodkast::statistics::Question;
use lodkast::statistics::regression::{
    ClusterRobust, Covariate, Form, Robust, Sample, fit, fit_clustered,
};
use lodkast::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use lodkast::statistics::survival::{Curve, Ended, Observation, fine_gray, log_rank};
use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Counts what is allocated.
struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(by: usize) {
    let now = NOW.fetch_add(by, Ordering::Relaxed) + by;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

// SAFETY: every call goes on to the system's allocator, with the arguments as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SIZES: [usize; 3] = [10_000, 100_000, 1_000_000];

/// A trial with made-up numbers; R reads the same ones.
struct Trial {
    time: Vec<f64>,
    cause: Vec<u32>,
    treated: Vec<bool>,
    covariates: Vec<Covariate>,
    outcome: Vec<f64>,
    cluster: Vec<u32>,
    stratum: Vec<u32>,
}

/// Steps of a multiplicative generator (Lehmer's, with Park and Miller's numbers).
fn numbers(mut state: u64) -> impl FnMut() -> f64 {
    move || {
        state = state * 48_271 % 2_147_483_647;
        state as f64 / 2_147_483_647.0
    }
}

impl Trial {
    fn of(n: usize) -> Self {
        let mut next = numbers(20_261_122);
        let mut trial = Self {
            time: Vec::new(),
            cause: Vec::new(),
            treated: Vec::new(),
            covariates: (1..=9)
                .map(|j| Covariate {
                    name: format!("x{j}"),
                    values: Vec::new(),
                })
                .collect(),
            outcome: Vec::new(),
            cluster: Vec::new(),
            stratum: Vec::new(),
        };
        for i in 0..n {
            let treated = i % 2 == 1;
            let mut sum = 0.0;
            for covariate in &mut trial.covariates {
                let value = 2.0 * next() - 1.0;
                sum += value;
                covariate.values.push(value);
            }
            let rate = 0.02 * (0.2 * sum + if treated { -0.1 } else { 0.0 }).exp();
            // Days, so that there are ties.
            let time = (7.0 * -next().ln() / rate).ceil() / 7.0;
            let end = (7.0 * (26.0 + 26.0 * next())).ceil() / 7.0;
            trial.time.push(time.min(end));
            trial.cause.push(if time > end {
                0
            } else if next() < 0.2 {
                2
            } else {
                1
            });
            trial.treated.push(treated);
            trial
                .outcome
                .push(10.0 + sum + if treated { 0.3 } else { 0.0 } + 4.0 * next());
            // Some 40 participants each, of both arms.
            trial.cluster.push((i / 40) as u32);
            trial.stratum.push((i / 2 % 5) as u32);
        }
        trial
    }

    /// The columns as doubles, one after the other.
    fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        let flags: Vec<f64> = self
            .treated
            .iter()
            .map(|t| f64::from(u8::from(*t)))
            .collect();
        let whole = |values: &[u32]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
        let (cause, cluster, stratum) = (
            whole(&self.cause),
            whole(&self.cluster),
            whole(&self.stratum),
        );
        let columns = [
            &self.time,
            &cause,
            &flags,
            &self.outcome,
            &cluster,
            &stratum,
        ]
        .into_iter()
        .chain(self.covariates.iter().map(|c| &c.values));
        for column in columns {
            for value in column {
                file.write_all(&value.to_le_bytes())?;
            }
        }
        file.flush()
    }

    fn event(&self) -> Vec<bool> {
        self.cause.iter().map(|cause| *cause == 1).collect()
    }

    fn observed(&self, arm: bool) -> Vec<Observation> {
        let rows = self.time.iter().zip(&self.cause).zip(&self.treated);
        rows.filter(|(_, treated)| **treated == arm)
            .map(|((time, cause), _)| Observation {
                time: *time,
                event: *cause == 1,
            })
            .collect()
    }

    /// The trial as `analyse` sees it, with blocks of 4 in five strata.
    fn dataset(&self) -> Dataset {
        let levels = self.stratum.iter().map(|s| Some(s.to_string())).collect();
        Dataset {
            arms: self.treated.iter().map(|t| usize::from(*t)).collect(),
            factors: BTreeMap::from([("group".to_owned(), Column::Levels(levels))]),
            endpoints: BTreeMap::from([(
                "y".to_owned(),
                Values::Number(self.outcome.iter().copied().map(Some).collect()),
            )]),
            ..Dataset::default()
        }
    }
}

const PROTOCOL: &str = "id = 't'\ntitle = 't'
arms = [{id = 'a', ratio = 1, control = true}, {id = 'b', ratio = 1}]
factors = [{id = 'group', levels = ['0', '1', '2', '3', '4'], stratify = true}]
endpoints = [{id = 'y', kind = 'continuous', from = 'reported', estimators = ['randomization_test']}]
[randomization]\nmethod = 'permuted_blocks'\nblock_sizes = [4]
[analysis]\nprimary = 'y'\nalpha = 0.05\nsides = 2\n";

/// Seconds and the peak of memory above what was there, the best of three.
fn measure<T>(mut work: impl FnMut() -> T) -> (f64, usize) {
    let (mut best, mut peak) = (f64::INFINITY, usize::MAX);
    for _ in 0..3 {
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let start = Instant::now();
        black_box(work());
        best = best.min(start.elapsed().as_secs_f64());
        peak = peak.min(PEAK.load(Ordering::Relaxed) - before);
    }
    (best, peak)
}

/// A task: its name, the columns of doubles that go in, seconds, and bytes at the peak.
type Row = (&'static str, f64, f64, usize);

fn ours(trial: &Trial, n: usize) -> Vec<Row> {
    let question = Question::two_sided(0.95);
    let mut rows = Vec::new();
    let event = trial.event();
    let follow = Follow {
        covariates: &trial.covariates,
        ..Follow::new(&trial.time, &event, &trial.treated)
    };
    let (seconds, peak) = measure(|| {
        let fitted = Cox::fit(&follow, Ties::Efron).expect("fits");
        fitted.estimate(Spread::Model, &question)
    });
    rows.push(("cox", 11.25, seconds, peak));
    let (arm, reference) = (trial.observed(true), trial.observed(false));
    let (seconds, peak) = measure(|| log_rank(&arm, &reference));
    rows.push(("log_rank", 2.0, seconds, peak));
    let (seconds, peak) = measure(|| (Curve::of(&arm, "a"), Curve::of(&reference, "b")));
    rows.push(("kaplan_meier", 2.0, seconds, peak));
    let sample = Sample {
        covariates: &trial.covariates,
        ..Sample::new(&trial.outcome, &trial.treated)
    };
    let (seconds, peak) = measure(|| fit(&sample, Form::Interacted, Robust::Hc2, &question));
    rows.push(("lin", 10.125, seconds, peak));
    let clustered = Sample {
        clusters: Some(&trial.cluster),
        ..sample
    };
    let (seconds, peak) =
        measure(|| fit_clustered(&clustered, Form::Main, ClusterRobust::Cr2, &question));
    rows.push(("cr2", 10.625, seconds, peak));
    let ended: Vec<Ended> = trial
        .time
        .iter()
        .zip(&trial.cause)
        .map(|(time, cause)| Ended {
            time: *time,
            cause: *cause,
        })
        .collect();
    let ratio = Question {
        null: 1.0,
        ..question
    };
    let (seconds, peak) =
        measure(|| fine_gray(&ended, &trial.treated, &trial.covariates[..2], &ratio));
    rows.push(("fine_gray", 4.125, seconds, peak));
    let protocol = lodkast::protocol::from_toml(PROTOCOL).expect("a protocol");
    let before = NOW.load(Ordering::Relaxed);
    let dataset = trial.dataset();
    let bytes = NOW.load(Ordering::Relaxed) - before;
    let settings = Settings {
        draws: redraws(n) as u32,
        ..Settings::default()
    };
    let (seconds, peak) =
        measure(|| lodkast::analysis::run(&protocol, String::new(), &dataset, &settings));
    rows.push((
        "rerandomization",
        bytes as f64 / 8.0 / n as f64,
        seconds,
        peak,
    ));
    rows
}

/// As many as make 100 million drawn arms.
fn redraws(n: usize) -> usize {
    100_000_000 / n
}

/// R's seconds for a task; none where it did not finish within a minute.
fn theirs(data: &Path, n: usize, task: &str) -> Option<f64> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/estimators/reference.R");
    let output = Command::new("timeout")
        .args(["60", "Rscript"])
        .arg(script)
        .arg(data)
        .args([n.to_string(), redraws(n).to_string(), task.to_owned()])
        .output()
        .expect("Rscript is there: benches/estimators/run installs it");
    let finished = output.status.success() || output.status.code() == Some(124);
    assert!(finished, "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().rev().find_map(|line| line.trim().parse().ok())
}

fn name(task: &str, n: usize) -> String {
    match task {
        "cox" => "Cox, Efron, arm and 9 covariates; `coxph`".into(),
        "log_rank" => "log-rank test; `survdiff`".into(),
        "kaplan_meier" => "Kaplan-Meier of two arms; `survfit`".into(),
        "lin" => "Lin, HC2, 9 covariates; `lm_lin`".into(),
        "cr2" => "CR2, 9 covariates, clusters of 40; `lm_robust`".into(),
        "fine_gray" => "Fine-Gray, arm and 2 covariates; `crr`".into(),
        _ => format!(
            "{} re-randomizations (the whole of `analyse`); vectorized R",
            redraws(n)
        ),
    }
}

fn main() {
    // Tasks may be named behind `--`; cargo itself passes --bench.
    let named: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let folder = std::env::temp_dir().join(format!("lodkast-estimators-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the data");
    println!("| task; in R | n | here, s | R, s | R / here | peak memory / columns |");
    println!("|---|---|---|---|---|---|");
    for n in SIZES {
        let trial = Trial::of(n);
        let data = folder.join(format!("{n}.bin"));
        trial.write(&data).expect("the data are written");
        let rows = ours(&trial, n);
        drop(trial);
        for (task, columns, seconds, peak) in rows {
            if !named.is_empty() && !named.iter().any(|name| name == task) {
                continue;
            }
            let memory = peak as f64 / (columns * 8.0 * n as f64);
            let (r, ratio) = match theirs(&data, n, task) {
                Some(r) => (format!("{r:.3}"), format!("{:.1}", r / seconds)),
                None => ("not within a minute".into(), "-".into()),
            };
            println!(
                "| {} | {n} | {seconds:.4} | {r} | {ratio} | {memory:.1} |",
                name(task, n)
            );
        }
    }
    let _ = std::fs::remove_dir_all(folder);
}
