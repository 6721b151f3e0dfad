#!/usr/bin/env python3
"""Golden values of fisher_exact. Writes fisher_expected.csv beside itself.

Made with scipy (its version is written into the file). R's fisher.test finds estimate and limits to four
digits only, and agrees to these. Run: python3 tests/golden/fisher.py
"""
import pathlib

import scipy
from scipy.stats import fisher_exact
from scipy.stats.contingency import odds_ratio

CASES = [
    (3, 4, 1, 4), (10, 12, 2, 15), (5, 56, 1, 29), (56, 70, 48, 80), (7, 20, 9, 30), (1, 100, 3, 90),
    (120, 400, 150, 410), (30, 3000, 52, 3100), (1484, 5546, 1348, 3599),
]


def main():
    lines = [f"# scipy {scipy.__version__}",
             "x1,n1,x2,n2,level,p,p_greater,p_less,estimate,lower,upper"]
    for x1, n1, x2, n2 in CASES:
        table = [[x1, n1 - x1], [x2, n2 - x2]]
        p = [fisher_exact(table, alternative=side).pvalue for side in ("two-sided", "greater", "less")]
        found = odds_ratio(table, kind="conditional")
        for level in (0.9, 0.95):
            limits = found.confidence_interval(level)
            values = [*p, found.statistic, limits.low, limits.high]
            lines.append(",".join(map(str, (x1, n1, x2, n2, level))) + ","
                         + ",".join(repr(float(v)) for v in values))
    pathlib.Path(__file__).with_name("fisher_expected.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
