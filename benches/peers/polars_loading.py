#!/usr/bin/env python3
"""Loads `diamonds.csv` with polars and numpy into what `examples/diamonds.nn` trains on.

    python polars_loading.py DATA [--runs 15]

Six numbers standardised, the logarithm of the price standardised, three categories as numbers, one
split: what `cargo bench --bench loading` measures of nnc. Prints one line of JSON: least and median
milliseconds, and of processor time on all threads.
"""

import argparse
import json
import pathlib
import time

import numpy as np
import polars

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=pathlib.Path)
parser.add_argument("--runs", type=int, default=15)
args = parser.parse_args()


def load():
    table = polars.read_csv(args.data / "tables/diamonds.csv")
    order = np.random.default_rng(0).permutation(len(table))
    train = np.sort(order[len(table) // 5:])
    scaled = lambda values: (values - values[train].mean(0)) / values[train].std(0)
    size = np.stack([table[name].to_numpy() for name in ("carat", "depth", "table", "x", "y", "z")], 1)
    kinds = [table[name].cast(polars.Categorical).to_physical().to_numpy().astype(np.int32)
             for name in ("cut", "color", "clarity")]
    price = scaled(np.log1p(table["price"].to_numpy())).astype(np.float32)
    return scaled(size).astype(np.float32), kinds, price


walls, processor = [], []
for _ in range(args.runs):
    wall, own = time.perf_counter(), time.process_time()
    load()
    walls.append(1e3 * (time.perf_counter() - wall))
    processor.append(1e3 * (time.process_time() - own))
shown = lambda times: {"min": round(min(times), 1), "median": round(float(np.median(times)), 1)}
print(json.dumps({"wall_ms": shown(walls), "processor_ms": shown(processor)}))
