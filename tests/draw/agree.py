#!/usr/bin/env python3
"""Holds `lodkast allocate` against a second implementation (vectors.py) on random protocols.

Usage: python3 tests/draw/agree.py path/to/lodkast
Exits 1 at the first difference. The random protocols come from a fixed seed.
"""
import csv
import io
import json
import random
import subprocess
import sys
import tempfile

import vectors

DRAWS = 4_000
PROTOCOLS = 6


def protocol(rng, method):
    arms = rng.randint(2, 4)
    ratios = [rng.randint(1, 3) for _ in range(arms)]
    randomization = {"method": method}
    if method == "permuted_blocks":
        sizes = rng.sample(range(1, 6), rng.randint(1, 3))
        randomization["block_sizes"] = [sum(ratios) * size for size in sizes]
    return {
        "id": f"agree-{rng.randint(0, 10**6)}",
        "title": "A protocol made up for comparing two implementations",
        "arms": [{"id": f"arm{i}", "ratio": r, "control": i == 0} for i, r in enumerate(ratios)],
        "factors": [
            {"id": "site", "open_levels": True, "stratify": True},
            {"id": "group", "levels": ["ung", "ældre", "midt i"], "stratify": True},
        ],
        "randomization": randomization,
        "endpoints": [{"id": "e", "kind": "binary", "from": "reported"}],
        "analysis": {"primary": "e", "alpha": 0.05, "sides": 2},
    }


def own(document, seed, rows):
    ratios = [arm["ratio"] for arm in document["arms"]]
    strata = {}
    for row in rows:
        label = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        if label not in strata:
            stream = vectors.stratum_stream(seed, document["id"], label)
            if document["randomization"]["method"] == "simple":
                strata[label] = [0, vectors.simple(stream, ratios)]
            else:
                sizes = document["randomization"]["block_sizes"]
                strata[label] = [0, vectors.permuted_blocks(stream, ratios, sizes)]
        index = strata[label][0]
        strata[label][0] += 1
        yield str(index), label, document["arms"][next(strata[label][1])]["id"]


def theirs(lodkast, document, seed, rows):
    table = io.StringIO()
    writer = csv.DictWriter(table, ["site", "group"])
    writer.writeheader()
    writer.writerows(rows)
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        command = [lodkast, "allocate", "--protocol", file.name, "--seed", seed.hex()]
        done = subprocess.run(command, input=table.getvalue(), text=True, capture_output=True)
    if done.returncode:
        sys.exit(f"lodkast allocate failed: {done.stderr}")
    for row in csv.DictReader(io.StringIO(done.stdout)):
        yield row["index"], row["stratum"], row["arm"]


def main():
    rng, draws = random.Random(7), 0
    for method in ("simple", "permuted_blocks"):
        for _ in range(PROTOCOLS):
            document, seed = protocol(rng, method), rng.randbytes(32)
            sites = [f"sted {i}" for i in range(rng.randint(1, 5))]
            groups = document["factors"][1]["levels"]
            rows = [{"site": rng.choice(sites), "group": rng.choice(groups)} for _ in range(DRAWS)]
            pairs = zip(own(document, seed, rows), theirs(sys.argv[1], document, seed, rows), strict=True)
            for number, (mine, other) in enumerate(pairs):
                if mine != other:
                    sys.exit(f"{document['id']}, draw {number}: {mine} here, {other} there")
                draws += 1
    print(f"{draws} draws agree")


if __name__ == "__main__":
    main()
