"""Runs metrics/benches/distributions.rs and the Python peers in turn on this machine and prints seconds and ratios.

    feature_speed.py [ROUNDS]           3 rounds unless told
    feature_speed.py --peers            the peers alone, in this process

Both sides have two threads and the same 2 x 5,000 x 2,048 f32 features; the fastest run of a round counts. Peers: np.cov and
scipy.linalg.sqrtm (what guided-diffusion, pytorch-fid and clean-fid do), torch-fidelity's own functions for the rest.
Fails when the values of the two sides are further apart than the stated tolerance.
"""

import statistics
import sys
import time
import warnings

from in_turn import RECORD, bench, build, printed

ROWS, COLUMNS = 5000, 2048
# Largest difference: FD f64 on both sides, P/R a few samples whose distance is within f32 of a radius, KID f32 there.
TOLERANCE = {"moments": 1e-6, "frechet": 1e-6, "precision-recall": 2e-3, "kid": 1e-6, "inception-score": 1e-9}


def peers():
    import numpy as np
    import scipy.linalg
    import torch
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    from feature_metrics import uniforms

    warnings.filterwarnings("ignore")
    torch.set_num_threads(2)

    def features(seed):
        scale = 0.25 + np.arange(COLUMNS) % 7 * 0.125
        u = uniforms(ROWS * COLUMNS, seed).reshape(ROWS, COLUMNS).astype(np.float32)
        return (u * u) * scale.astype(np.float32)

    def frechet(x, y):
        m1, m2, s1, s2 = x.mean(0), y.mean(0), np.cov(x, rowvar=False), np.cov(y, rowvar=False)
        root = scipy.linalg.sqrtm(s1 @ s2)
        return float(((m1 - m2) ** 2).sum() + np.trace(s1) + np.trace(s2) - 2 * np.trace(root).real)

    x, y = features(1), features(2)
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    logits = torch.from_numpy(10 * uniforms(ROWS * 1008, 9).reshape(ROWS, 1008).astype(np.float32))
    subsets = {"verbose": False, "kid_subsets": 10, "kid_subset_size": 1000}
    runs = {
        "moments": lambda: float(np.trace(np.cov(x, rowvar=False))),
        "frechet": lambda: frechet(x, y),
        "precision-recall": lambda: prc_features_to_metric(b, a, verbose=False)["recall"],
        "kid": lambda: kid_features_to_metric(a, b, **subsets)["kernel_inception_distance_mean"],
        "inception-score": lambda: isc_features_to_metric(logits)["inception_score_mean"],
    }
    for name, run in runs.items():
        passes, start, cpu = [], time.perf_counter(), time.process_time()
        while not passes or time.perf_counter() - start < 5:
            begun = time.perf_counter()
            value = run()
            passes.append(time.perf_counter() - begun)
        print(name, repr(float(value)), min(passes), (time.process_time() - cpu) / len(passes), flush=True)


def record(command, **variables):
    """Value, seconds of the fastest run and CPU seconds of a run of each metric that a side prints."""
    lines = map(str.split, printed(command, **variables))
    return {name: [float(number) for number in numbers] for name, *numbers in lines if name in TOLERANCE}


def main():
    if sys.argv[1:] == ["--peers"]:
        return peers()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    build("distributions")
    ratios = {name: [] for name in TOLERANCE}
    for number in range(1, rounds + 1):
        ours = record(bench("distributions"), **{RECORD: "4"})
        threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
        theirs = record([sys.executable, __file__, "--peers"], **threads)
        for name, tolerance in TOLERANCE.items():
            (value, seconds, cpu), (other, longer, more) = ours[name], theirs[name]
            if not abs(value - other) <= tolerance:
                sys.exit(f"{name}: {value} here, {other} there")
            ratios[name].append((longer / seconds, more / cpu))
            print(f"round {number}: {name}: {seconds:.3f} s, peer {longer:.3f} s, ratio {longer / seconds:.1f}; "
                  f"CPU {cpu:.3f} s, {more:.3f} s, ratio {more / cpu:.1f}", flush=True)
    for name, found in ratios.items():
        wall, cpu = zip(*found)
        print(f"{name}: median ratio {statistics.median(wall):.1f} ({min(wall):.1f} to {max(wall):.1f}), "
              f"by CPU time {statistics.median(cpu):.1f}")


if __name__ == "__main__":
    main()
