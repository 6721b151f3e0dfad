"""A second implementation of the draw, written from docs/randomization.md alone.

Standard library, and `cryptography` for the ChaCha20 keystream. Every function of a method yields
positions of arms, one for each draw.
"""
import hashlib
import hmac
import json
import struct
import unicodedata

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

VERSION = "lodkast-draw-1"


def hkdf(ikm, salt, info, length=32):
    """RFC 5869 with SHA-256."""
    prk = hmac.new(salt, ikm, hashlib.sha256).digest()
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def commitment(secret, trial, protocol_digest):
    parts = [b"lodkast seed v1", secret, trial.encode(), VERSION.encode(), protocol_digest]
    return hashlib.sha256(b"\0".join(parts)).digest()


def mixed_seed(secret, public_value):
    return hkdf(secret, public_value.encode(), f"{VERSION}/seed".encode())


def canonical(levels):
    """The label of a stratum: keys sorted, no white space, NFC (levels are texts)."""
    nfc = {unicodedata.normalize("NFC", k): unicodedata.normalize("NFC", v) for k, v in levels.items()}
    return json.dumps(nfc, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def key(seed, trial, name, version=1):
    prefix = VERSION if version == 1 else f"{VERSION}/v{version}"
    return hkdf(seed, trial.encode(), f"{prefix}/{name}".encode())


class Stream:
    """Words of 32 bits from ChaCha20 with counter and nonce 0."""

    def __init__(self, key):
        # `cryptography` takes 16 bytes: a 64-bit counter and a 64-bit nonce, both 0 here.
        self.cipher = Cipher(ChaCha20(key, bytes(16)), None).encryptor()
        self.words = iter(())

    def word(self):
        for word in self.words:
            return word
        self.words = iter(struct.unpack("<1024I", self.cipher.update(bytes(4096))))
        return next(self.words)

    def below(self, n):
        if n == 1:
            return 0
        while True:
            w = self.word()
            if w < 2**32 - (2**32 % n):
                return w % n


def share(shares, position):
    for arm, size in enumerate(shares):
        if position < size:
            return arm
        position -= size


def shuffle(stream, block):
    for i in range(len(block) - 1, 0, -1):
        j = stream.below(i + 1)
        block[i], block[j] = block[j], block[i]


def simple(stream, ratios, _):
    while True:
        yield share(ratios, stream.below(sum(ratios)))


def permuted_blocks(stream, ratios, scheme):
    sizes = scheme["block_sizes"]
    while True:
        size = sizes[stream.below(len(sizes))]
        block = [arm for arm, r in enumerate(ratios) for _ in range(size * r // sum(ratios))]
        shuffle(stream, block)
        yield from block


def biased_coin(stream, _, scheme):
    numerator, denominator = scheme["probability"]
    counts = [0, 0]
    while True:
        if counts[0] == counts[1]:
            arm = stream.below(2)
        else:
            lagging = 0 if counts[0] < counts[1] else 1
            arm = lagging if stream.below(denominator) < numerator else 1 - lagging
        counts[arm] += 1
        yield arm


def big_stick(stream, _, scheme):
    counts = [0, 0]
    while True:
        if abs(counts[0] - counts[1]) == scheme["limit"]:
            arm = 0 if counts[0] < counts[1] else 1
        else:
            arm = stream.below(2)
        counts[arm] += 1
        yield arm


def block_urn(stream, ratios, scheme):
    active = [scheme["lambda"] * r for r in ratios]
    inactive = [0] * len(ratios)
    while True:
        arm = share(active, stream.below(sum(active)))
        active[arm] -= 1
        inactive[arm] += 1
        if all(out >= r for out, r in zip(inactive, ratios)):
            active = [a + r for a, r in zip(active, ratios)]
            inactive = [out - r for out, r in zip(inactive, ratios)]
        yield arm


BY_STRATUM = {
    "simple": simple,
    "permuted_blocks": permuted_blocks,
    "biased_coin": biased_coin,
    "big_stick": big_stick,
    "block_urn": block_urn,
}


def minimization(stream, arms, weights, probability, rows):
    """`weights` lists (factor, weight) in the order of the protocol; `rows` are levels by factor."""
    numerator, denominator = probability
    counts = {}
    for levels in rows:
        scores = []
        for arm in range(arms):
            score = 0
            for factor, weight in weights:
                there = list(counts.get((factor, levels[factor]), [0] * arms))
                there[arm] += 1
                score += weight * (max(there) - min(there))
            scores.append(score)
        preferred = [arm for arm in range(arms) if scores[arm] == min(scores)]
        others = [arm for arm in range(arms) if arm not in preferred]
        if not others:
            arm = stream.below(arms)
        else:
            candidates = preferred if stream.below(denominator) < numerator else others
            arm = candidates[stream.below(len(candidates))]
        for factor, _ in weights:
            counts.setdefault((factor, levels[factor]), [0] * arms)[arm] += 1
        yield arm


def clusters(seed, trial, ratios, batches, version=1):
    """Unit -> (label, position within its stratum, arm)."""
    drawn = {}
    for batch, units in enumerate(batches):
        strata = {}
        for unit in units:
            strata.setdefault(canonical(unit.get("factors", {})), []).append(unit["id"])
        for label, ids in strata.items():
            ids.sort(key=str.encode)
            sets = -(-len(ids) // sum(ratios))
            block = [arm for arm, r in enumerate(ratios) for _ in range(r * sets)]
            name = f"clusters/{label}" + (f"/batch/{batch}" if batch else "")
            shuffle(Stream(key(seed, trial, name, version)), block)
            for index, (unit, arm) in enumerate(zip(ids, block)):
                drawn[unit] = (label, index, arm)
    return drawn


def replay(protocol, seed, rows, batches=(), version=1):
    """Yields (index, label, position of the arm) for participants in order.

    A row maps each factor to the participant's level; `batches` are the units that joined later.
    """
    scheme, trial = protocol["randomization"], protocol["id"]
    rows = [{k: unicodedata.normalize("NFC", v) for k, v in row.items()} for row in rows]
    method = scheme["method"]
    ratios = [arm.get("ratio", 1) for arm in protocol["arms"]]
    factors = [f["id"] for f in protocol.get("factors", []) if f.get("stratify")]
    if method == "clusters":
        drawn = clusters(seed, trial, ratios, [scheme["units"], *batches], version)
        for row in rows:
            label, index, arm = drawn[row[protocol["unit"]]]
            yield index, label, arm
    elif method == "minimization":
        weights = [(f, scheme.get("weights", {}).get(f, 1)) for f in factors]
        stream = Stream(key(seed, trial, "minimization", version))
        arms = minimization(stream, len(ratios), weights, scheme["probability"], rows)
        for index, (row, arm) in enumerate(zip(rows, arms)):
            yield index, canonical({f: row[f] for f in factors}), arm
    else:
        strata = {}
        for row in rows:
            label = canonical({f: row[f] for f in factors})
            if label not in strata:
                stream = Stream(key(seed, trial, f"stratum/{label}", version))
                strata[label] = [0, BY_STRATUM[method](stream, ratios, scheme)]
            index = strata[label][0]
            strata[label][0] += 1
            yield index, label, next(strata[label][1])
