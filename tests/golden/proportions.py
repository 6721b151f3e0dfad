#!/usr/bin/env python3
"""Golden values of the unstratified risk differences. Writes proportions_expected.csv beside itself.

Newcombe, Wald and Agresti-Caffo come from statsmodels. Miettinen-Nurminen is programmed here another
way than in the service: the constrained maximum-likelihood estimate is found by solving the score
equation numerically to 40 digits, not by the closed form of the cubic (statsmodels' own score
interval for a risk difference is wrong and not used).

Made with statsmodels 0.15.0, mpmath 1.3.0. Run: python3 tests/golden/proportions.py
"""
import pathlib

import mpmath
import statsmodels
from mpmath import mp, mpf
from statsmodels.stats.proportion import confint_proportions_2indep

mp.dps = 40
CASES = [
    (56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (5, 56, 0, 29), (0, 10, 0, 20), (0, 10, 0, 10),
    (10, 10, 0, 20), (10, 10, 0, 10), (1, 1, 0, 2), (3, 9, 9, 9), (1484, 5546, 1348, 3599),
    (420001, 500000, 419000, 500000), (1, 500000, 0, 500000), (17, 40, 17, 40),
]
LEVELS = (0.9, 0.95, 0.99)


def constrained(x1, n1, x2, n2, delta):
    """The proportion of the second arm that maximizes the likelihood given p1 - p2 = delta."""
    low, high = max(mpf(0), -delta), min(mpf(1), 1 - delta)

    def score(p):
        p1 = p + delta
        total = mpf(0)
        for x, n, q in ((x1, n1, p1), (x2, n2, p)):
            if x:
                total += x / q
            if n - x:
                total -= (n - x) / (1 - q)
        return total

    span = high - low
    a, b = low + span * mpf(10) ** -38, high - span * mpf(10) ** -38
    if score(a) <= 0:
        return low
    if score(b) >= 0:
        return high
    for _ in range(140):
        middle = (a + b) / 2
        if score(middle) > 0:
            a = middle
        else:
            b = middle
    return (a + b) / 2


def z(x1, n1, x2, n2, delta):
    p2 = constrained(x1, n1, x2, n2, delta)
    p1, n = p2 + delta, n1 + n2
    variance = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * mpf(n) / (n - 1)
    distance = mpf(x1) / n1 - mpf(x2) / n2 - delta
    return distance / mpmath.sqrt(variance) if variance > 0 else mpmath.sign(distance) * mpf(10) ** 30


def limit(counts, level, lower):
    estimate = mpf(counts[0]) / counts[1] - mpf(counts[2]) / counts[3]
    critical = mpmath.sqrt(2) * mpmath.erfinv(mpf(repr(level)))
    a, b = (mpf(-1), estimate) if lower else (estimate, mpf(1))
    for _ in range(60):
        middle = (a + b) / 2
        value = z(*counts, middle)
        if (value > critical) if lower else (value > -critical):
            a = middle
        else:
            b = middle
    return (a + b) / 2


def main():
    lines = [f"# statsmodels {statsmodels.__version__}, mpmath {mpmath.__version__}",
             "estimator,x1,n1,x2,n2,level,lower,upper"]
    for counts in CASES:
        for level in LEVELS:
            head = ",".join(map(str, counts)) + f",{level}"
            for ours, theirs in (("newcombe", "newcomb"), ("agresti_caffo", "agresti-caffo"), ("wald", "wald")):
                low, high = confint_proportions_2indep(*counts, method=theirs, compare="diff", alpha=1 - level)
                lines.append(f"{ours},{head},{low!r},{high!r}".replace("np.float64(", "").replace(")", ""))
            low, high = limit(counts, level, True), limit(counts, level, False)
            lines.append(f"miettinen_nurminen,{head},{mpmath.nstr(low, 17)},{mpmath.nstr(high, 17)}")
    path = pathlib.Path(__file__).with_name("proportions_expected.csv")
    path.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
