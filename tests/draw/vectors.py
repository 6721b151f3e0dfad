#!/usr/bin/env python3
"""A second implementation of `simple` and `permuted_blocks` from docs/randomization.md.

Standard library only, ChaCha20 included. Prints the vectors that are frozen in
src/randomization/. Run: python3 tests/draw/vectors.py
"""
import hashlib
import hmac
import struct

VERSION = "lodkast-draw-1"


def hkdf(ikm, salt, info, length=32):
    """RFC 5869 with SHA-256."""
    prk = hmac.new(salt, ikm, hashlib.sha256).digest()
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(prk, block + info + bytes([counter]), hashlib.sha256).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def rotl(x, n):
    return ((x << n) | (x >> (32 - n))) & 0xFFFFFFFF


def chacha20_block(key, counter):
    """Bernstein's original layout: 64-bit counter, 64-bit nonce of 0."""
    state = list(struct.unpack("<4I", b"expand 32-byte k")) + list(struct.unpack("<8I", key))
    state += [counter & 0xFFFFFFFF, counter >> 32, 0, 0]
    x = state[:]

    def quarter(a, b, c, d):
        x[a] = (x[a] + x[b]) & 0xFFFFFFFF
        x[d] = rotl(x[d] ^ x[a], 16)
        x[c] = (x[c] + x[d]) & 0xFFFFFFFF
        x[b] = rotl(x[b] ^ x[c], 12)
        x[a] = (x[a] + x[b]) & 0xFFFFFFFF
        x[d] = rotl(x[d] ^ x[a], 8)
        x[c] = (x[c] + x[d]) & 0xFFFFFFFF
        x[b] = rotl(x[b] ^ x[c], 7)

    for _ in range(10):
        quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15)
        quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14)
    return [(a + b) & 0xFFFFFFFF for a, b in zip(x, state)]


def words(key):
    counter = 0
    while True:
        yield from chacha20_block(key, counter)
        counter += 1


def below(stream, n):
    if n == 1:
        return 0
    while True:
        w = next(stream)
        if w < 2**32 - (2**32 % n):
            return w % n


def simple(stream, ratios):
    while True:
        u, total = below(stream, sum(ratios)), 0
        for arm, ratio in enumerate(ratios):
            total += ratio
            if u < total:
                yield arm
                break


def permuted_blocks(stream, ratios, sizes):
    while True:
        size = sizes[below(stream, len(sizes))]
        block = [arm for arm, r in enumerate(ratios) for _ in range(size * r // sum(ratios))]
        for i in range(size - 1, 0, -1):
            j = below(stream, i + 1)
            block[i], block[j] = block[j], block[i]
        yield from block


def stratum_stream(seed, trial, label):
    return words(hkdf(seed, trial.encode(), f"{VERSION}/stratum/{label}".encode()))


def take(generator, n):
    return "".join("ab"[next(generator)] for _ in range(n))


def vectors():
    seed = bytes([7]) * 32
    parts = [b"lodkast seed v1", seed, b"trial-a", VERSION.encode(), bytes([0xAB]) * 32]
    label = '{"site":"aalborg","target_group":"job_ready"}'
    place = '{"site":"aalborg"}'
    nine = bytes([9]) * 32
    return {
        "COMMITMENT_VECTOR": hashlib.sha256(b"\0".join(parts)).hexdigest(),
        "STRATUM_KEY_VECTOR": hkdf(seed, b"trial-a", f"{VERSION}/stratum/{label}".encode()).hex(),
        "SIMPLE_VECTOR": take(simple(stratum_stream(nine, "t", place), [1, 2]), 40),
        "BLOCKS_VECTOR": take(permuted_blocks(stratum_stream(nine, "t", place), [1, 1], [4, 6, 8]), 40),
        "RATIO_VECTOR": take(permuted_blocks(stratum_stream(nine, "t", place), [1, 2], [3, 9]), 40),
    }


if __name__ == "__main__":
    for name, value in vectors().items():
        print(name, value)
