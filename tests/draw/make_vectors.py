#!/usr/bin/env python3
"""Writes docs/draw-vectors.json with the second implementation (draw.py).

Usage: python3 tests/draw/make_vectors.py > docs/draw-vectors.json

The file is frozen: a change of any value is a new version of the draw. `tests/draw/agree.py` and the
tests `value_stability_*` hold both implementations against it.
"""
import json
import random

import draw
import made_up

DRAWS = 60


def keys():
    seed, label = bytes([7]) * 32, '{"site":"aalborg","target_group":"job_ready"}'
    public = "Eurojackpot 2026-12-04: 3 17 22 41 48 + 2 9"
    names = {
        "stratum": (f"stratum/{label}", 1),
        "minimization": ("minimization", 1),
        "clusters": (f"clusters/{label}", 1),
        "clusters_batch_2": (f"clusters/{label}/batch/2", 1),
        "stratum_of_version_2": (f"stratum/{label}", 2),
    }
    return {
        "secret": seed.hex(),
        "trial": "trial-a",
        "protocol_digest": "ab" * 32,
        "commitment": draw.commitment(seed, "trial-a", bytes([0xAB]) * 32).hex(),
        "public_randomness": public,
        "mixed_seed": draw.mixed_seed(seed, public).hex(),
        "label": label,
        "keys_from_secret_as_seed": {
            name: draw.key(seed, "trial-a", info, version).hex()
            for name, (info, version) in names.items()
        },
    }


def below():
    """Numbers below bounds that reject words often, seldom and never."""
    bounds = [1, 2, 3, 5, 6, 7, 10, 1000, 2**31 + 1, 2**32 - 1]
    stream = draw.Stream(bytes(range(32)))
    return {
        "key": bytes(range(32)).hex(),
        "bounds_in_turn": bounds,
        "values": [stream.below(bounds[i % len(bounds)]) for i in range(60)],
    }


def protocols(rng):
    """For each method three trials, one of them in the protocol's second version."""
    for method in made_up.METHODS:
        for number in range(3):
            document, rows = made_up.trial(rng, method, DRAWS)
            seed, version = rng.randbytes(32), 2 if number == 2 else 1
            batches = []
            if method == "clusters" and number == 1:
                late = document["randomization"]["units"][-20:]
                del document["randomization"]["units"][-20:]
                batches = [late[:13], late[13:]]
            drawn = list(draw.replay(document, seed, rows, batches, version))
            yield {
                "name": f"{method} {number + 1}",
                "method": method,
                "seed": seed.hex(),
                "version": version,
                "protocol": document,
                "units_joined": batches,
                "participants": rows,
                "draws": [
                    {"index": i, "stratum": label, "arm": document["arms"][arm]["id"]}
                    for i, label, arm in drawn
                ],
            }


def lines(trial):
    """One trial with one line for each long list."""
    parts = [f"{json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in trial.items()]
    return "  {\n    " + ",\n    ".join(parts) + "\n  }"


if __name__ == "__main__":
    made = list(protocols(random.Random(2026)))
    print("{")
    print(f'"draw_version": "{draw.VERSION}",')
    print(f'"keys": {json.dumps(keys(), indent=2, ensure_ascii=False)},')
    print(f'"below": {json.dumps(below())},')
    print('"trials": [\n' + ",\n".join(map(lines, made)) + "\n]")
    print("}")
