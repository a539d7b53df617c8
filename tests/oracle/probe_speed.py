"""Runs metrics/benches/probes.rs and scikit-learn in turn on this machine and prints seconds and ratios.

    probe_speed.py [ROUNDS]             1 round unless told; the large set takes scikit-learn many minutes
    probe_speed.py --peer SET [f64]     scikit-learn alone, in this process

Both sides have two threads, the same f32 features, penalty and tolerance (`tol` on the gradient). scikit-learn computes in the type of
its features; `f64` gives it doubles. Fails when our loss is more than 1e-6 above scikit-learn's, computed here in f64. It may be below: the
same largest derivative leaves scikit-learn further from the minimum, whose flat directions ours goes down first.
"""

import resource
import sys
import time

from in_turn import RECORD, bench, build, printed

COLUMNS, MIXED, TOLERANCE = 768, 256, 1e-6
# Rows, classes, distance of the centres, C: as in the bench.
SETS = {"logistic-5000x768x100": (5000, 100, 0.5, 1.0), "logistic-50000x768x1000": (50_000, 1000, 0.5, 1.0)}


def features(rows, classes, shift):
    import numpy as np

    from feature_metrics import uniforms

    f32 = np.float32
    labels = np.arange(rows) % classes
    centres = uniforms(classes * COLUMNS, 1).astype(f32).reshape(classes, COLUMNS)
    scale = f32(4) / np.sqrt(np.arange(COLUMNS).astype(f32) + f32(1))
    x = np.empty((rows, COLUMNS), f32)
    noise = uniforms(rows * COLUMNS, 2).astype(f32).reshape(rows, COLUMNS)
    for at in range(0, rows, 5000):
        own = labels[at : at + 5000]
        spread = (noise[at : at + 5000] - f32(0.5)) + f32(shift) * (centres[own] - f32(0.5))
        spread *= scale
        for third in range(3):
            part = spread[:, third::3].copy()
            width = 1
            while width < MIXED:
                pairs = part.reshape(len(part), -1, 2, width)
                part = np.stack([pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]], 2)
                width *= 2
            x[at : at + 5000, third * MIXED : (third + 1) * MIXED] = part.reshape(-1, MIXED) * f32(0.0625) + f32(1)
    return x, labels


def peer(name, double):
    import numpy as np
    import scipy.special
    from sklearn.linear_model import LogisticRegression

    rows, classes, shift, c = SETS[name]
    x, y = features(rows, classes, shift)
    x = x.astype(np.float64) if double else x
    begun, cpu = time.perf_counter(), time.process_time()
    model = LogisticRegression(C=c, tol=TOLERANCE, max_iter=5000).fit(x, y)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    loss = (model.coef_.astype(np.float64) ** 2).sum() / (2 * c * rows)
    for at in range(0, rows, 5000):
        scores = x[at : at + 5000].astype(np.float64) @ model.coef_.T.astype(np.float64) + model.intercept_
        own = scores[np.arange(len(scores)), y[at : at + 5000]]
        loss += (scipy.special.logsumexp(scores, axis=1) - own).sum() / rows
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(name, repr(float(loss)), seconds, cpu, model.n_iter_[0], memory, flush=True)


def record(command, **variables):
    """Loss, seconds, CPU seconds, evaluations or iterations, and peak memory in MB of each set that a side prints."""
    lines = map(str.split, printed(command, **variables))
    return {name: [float(number) for number in numbers] for name, *numbers in lines if name in SETS}


def main():
    if sys.argv[1:2] == ["--peer"]:
        return peer(sys.argv[2], sys.argv[3:] == ["f64"])
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    build("probes")
    threads = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    for number in range(1, rounds + 1):
        ours = record(bench("probes"), **{RECORD: "1"})
        for name, (loss, seconds, cpu, evaluations, memory) in ours.items():
            print(f"round {number}: {name}: {seconds:.1f} s, CPU {cpu:.1f} s, {evaluations:.0f} evaluations, {memory:.0f} MB", flush=True)
            for kind in ("f32", "f64"):
                command = [sys.executable, __file__, "--peer", name, kind]
                other, longer, more, iterations, size = record(command, **threads)[name]
                if not loss <= other + 1e-6:
                    sys.exit(f"{name}: loss {loss} here, {other} there ({kind})")
                print(f"    scikit-learn on {kind}: {longer:.1f} s, ratio {longer / seconds:.1f}; CPU {more:.1f} s, ratio {more / cpu:.1f}; "
                      f"{iterations:.0f} iterations, {size:.0f} MB; its loss is {other - loss:+.1e} from ours", flush=True)


if __name__ == "__main__":
    main()
