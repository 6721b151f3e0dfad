//! How long a draw takes, by each method, beside the keystream that it reads; a whole trial drawn
//! anew; and the way to a late index.
//!
//! `cargo bench --bench draws`

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lodkast::protocol::{self, DrawUnit, Protocol};
use lodkast::randomization::stream::Stream;
use lodkast::randomization::{
    Allocator, Clusters, Minimization, MinimizationState, Redraw, Seed, StratumLabel, StreamKeys,
};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

const DRAWS: u64 = 10_000;

fn protocol(method: &str) -> Protocol {
    protocol::from_toml(&format!(
        "id = 'bench'\ntitle = 'Bench'\n\
         arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
         factors = [{{id = 'group', open_levels = true, stratify = true}},\n\
           {{id = 'site', open_levels = true, stratify = true}}]\n\
         endpoints = [{{id = 'e', kind = 'binary', from = 'reported'}}]\n\
         [randomization]\n{method}\n[analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n"
    ))
    .expect("a protocol")
}

fn keys(protocol: &Protocol) -> StreamKeys {
    StreamKeys::new(&Seed::new([5; 32]), &protocol.id, 1)
}

/// The 470 strata of five target groups in 94 municipalities.
fn strata() -> Vec<StratumLabel> {
    (0..470)
        .map(|n| {
            let (group, site) = ((n % 5).to_string(), (n / 5).to_string());
            StratumLabel::of([("group", group.as_str()), ("site", site.as_str())])
        })
        .collect()
}

fn draws(c: &mut Criterion) {
    let mut group = c.benchmark_group("one draw");
    group.throughput(Throughput::Elements(DRAWS));
    group.measurement_time(Duration::from_secs(3));
    group.bench_function("keystream, one word", |b| {
        let mut stream = Stream::new([5; 32]);
        b.iter(|| (0..DRAWS).fold(0, |sum: u32, _| sum.wrapping_add(stream.word())));
    });
    for (name, method) in [
        ("simple", "method = 'simple'"),
        (
            "permuted_blocks 4, 6, 8",
            "method = 'permuted_blocks'\nblock_sizes = [4, 6, 8]",
        ),
        (
            "biased_coin 2/3",
            "method = 'biased_coin'\nprobability = [2, 3]",
        ),
        ("big_stick 3", "method = 'big_stick'\nlimit = 3"),
        ("block_urn 3", "method = 'block_urn'\nlambda = 3"),
    ] {
        let protocol = protocol(method);
        let label = StratumLabel::of([("group", "a"), ("site", "b")]);
        let mut allocator = Allocator::new(&protocol, &keys(&protocol), &label).expect("drawn");
        group.bench_function(name, |b| {
            b.iter(|| (0..DRAWS).fold(0, |sum, _| sum + allocator.next_arm()));
        });
    }
    minimization(&mut group);
    clusters(&mut group);
    group.finish();
}

type Group<'a> = criterion::BenchmarkGroup<'a, criterion::measurement::WallTime>;

fn minimization(group: &mut Group) {
    let protocol = protocol("method = 'minimization'\nprobability = [4, 5]");
    let labels = strata();
    group.bench_function("minimization 4/5, two factors", |b| {
        let begin = || {
            let start = MinimizationState::default();
            Minimization::resume(&protocol, &keys(&protocol), start).expect("drawn")
        };
        b.iter_batched(
            begin,
            |mut drawing| {
                for n in 0..DRAWS as usize {
                    black_box(drawing.draw(&labels[n * 7 % labels.len()]).expect("drawn"));
                }
            },
            BatchSize::LargeInput,
        );
    });
}

fn clusters(group: &mut Group) {
    let mut protocol = protocol("method = 'simple'");
    protocol.unit = lodkast::protocol::Unit::Site;
    let unit = |n: u64| DrawUnit {
        id: format!("unit {n}"),
        factors: BTreeMap::from([("group".to_owned(), (n % 5).to_string())]),
    };
    let units: Vec<DrawUnit> = (0..DRAWS).map(unit).collect();
    group.bench_function("clusters, one unit of 10,000", |b| {
        b.iter(|| Clusters::draw(&protocol, &keys(&protocol), std::slice::from_ref(&units)));
    });
}

fn whole_trials(c: &mut Criterion) {
    let mut group = c.benchmark_group("a trial");
    group
        .sample_size(30)
        .measurement_time(Duration::from_secs(4));
    let protocol = protocol("method = 'permuted_blocks'\nblock_sizes = [4, 6, 8]");
    // In the order in which participants come: from one municipality after the other.
    let stratum_of = (0..200_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761) % 470)
        .collect();
    let redraw = Redraw::new(&protocol, strata(), stratum_of, None).expect("drawn by stratum");
    let (mut arms, mut number) = (Vec::new(), 0_u64);
    group.bench_function(
        "200,000 participants in 470 strata, blocks, drawn anew",
        |b| {
            b.iter(|| {
                number += 1;
                let mut seed = [0; 32];
                seed[..8].copy_from_slice(&number.to_le_bytes());
                redraw.arms(&Seed::new(seed), &mut arms);
                black_box(arms.len())
            });
        },
    );
    let label = &strata()[0];
    group.bench_function("to index 1,000,000 of a stratum, blocks", |b| {
        b.iter(|| {
            let mut allocator = Allocator::new(&protocol, &keys(&protocol), label).expect("drawn");
            allocator.skip(1_000_000);
            black_box(allocator.next_arm())
        });
    });
    group.finish();
}

criterion_group!(benches, draws, whole_trials);
criterion_main!(benches);
