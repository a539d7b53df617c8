"""Runs kernels/benches/filters.rs and scipy.fft in turn on this machine and prints milliseconds per picture and ratios.

    filter_speed.py [ROUNDS [SECONDS]]          3 rounds of 1 second a filter and side unless told
    filter_speed.py --scipy SECONDS             scipy alone, in this process

Both sides have two threads and the same 16 x 3 x 256 x 256 f32 values. SciPy's side is `dctn`, a product with the mask and `idctn` (norm
"ortho", workers=2, in f32 as its input is), or `rfft2` and `irfft2`; high-pass is the input minus that plus the mean. Fails where one
value of the two sides differs by more than 1e-5 (f32 on both).
"""

import statistics
import sys
import time

from in_turn import RECORD, bench, build, printed

FILTERS = [
    "dct-radial-axis:low:0.05",
    "dct-radial-axis:low:0.2",
    "dct-radial-axis:low:1",
    "dct-radial-axis:high:0.2",
    "dct-zigzag:low:0.4",
    "fft-ideal:low:0.2",
    "fft-ideal:low:1",
    "fft-cosine:high:0.4",
]
PICTURES, SIDE = 16, 256


def record_scipy(seconds):
    import numpy as np
    import scipy.fft

    from filters import mask
    from hashed import picture

    pictures = [picture(SIDE, SIDE, seed, 20) for seed in range(PICTURES)]
    planes = np.stack(pictures).transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
    planes = np.ascontiguousarray(planes)
    how = dict(axes=(-2, -1), norm="ortho", workers=2)

    def low_pass(shape, weights):
        if shape.startswith("dct"):
            return scipy.fft.idctn(scipy.fft.dctn(planes, **how) * weights, overwrite_x=True, **how)
        return scipy.fft.irfft2(scipy.fft.rfft2(planes, **how) * weights, s=(SIDE, SIDE), **how)

    for name in FILTERS:
        shape, which, cutoff = name.split(":")
        weights = mask(shape, float(cutoff), SIDE, SIDE).astype(np.float32)
        if shape.startswith("fft"):
            weights = weights[:, : SIDE // 2 + 1]

        def call():
            low = low_pass(shape, weights)
            return low if which == "low" else planes - low + planes.mean((-2, -1), keepdims=True)

        found = call()
        calls, start, cpu = [], time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds or not calls:
            begun = time.perf_counter()
            call()
            calls.append(time.perf_counter() - begun)
        cpu = (time.process_time() - cpu) / len(calls)
        print(name, float(found.reshape(-1)[40_000]), min(calls), cpu, flush=True)


def record(command, **variables):
    """One value, the wall seconds of the fastest call and the CPU seconds of a mean one, by filter."""
    lines = (line.split() for line in printed(command, **variables) if line.startswith(tuple(FILTERS)))
    return {name: tuple(float(number) for number in numbers) for name, *numbers in lines}


def main():
    if sys.argv[1:2] == ["--scipy"]:
        record_scipy(float(sys.argv[2]))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = sys.argv[2] if len(sys.argv) > 2 else "1"
    build("filters")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(record(bench("filters"), **{RECORD: seconds}))
        theirs.append(record([sys.executable, __file__, "--scipy", seconds]))
    if ours[0].keys() != theirs[0].keys():
        sys.exit(f"different filters: {sorted(ours[0].keys() ^ theirs[0].keys())}")
    print(f"{'filter, per picture':26} {'ours, ms':>9} {'scipy, ms':>9} {'ratio':>6}   {'CPU':>8} {'CPU':>8} {'ratio':>6}")
    for name in ours[0]:
        gap = abs(ours[0][name][0] - theirs[0][name][0])
        if gap > 1e-5:
            sys.exit(f"{name}: one value differs by {gap}")
        cells = []
        for at in (1, 2):
            pairs = [(1e3 * a[name][at] / PICTURES, 1e3 * b[name][at] / PICTURES) for a, b in zip(ours, theirs)]
            mine, other = (statistics.median(column) for column in zip(*pairs))
            cells.append((mine, other, statistics.median(b / a for a, b in pairs)))
        (a, b, wall), (c, d, cpu) = cells
        print(f"{name:26} {a:9.3f} {b:9.3f} {wall:6.1f}   {c:8.3f} {d:8.3f} {cpu:6.1f}")


if __name__ == "__main__":
    main()
