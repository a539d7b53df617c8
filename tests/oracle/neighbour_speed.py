"""Runs metrics/benches/neighbours.rs and prints what precision and recall cost beside the machine's f32 product, and their memory.

    neighbour_speed.py [SAMPLES REFERENCES COLUMNS]        50000 10000 2048 unless told: many minutes

`floor` is the time that all distances (samples to samples, references to references, samples to references, none left out for symmetry)
would take at the rate of the product alone; the aim is a ratio of at most 2. Memory is the peak of the process: the features of both
sides, once, and what is computed.
"""

import sys

from in_turn import RECORD, bench, build, printed


def main():
    samples, references, columns = map(int, sys.argv[1:4]) if len(sys.argv) > 3 else (50_000, 10_000, 2_048)
    build("neighbours")
    variables = {RECORD: "2", "PRISMBENCH_NEIGHBOURS": f"{samples},{references},{columns}"}
    found = {name: values for name, *values in map(str.split, printed(bench("neighbours"), **variables))}
    rate = float(found["operations"][0]) / float(found["product"][1])
    pairs = samples * samples + references * references + samples * references
    floor = 2 * columns * pairs / rate
    seconds, cpu = map(float, found["precision-recall"][1:3])
    features = 4 * columns * (samples + references) / 1e6
    print(f"product {rate / 1e9:.1f} GFLOP/s; floor {floor:.1f} s; precision and recall {seconds:.1f} s ({cpu:.1f} s of CPU), "
          f"ratio {seconds / floor:.2f}")
    print(f"peak memory {float(found['memory'][0]) / 1e3:.0f} MB, of which features {features:.0f} MB")


if __name__ == "__main__":
    main()
