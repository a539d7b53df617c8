"""Golden values of the metrics of feature distributions without each tenth of their samples.

    jackknife.py [FOLDER]         writes FOLDER/jackknife.json, by default ../golden/features

Numpy alone, from the definitions: rows are left out of the arrays and everything is summed again. Tenth g are the
rows whose index is g modulo 10. What stays as it was with all rows: KID's subsets, the splits of the Inception Score,
the radii of balls; for precision and recall also which balls there are.
"""

import json
import pathlib
import sys

import numpy as np

from hashed import splitmix


def features(rows, columns, seed, offset=0.0, scale=1.0):
    """Uniforms of 24 bits, moved and scaled."""
    u = (splitmix(np.arange(rows * columns), seed) >> np.uint64(40)).astype(np.float64) / 2**24
    return (offset + scale * u).reshape(rows, columns).astype(np.float32).astype(np.float64)


def outside(rows, group, left_out=True):
    rows = np.asarray(rows)
    return rows[(rows % 10 != group) | (not left_out)]


def kernel(x, y, subsets, size, group, paired):
    random = np.random.RandomState(2020)
    values = []
    for _ in range(subsets):
        a = x[outside(random.choice(len(x), size, replace=False), group)]
        b = y[outside(random.choice(len(y), size, replace=False), group, paired)]
        k = [(u @ v.T / x.shape[1] + 1) ** 3 for u, v in ((a, a), (b, b), (a, b))]
        within = [(m.sum() - np.trace(m)) / (len(m) * (len(m) - 1)) for m in k[:2]]
        values.append(within[0] + within[1] - 2 * k[2].mean())
    return np.mean(values)


def clip(x, y, group, paired):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    x, y = x[outside(np.arange(len(x)), group)], y[outside(np.arange(len(y)), group, paired)]
    k = [np.exp(-((u[:, None] - v[None]) ** 2).sum(-1) / 200).mean() for u, v in ((x, x), (y, y), (x, y))]
    return 1000 * (k[0] + k[1] - 2 * k[2])


def score(logits, splits, group):
    values = []
    for rows in splits:
        z = logits[outside(rows, group)]
        p = np.exp(z - z.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        values.append(np.exp((p * (np.log(p) - np.log(p.mean(0)))).sum(1).mean()))
    return np.mean(values)


def distances(x, y):
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def radii(x, k):
    return np.sort(distances(x, x), axis=1)[:, k]


def neighbours(references, samples, group, paired):
    between = distances(references, samples)
    precise = (between <= radii(references, 3)[:, None]).any(0)
    recalled = (between <= radii(samples, 3)[None]).any(1)
    hits = between < radii(references, 5)[:, None]
    r, s = (outside(np.arange(n), group) for n in between.shape)
    balls = outside(np.arange(len(references)), group, paired)
    left = hits[balls][:, s]
    density = left.sum() / (5 * len(s)) * len(references) / len(balls)
    return {"precision": precise[s].mean(), "recall": recalled[r].mean(), "density": density,
            "coverage": left.any(1).mean()}


def replicates(value):
    """Without each tenth, and without any (10)."""
    return [float(value(group)) for group in range(11)]


def case(rows, others, columns, seed):
    made, reference = features(rows, columns, seed), features(others, columns, seed + 1, 0.1, 0.9)
    logits = features(rows, 16, seed + 2, 0.0, 8.0)
    order = np.random.RandomState(2020).permutation(rows)
    shuffled = [order[i * rows // 10 : (i + 1) * rows // 10] for i in range(10)]
    found = {"rows": rows, "others": others, "columns": columns, "seed": seed,
             "is-tfid": replicates(lambda g: score(logits, shuffled, g)),
             "is-adm": replicates(lambda g: score(logits, [np.arange(a, min(a + 5000, rows)) for a in range(0, rows, 5000)], g))}
    for paired in (False, True) if rows == others else (False,):
        of = {"kid": replicates(lambda g: kernel(made, reference, 4, 40, g, paired)),
              "cmmd": replicates(lambda g: clip(made, reference, g, paired))}
        for name in ("precision", "recall", "density", "coverage"):
            of[name] = replicates(lambda g: neighbours(reference, made, g, paired)[name])
        found["paired" if paired else "apart"] = of
    return found


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "../golden/features")
    cases = [case(203, 203, 3, 11), case(160, 97, 4, 21)]
    (folder / "jackknife.json").write_text(json.dumps(cases, indent=1) + "\n")


main()
