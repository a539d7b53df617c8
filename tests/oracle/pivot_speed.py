"""Python's Polars on the files of the bench `pivot`: python pivot_speed.py FOLDER [ROUNDS]

    PRISMBENCH_PIVOT=FOLDER cargo bench -p prismbench-reports --bench pivot

Records: grouped by everything that makes them comparable, and pivoted to a column per metric. Per-image
values: read from Parquet and pivoted to a column per tokenizer and metric.
"""
import sys
import time
from pathlib import Path

import polars as pl

COMPARABLE = ["suite", "dataset", "split", "resolution", "n", "protocol_sha256", "reference_sha256"]
ROW = ["tokenizer", "variant", "run", "weights_sha256", "device", "dtype", "source"]


def leaderboards(records):
    return [group.pivot(on="metric", index=ROW, values=["value", "low", "high"])
            .sort("value_psnr@1", descending=True)
            for _, group in records.group_by(COMPARABLE, maintain_order=True)]


def per_image(path):
    frame = pl.read_parquet(path)
    metrics = [name for name in frame.columns if "@" in name]
    return frame.pivot(on="tokenizer", index=["index", "id", "label"], values=metrics)


def best(call, rounds):
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times), sorted(times)[len(times) // 2]


def main(folder, rounds="7"):
    folder = Path(folder)
    records = pl.read_ndjson(folder / "records.jsonl")
    boards = leaderboards(records)
    assert len(boards) == 10 and boards[0].shape == (1000, 37), boards[0].shape
    wide = per_image(folder / "samples.parquet")
    assert wide.shape == (50_000, 83), wide.shape
    print(f"polars {pl.__version__}, {pl.thread_pool_size()} threads, {rounds} rounds")
    for name, call in (("100,000 records", lambda: leaderboards(records)),
                       ("1,000,000 per-image rows from Parquet", lambda: per_image(folder / "samples.parquet"))):
        least, median = best(call, int(rounds))
        print(f"{name}: least {least * 1e3:.0f} ms, median {median * 1e3:.0f} ms")


main(*sys.argv[1:])
