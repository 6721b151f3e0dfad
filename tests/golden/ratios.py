#!/usr/bin/env python3
"""Golden values of the score limits of risk ratio and odds ratio. Writes ratios_expected.csv beside
itself.

Made with statsmodels 0.15.0 (method="score", correction=True: Miettinen and Nurminen).
Run: python3 tests/golden/ratios.py
"""
import pathlib
import warnings

import statsmodels
from statsmodels.stats.proportion import confint_proportions_2indep

warnings.filterwarnings("ignore")
CASES = [
    (56, 70, 48, 80), (9, 10, 3, 10), (6, 7, 2, 7), (12, 40, 21, 50), (1484, 5546, 1348, 3599),
    (5, 56, 1, 29), (1, 2, 1, 2), (1, 100, 3, 90), (420001, 500000, 419000, 500000), (17, 40, 17, 40),
    (3, 9, 8, 9), (2, 1000, 9, 1100),
]


def main():
    lines = [f"# statsmodels {statsmodels.__version__}", "measure,x1,n1,x2,n2,level,lower,upper"]
    for counts in CASES:
        for level in (0.9, 0.95, 0.99):
            for measure in ("ratio", "odds-ratio"):
                low, high = confint_proportions_2indep(
                    *counts, method="score", compare=measure, alpha=1 - level, correction=True)
                head = ",".join(map(str, (measure, *counts, level)))
                lines.append(f"{head},{float(low)!r},{float(high)!r}")
    pathlib.Path(__file__).with_name("ratios_expected.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
