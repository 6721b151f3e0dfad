"""Random protocols and participants, for comparing implementations of the draw."""

METHODS = [
    "simple", "permuted_blocks", "biased_coin", "big_stick", "block_urn", "minimization", "clusters",
]


def scheme(rng, method, ratios, factors):
    """[randomization] with random values of the method's keys."""
    found = {"method": method}
    if method == "permuted_blocks":
        sizes = rng.sample(range(1, 6), rng.randint(1, 3))
        found["block_sizes"] = [sum(ratios) * size for size in sizes]
    elif method == "biased_coin":
        found["probability"] = rng.choice([[2, 3], [3, 4], [3, 5], [700_001, 1_000_000]])
    elif method == "big_stick":
        found["limit"] = rng.randint(1, 6)
    elif method == "block_urn":
        found["lambda"] = rng.randint(1, 5)
    elif method == "minimization":
        found["probability"] = rng.choice([[2, 3], [4, 5], [9, 10], [99, 100]])
        weighed = rng.sample(factors, rng.randint(0, len(factors)))
        if weighed:
            found["weights"] = {factor: rng.randint(1, 4) for factor in weighed}
    return found


def protocol(rng, method):
    pair = method in ("biased_coin", "big_stick")
    equal = pair or method == "minimization"
    arms = 2 if pair else rng.randint(2, 5)
    ratios = [1 if equal else rng.randint(1, 3) for _ in range(arms)]
    by_unit = method == "clusters"
    factors = [
        {"id": "site", "open_levels": True, "stratify": not by_unit},
        {"id": "group", "levels": ["ung", "ældre", "midt i"], "stratify": True},
        {"id": "wave", "levels": ["1", "2"], "stratify": rng.random() < 0.5},
    ]
    stratifying = [factor["id"] for factor in factors if factor["stratify"]]
    return {
        "id": f"agree-{rng.randint(0, 10**6)}",
        "title": "A protocol made up for comparing two implementations",
        "unit": "site" if by_unit else "citizen",
        "arms": [{"id": f"arm{i}", "ratio": r, "control": i == 0} for i, r in enumerate(ratios)],
        "factors": factors,
        "randomization": scheme(rng, method, ratios, stratifying),
        "endpoints": [{"id": "e", "kind": "binary", "from": "reported"}],
        "analysis": {"primary": "e", "alpha": 0.05, "sides": 2},
    }


def trial(rng, method, draws):
    """A protocol and its participants in order."""
    document = protocol(rng, method)
    # A draw of clusters is the draw of a unit: one participant for each.
    count = draws if method == "clusters" else rng.randint(1, 30)
    sites = [f"sted {i} å" for i in range(count)]
    levels = {f["id"]: f["levels"] for f in document["factors"] if "levels" in f}
    if method == "clusters":
        named = [f["id"] for f in document["factors"] if f["stratify"]]
        document["randomization"]["units"] = [
            {"id": site, "factors": {name: rng.choice(levels[name]) for name in named}}
            for site in sites
        ]
        places = rng.sample(sites, draws)
    else:
        places = [rng.choice(sites) for _ in range(draws)]
    rows = [{"site": site} | {k: rng.choice(v) for k, v in levels.items()} for site in places]
    return document, rows
