#!/usr/bin/env python3
"""Holds `lodkast allocate` against the second implementation (draw.py) on random protocols, and the
second implementation against the published vectors.

Usage: python3 tests/draw/agree.py path/to/lodkast
Exits 1 at the first difference. The random protocols come from a fixed seed.
"""
import csv
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import draw
import made_up
import make_vectors

DRAWS = 10_000
PROTOCOLS = 10
VECTORS = pathlib.Path(__file__).parents[2] / "docs" / "draw-vectors.json"


def same(name, told, found):
    if told != found:
        sys.exit(f"{name}: {told} is published, {found} is found")


def published():
    """Every value of the published vectors, made anew."""
    vectors, count = json.loads(VECTORS.read_text()), 0
    same("keys", vectors["keys"], make_vectors.keys())
    same("below", vectors["below"], make_vectors.below())
    for trial in vectors["trials"]:
        document, seed = trial["protocol"], bytes.fromhex(trial["seed"])
        drawn = draw.replay(
            document, seed, trial["participants"], trial["units_joined"], trial["version"]
        )
        for told, (index, label, arm) in zip(trial["draws"], drawn, strict=True):
            found = {"index": index, "stratum": label, "arm": document["arms"][arm]["id"]}
            same(trial["name"], told, found)
            count += 1
    return count


def theirs(lodkast, document, seed, rows):
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]))
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
        yield int(row["index"]), row["stratum"], row["arm"]


def compare(lodkast, rng, method):
    document, rows = made_up.trial(rng, method, DRAWS)
    seed = rng.randbytes(32)
    mine = draw.replay(document, seed, rows)
    pairs = zip(mine, theirs(lodkast, document, seed, rows), strict=True)
    for number, ((index, label, arm), other) in enumerate(pairs):
        if (index, label, document["arms"][arm]["id"]) != other:
            sys.exit(f"{document['id']} ({method}), draw {number}: {index, label, arm} and {other}")


def main():
    print(f"{published()} published draws agree")
    rng = random.Random(7)
    for method in made_up.METHODS:
        for _ in range(PROTOCOLS):
            compare(sys.argv[1], rng, method)
        print(f"{method}: {DRAWS * PROTOCOLS} draws agree")


if __name__ == "__main__":
    main()
