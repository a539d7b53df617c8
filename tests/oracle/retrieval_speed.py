"""Runs metrics/benches/retrieval.rs and PyTorch in turn on this machine and prints seconds and ratios.

    retrieval_speed.py [ROUNDS]         3 rounds unless told
    retrieval_speed.py --peers          the peer alone, in this process

Both sides have two threads and the same 25,000 x 512 texts and 5,000 x 512 images; the fastest run of a round counts. `product` is one
f32 matrix product, the floor; `recall` is recall at 5 both ways: here ranks of all queries, there CLIP_benchmark's normalisation, product
and topk without its one-hot tensor. Fails when the recalls are further apart than the stated tolerance.
"""

import statistics
import sys
import time

from in_turn import RECORD, bench, build, printed

TEXTS, IMAGES, COLUMNS = 25_000, 5_000, 512
# A rank may differ where two cosines are within f32's rounding of each other.
TOLERANCE = {"product": None, "recall": 1e-3}


def peers():
    import numpy as np
    import torch

    from feature_metrics import uniforms

    torch.set_num_threads(2)
    images = uniforms(IMAGES * COLUMNS, 1).reshape(IMAGES, COLUMNS).astype(np.float32) - np.float32(0.5)
    texts = uniforms(TEXTS * COLUMNS, 2).reshape(TEXTS, COLUMNS).astype(np.float32) - np.float32(0.5)
    image_of = torch.arange(TEXTS) // (TEXTS // IMAGES)
    x = torch.from_numpy(texts + np.float32(0.125) * images[image_of.numpy()])
    y = torch.from_numpy(images)

    def recall():
        scores = torch.nn.functional.normalize(x, dim=1) @ torch.nn.functional.normalize(y, dim=1).T
        of_texts = (scores.topk(5, dim=1)[1] == image_of[:, None]).any(1)
        of_images = (image_of[scores.T.topk(5, dim=1)[1]] == torch.arange(IMAGES)[:, None]).any(1)
        return float(of_texts.double().mean() + of_images.double().mean())

    for name, run in {"product": lambda: float((x @ y.T)[0, 0]), "recall": recall}.items():
        passes, start, cpu = [], time.perf_counter(), time.process_time()
        while not passes or time.perf_counter() - start < 5:
            begun = time.perf_counter()
            value = run()
            passes.append(time.perf_counter() - begun)
        print(name, repr(value), min(passes), (time.process_time() - cpu) / len(passes), flush=True)


def record(command, **variables):
    """Value, seconds of the fastest run and CPU seconds of a run of each line that a side prints."""
    lines = map(str.split, printed(command, **variables))
    return {name: [float(number) for number in numbers] for name, *numbers in lines if name in TOLERANCE}


def main():
    if sys.argv[1:] == ["--peers"]:
        return peers()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    build("retrieval")
    ratios = {name: [] for name in TOLERANCE}
    floors = []
    for number in range(1, rounds + 1):
        ours = record(bench("retrieval"), **{RECORD: "4"})
        threads = {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
        theirs = record([sys.executable, __file__, "--peers"], **threads)
        for name, tolerance in TOLERANCE.items():
            (value, seconds, cpu), (other, longer, more) = ours[name], theirs[name]
            if tolerance is not None and not abs(value - other) <= tolerance:
                sys.exit(f"{name}: {value} here, {other} there")
            ratios[name].append((longer / seconds, more / cpu))
            print(f"round {number}: {name}: {seconds:.3f} s, peer {longer:.3f} s, ratio {longer / seconds:.2f}; "
                  f"CPU {cpu:.3f} s, {more:.3f} s, ratio {more / cpu:.2f}", flush=True)
        floors.append((ours["recall"][1] / ours["product"][1], ours["recall"][2] / ours["product"][2]))
        print(f"round {number}: recall over product: {floors[-1][0]:.2f}, by CPU time {floors[-1][1]:.2f}", flush=True)
    for name, found in ratios.items():
        wall, cpu = zip(*found)
        print(f"{name}: median ratio {statistics.median(wall):.2f} ({min(wall):.2f} to {max(wall):.2f}), "
              f"by CPU time {statistics.median(cpu):.2f}")
    print(f"recall over product: median {statistics.median(floor[0] for floor in floors):.2f}")


if __name__ == "__main__":
    main()
