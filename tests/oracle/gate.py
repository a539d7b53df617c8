"""Statistics of `compare` and `gate` by scipy and statsmodels: python gate.py > ../golden/gate/statistics.json

Paired bootstrap intervals (scipy.stats.bootstrap, percentile, 1,600,000 resamples), Student's t, the
paired t-test, McNemar's test exact and with continuity correction (statsmodels), and the delete-a-group
jackknife written out, of a standard deviation; that of the difference of two Frechet distances; the bound on changes
from run to run.
"""
import json

import numpy as np
from scipy import linalg, stats
from statsmodels.stats.contingency_tables import mcnemar

from streams import normal as draws


def bootstrap(name, differences, confidence):
    generator = np.random.default_rng(7)
    values = np.asarray(differences)
    means = [values[generator.integers(0, len(values), (4_000, len(values)))].mean(axis=1) for _ in range(400)]
    outside = 50 * (1 - confidence)
    interval = np.percentile(np.concatenate(means), [outside, 100 - outside])
    again = stats.bootstrap((values,), np.mean, n_resamples=20_000, confidence_level=confidence, method="percentile",
                            rng=8).confidence_interval
    width = interval[1] - interval[0]
    assert np.abs(np.array(again) - interval).max() < 0.03 * width, name
    return {"name": name, "differences": [float(x) for x in values], "confidence": confidence,
            "interval": interval.tolist()}


def few(differences):
    values = np.asarray(differences)
    interval = stats.t.interval(0.99, len(values) - 1, loc=values.mean(), scale=stats.sem(values))
    return {"differences": [float(x) for x in values], "interval": list(map(float, interval)),
            "p": float(stats.ttest_1samp(values, 0).pvalue)}


def student():
    for freedom in (1, 2, 3, 9, 29, 143, 4999.5):
        for t, confidence in ((0.1, 0.5), (1.0, 0.95), (2.5, 0.99), (8.0, 0.99999)):
            yield {"t": t, "freedom": freedom, "p": float(2 * stats.t.sf(t, freedom)), "confidence": confidence,
                   "quantile": float(stats.t.isf((1 - confidence) / 2, freedom))}


def of_counts(first_only, second_only):
    exact = first_only + second_only < 25
    table = [[100, first_only], [second_only, 40]]
    result = mcnemar(table, exact=exact, correction=True)
    return {"first_only": first_only, "second_only": second_only, "p": float(result.pvalue)}


def jackknife(values):
    values = np.asarray(values)
    groups = np.arange(len(values)) % 10
    left = np.array([values[groups != group].std(ddof=1) for group in range(10)])
    half = stats.t.ppf(0.975, 9) * np.sqrt(9 / 10 * ((left - left.mean()) ** 2).sum())
    estimate = values.std(ddof=1)
    return {"values": [float(x) for x in values], "interval": [float(estimate - half), float(estimate + half)]}


def frechet(a, b):
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(first @ second).real
    return ((a.mean(axis=0) - b.mean(axis=0)) ** 2).sum() + np.trace(first + second - 2 * root)


def paired_jackknife(key, n, columns, noises, confidence):
    """Two runs on the same originals; the groups are deleted from originals and both runs."""
    def draw(stream):
        return np.asarray(draws("paired", key, stream, n * columns)).reshape(n, columns)
    originals = draw(0)
    before, after = (originals + noise * draw(stream) for stream, noise in enumerate(noises, 1))
    originals, before, after = (np.round(x, 4).astype(np.float32).astype(np.float64) for x in (originals, before, after))
    groups = np.arange(n) % 10
    left = np.array([frechet(originals[groups != g], after[groups != g]) - frechet(originals[groups != g], before[groups != g])
                     for g in range(10)])
    difference = frechet(originals, after) - frechet(originals, before)
    half = stats.t.ppf(0.5 + confidence / 2, 9) * np.sqrt(9 / 10 * ((left - left.mean()) ** 2).sum())
    def rounded(rows):
        return [[round(float(x), 4) for x in row] for row in rows]
    return {"originals": rounded(originals), "before": rounded(before), "after": rounded(after), "confidence": confidence,
            "difference": float(difference), "interval": [float(difference - half), float(difference + half)]}


def change_rule(levels):
    """rustc-perf's bound on what is noise: Q3 + 3 IQR of the changes from run to run."""
    changes = np.abs(np.diff(levels))
    low, high = np.percentile(changes, [25, 75])
    return {"levels": [float(x) for x in levels], "bound": float(high + 3 * (high - low))}


def main():
    normal = draws("oracle", 1, 0, 200)
    skewed = np.exp(draws("oracle", 2, 0, 150))
    print(json.dumps({
        "bootstrap": [
            bootstrap("normal", np.round(0.05 + 0.3 * normal, 6), 0.99),
            bootstrap("skewed", np.round(skewed - 1.5, 6), 0.99),
            bootstrap("few distinct values", np.sign(np.round(normal[:60])), 0.95),
        ],
        "few": [few(np.round(normal[:n] + 0.4, 6)) for n in (2, 7, 19)],
        "student": list(student()),
        "mcnemar": [of_counts(*pair) for pair in
                    [(0, 1), (0, 6), (3, 12), (11, 13), (5, 19), (5, 20), (13, 13), (120, 170), (1, 400)]],
        "change_bound": [change_rule(np.round(normal[:n], 6)) for n in (10, 11, 40)],
        "paired_jackknife": [paired_jackknife(1, 60, 3, (0.3, 0.33), 0.99), paired_jackknife(2, 57, 2, (0.5, 0.5), 0.95),
                             paired_jackknife(3, 40, 4, (0.2, 0.6), 0.99)],
        "jackknife": [jackknife(np.round(normal[:n], 6)) for n in (20, 57, 200)],
    }, indent=1))


main()
