"""Golden values of confidence sequences, added to inference_expected.csv (cases cs_*).

Usage: python tests/golden/inference.py, after inference.R.
Made with Python 3.11 and confseq 0.0.11 by the authors of Howard et al. (2021). It builds with
pip install "setuptools<70" "pybind11<2.13" scikit-build cmake ninja wheel numpy scipy
and then pip install --no-build-isolation --no-deps confseq.
"""
import math
import pathlib
import sys
from importlib.metadata import version

from confseq.boundaries import normal_mixture_bound, poly_stitching_bound
from scipy.special import log_ndtr, zeta

rows = []


def add(case, **quantities):
    for quantity, value in quantities.items():
        value = float(value)
        assert math.isfinite(value)
        rows.append(f"{case},{quantity},{value:.17g}")


def agree(found, formula):
    assert abs(found - formula) <= 1e-11 * abs(formula), (found, formula)
    return found


def best_rho(v_opt, alpha):
    return v_opt / (2 * math.log(1 / alpha) + math.log(1 + 2 * math.log(1 / alpha)))


def one_sided(v, alpha, rho):
    """The s at which log(2 sqrt(rho/(v+rho)) Phi(s/sqrt(v+rho))) + s^2/(2(v+rho)) = log(1/alpha)."""
    low, high = 0.0, 1e6
    for _ in range(300):
        s = (low + high) / 2
        value = 0.5 * math.log(4 * rho / (v + rho)) + s * s / (2 * (v + rho)) + log_ndtr(s / math.sqrt(v + rho))
        low, high = (s, high) if value < math.log(1 / alpha) else (low, s)
    return high


# Normal mixture boundaries for a sum of intrinsic time v, tightest near v_opt at level alpha_opt.
for i, (v, alpha, v_opt, alpha_opt) in enumerate([
    (100, 0.05, 100, 0.05), (1, 0.05, 100, 0.05), (12345.6, 0.05, 100, 0.05), (50, 0.01, 200, 0.05),
    (50, 0.025, 20, 0.025), (7.5, 0.2, 1, 0.1), (0, 0.05, 10, 0.05), (1e6, 0.001, 1e5, 0.001),
], 1):
    rho = best_rho(v_opt, alpha_opt)
    closed = math.sqrt((v + rho) * math.log((v + rho) / (rho * alpha**2)))
    two = agree(float(normal_mixture_bound(v, alpha, v_opt, alpha_opt, False)), closed)
    # The one-sided rho is the two-sided one at twice alpha_opt. The package bisects to 40 bits; the
    # root found here to the last digit is written.
    found = float(normal_mixture_bound(v, alpha, v_opt, alpha_opt, True)) if v > 0 else None
    one = one_sided(v, alpha, best_rho(v_opt, 2 * alpha_opt))
    if found is not None:
        agree(found, one)
    add(f"cs_mixture_{i}", v=v, alpha=alpha, v_opt=v_opt, alpha_opt=alpha_opt,
        normal_mixture_two_sided=two, normal_mixture_one_sided=one)

# Polynomial stitching, one-sided, with crossing probability alpha.
for i, (v, alpha, v_min, c, s, eta) in enumerate([
    (100, 0.05, 10, 0, 1.4, 2), (5, 0.05, 10, 0, 1.4, 2), (10, 0.05, 10, 0, 1.4, 2), (1e5, 0.025, 1, 0, 1.4, 2),
    (100, 0.05, 10, 1, 1.4, 2), (100, 0.05, 10, -0.5, 1.4, 2), (750, 0.005, 100, 0, 2, 1.5), (1e4, 0.1, 1, 0.2, 1.1, 3),
], 1):
    k1, k2 = (eta**0.25 + eta**-0.25) / math.sqrt(2), (math.sqrt(eta) + 1) / 2
    at = max(v, v_min)
    level = s * math.log(math.log(eta * at / v_min)) + math.log(zeta(s) / (alpha * math.log(eta) ** s))
    closed = math.sqrt(k1**2 * at * level + (k2 * c * level) ** 2) + k2 * c * level
    found = agree(float(poly_stitching_bound(v, alpha, v_min, c, s, eta)), closed)
    add(f"cs_stitching_{i}", v=v, alpha=alpha, v_min=v_min, c=c, s=s, eta=eta, poly_stitching=found)

# Asymptotic confidence sequences of Waudby-Smith et al.: half width at t, tightest near t_star. It is
# sigma / t times the two-sided normal mixture with v = t, v_opt = t_star and alpha_opt = alpha.
for i, (t, alpha, t_star, sigma) in enumerate([
    (100, 0.05, 100, 1), (10, 0.05, 100, 1), (5000, 0.05, 100, 2.5), (1000, 0.01, 500, 0.3), (1, 0.05, 1, 1), (250000, 0.1, 1000, 12),
], 1):
    rho2 = (-2 * math.log(alpha) + math.log(-2 * math.log(alpha) + 1)) / t_star
    closed = sigma * math.sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * math.log(math.sqrt(t * rho2 + 1) / alpha))
    found = agree(sigma / t * float(normal_mixture_bound(t, alpha, t_star, alpha, False)), closed)
    add(f"cs_asymptotic_{i}", t=t, alpha=alpha, t_star=t_star, sigma=sigma, asymptotic_half_width=found)

path = pathlib.Path(__file__).parent / "inference_expected.csv"
old = path.read_text().splitlines()
head = old[0].split("; ")[0] + f"; Python {sys.version.split()[0]}, confseq {version('confseq')}"
kept = [line for line in old[1:] if not line.startswith("cs_")]
path.write_text("\n".join([head, *kept, *rows]) + "\n")
