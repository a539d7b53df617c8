"""Golden values of the metrics of feature distributions, on features from integer hashes.

    feature_metrics.py [FOLDER]         writes FOLDER/metrics.json, by default ../golden/features

torch-fidelity (FD, KID, IS, precision and recall), SciPy (FD by sqrtm and by singular values), prdc (density, coverage),
numpy (CMMD, and guided-diffusion's binary16 distances step by step, since TensorFlow is not needed for rounding).
Features are made in f64, rounded to f32, and handed on as f64.
"""

import contextlib
import json
import pathlib
import sys

import numpy as np
import prdc
import scipy.linalg
import torch
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from hashed import splitmix


def uniforms(count, seed):
    """Uniforms in [0, 1): the upper 24 bits of a hash, so that each is exact in f32."""
    return (splitmix(np.arange(count), seed) >> np.uint64(40)).astype(np.float64) / 2**24


def features(rows, columns, seed, offset=0.0, scale=1.0, levels=0):
    """Uniforms, moved and scaled, cut to `levels` whole numbers where that is not 0."""
    u = uniforms(rows * columns, seed).reshape(rows, columns)
    u = np.floor(u * levels) if levels else u
    return (offset + scale * u).astype(np.float32).astype(np.float64)


def frechet(x, y):
    """By sqrtm, by the eigenvalues of the product, and by singular values (no square root of rounding)."""
    found = {}
    stats = [fid_features_to_statistics(torch.from_numpy(z)) for z in (x, y)]
    found["torch-fidelity"] = fid_statistics_to_metric(*stats, False)["frechet_inception_distance"]
    (m1, s1), (m2, s2) = ((s["mu"], s["sigma"]) for s in stats)
    rest = ((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2)
    found["scipy-sqrtm"] = float(rest - 2 * np.trace(scipy.linalg.sqrtm(s1 @ s2)).real)
    roots = [scipy.linalg.qr((z - z.mean(0)) / np.sqrt(len(z) - 1), mode="economic")[1] for z in (x, y)]
    found["singular-values"] = float(rest - 2 * scipy.linalg.svdvals(roots[0] @ roots[1].T).sum())
    return found


def kernel(x, y, subsets, size):
    found = kid_features_to_metric(
        *map(torch.from_numpy, (x, y)), verbose=False, kid_subsets=subsets, kid_subset_size=size
    )
    return {"mean": found["kernel_inception_distance_mean"], "std": found["kernel_inception_distance_std"]}


def inception(logits):
    found = isc_features_to_metric(torch.from_numpy(logits))
    p = torch.from_numpy(logits).softmax(1).numpy()
    blocks = [p[at : at + 5000] for at in range(0, len(p), 5000)]
    adm = [np.exp((b * (np.log(b) - np.log(b.mean(0)))).sum(1).mean()) for b in blocks]
    return {"tfid-mean": found["inception_score_mean"], "tfid-std": found["inception_score_std"], "adm": float(np.mean(adm))}


def half_distances(u, v):
    """max(|u|^2 - 2 u.v + |v|^2, 0) in binary16; products are summed in f32, one fused step after the other."""
    u, v = u.astype(np.float16), v.astype(np.float16)
    a, b = u.astype(np.float64), v.astype(np.float64)
    dot = np.zeros((len(a), len(b)), dtype=np.float32)
    for k in range(a.shape[1]):
        dot = (dot.astype(np.float64) + a[:, k, None] * b[None, :, k]).astype(np.float32)
    norm_u, norm_v = ((z * z).sum(1).astype(np.float32).astype(np.float16) for z in (a, b))
    distance = norm_u[:, None] - np.float16(2) * dot.astype(np.float16) + norm_v[None]
    return np.maximum(distance, np.float16(0)).astype(np.float32)


def half_precision_recall(references, samples):
    radii = [np.sort(half_distances(z, z), axis=1)[:, 3] for z in (references, samples)]
    between = half_distances(references, samples)
    return {
        "precision": float((between <= radii[0][:, None]).any(0).mean()),
        "recall": float((between <= radii[1][None]).any(1).mean()),
    }


def neighbours(references, samples):
    found = prc_features_to_metric(torch.from_numpy(samples), torch.from_numpy(references), verbose=False)
    with contextlib.redirect_stdout(None):
        counts = prdc.compute_prdc(references, samples, nearest_k=5)
    return {
        "exact": {"precision": found["precision"], "recall": found["recall"]},
        "adm-fp16": half_precision_recall(references, samples),
        "density": float(counts["density"]),
        "coverage": float(counts["coverage"]),
    }


def cmmd(x, y):
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))

    def mean(p, q):
        return np.exp(-((p * p).sum(1)[:, None] + (q * q).sum(1)[None] - 2 * p @ q.T) / 200).mean()

    return float(1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y)))


def case(function, first, second, **options):
    value = function(features(**first), features(**second), **options)
    return {"first": first, "second": second, **options, "value": value}


def pair(n, m, columns, seed, offset=0.0, scale=1.0, both=0.0, levels=0):
    common = {"columns": columns, "levels": levels}
    return (
        {"rows": n, "seed": seed, "offset": both, "scale": 1.0, **common},
        {"rows": m, "seed": seed + 1, "offset": both + offset, "scale": scale, **common},
    )


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "../golden/features")
    folder.mkdir(parents=True, exist_ok=True)
    frechets = [
        pair(300, 900, 20, 100, 0.1, 0.9),
        pair(900, 300, 96, 102, 0.02, 1.1),
        pair(40, 64, 100, 104, 0.1, 0.9),
        pair(101, 30, 100, 106, 0.1, 0.9),
        pair(2, 2, 7, 108, 0.5, 2.0),
        pair(200, 250, 12, 110, 0.25, 1.0, both=5000.0),
        pair(150, 150, 16, 112, 0.0, 1.0, levels=3),
        pair(2300, 2200, 2048, 114, 0.05, 0.9),
        pair(60, 50, 2048, 116, 0.05, 0.9),
    ]
    kernels = [(pair(120, 200, 33, 120, 0.1, 0.9), 7, 50), (pair(64, 64, 300, 122, 0.02, 1.0), 3, 64)]
    logits = [{"rows": 11, "columns": 1008, "seed": 130, "offset": -3.0, "scale": 12.0, "levels": 0},
              {"rows": 5300, "columns": 20, "seed": 131, "offset": 0.0, "scale": 6.0, "levels": 0}]
    manifolds = [
        pair(500, 400, 64, 3, 0.1, 0.9),
        pair(80, 300, 10, 140, 0.0, 0.8),
        pair(300, 80, 10, 142, 0.1, 1.0),
        pair(200, 150, 3, 144, levels=5),
        pair(150, 200, 6, 146, 1.0, levels=4),
    ]
    golden = {
        "frechet": [case(frechet, *sets) for sets in frechets],
        "kid": [case(kernel, *sets, subsets=subsets, size=size) for sets, subsets, size in kernels],
        "inception_score": [{"logits": spec, "value": inception(features(**spec))} for spec in logits],
        "neighbours": [case(neighbours, *sets) for sets in manifolds],
        "cmmd": [case(cmmd, *pair(70, 1100, 24, 150, 0.1, 0.9)), case(cmmd, *pair(1030, 20, 5, 152, -0.5))],
    }
    (folder / "metrics.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
