"""The data of `examples/*.nn` for the peers: the same rows in the same splits, the same fields.

Rows are split as nnc splits them (Philox 4x32-10 of the row's number, each value of a column in
proportion), so a score of a peer and one of nnc are of the same test rows. What is fitted (means,
deviations, medians, categories) is fitted on the training rows alone.
"""

import csv
import gzip
import pathlib
import wave

import numpy as np


def philox_hashes(rows, seed):
    """The first two words of the Philox block of each row's number, as one 64-bit number."""
    mask = np.uint64(0xFFFFFFFF)
    key = [seed & 0xFFFFFFFF, seed >> 32]
    block = [np.asarray(rows, dtype=np.uint64)] + [np.zeros(len(rows), np.uint64)] * 3
    for _ in range(10):
        low, high = block[0] * np.uint64(0xD2511F53), block[2] * np.uint64(0xCD9E8D57)
        block = [(high >> np.uint64(32)) ^ block[1] ^ np.uint64(key[0]), high & mask,
                 (low >> np.uint64(32)) ^ block[3] ^ np.uint64(key[1]), low & mask]
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return block[0] | block[1] << np.uint64(32)


def rounded(number):
    """To the nearest, halves upwards, as Rust's `round` does."""
    return int(np.floor(number + 0.5))


def split(labels, test, validation, seed=0):
    """Rows to train, to validate and to test on; of each label the same share."""
    labels = np.asarray(labels)
    hashes = philox_hashes(np.arange(len(labels)), seed)
    classes = []
    for label in dict.fromkeys(labels.tolist()):
        rows = np.flatnonzero(labels == label)
        classes.append(rows[np.argsort(hashes[rows], kind="stable")].tolist())
    parts = []
    for fraction in (test, validation):
        counts = [len(rows) for rows in classes]
        total = min(rounded(len(labels) * fraction), sum(counts))
        shares = [count * total // sum(counts) for count in counts]
        by_loss = sorted(range(len(counts)), key=lambda at: (-(counts[at] * total % sum(counts)), at))
        for at in by_loss[:total - sum(shares)]:
            shares[at] += 1
        parts.append(sorted(row for rows, share in zip(classes, shares) for row in rows[:share]))
        classes = [rows[share:] for rows, share in zip(classes, shares)]
    return np.array(sorted(sum(classes, []))), np.array(parts[1]), np.array(parts[0])


def table(path):
    """The columns of a table as texts."""
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    return {name: [row[at] for row in rows[1:]] for at, name in enumerate(rows[0])}


def numbers(column):
    return np.array([float(cell) if cell else np.nan for cell in column])


def standardized(values, train):
    mean, std = values[train].mean(0), values[train].std(0)
    return (values - mean) / np.where(std == 0, 1, std), mean, std


def categories(column, train, closed=False):
    """Each row's class, 0 for what no training row has, and the number of classes."""
    names = sorted({column[row] for row in train} - {""})
    first = 0 if closed else 1
    place = {name: at + first for at, name in enumerate(names)}
    return np.array([place.get(cell, 0) for cell in column]), len(names) + first


def one_hot(classes, count):
    return np.eye(count)[classes]


def penguins(folder, seed):
    """Measures, islands, sexes and species; rows of each split; sizes of the categories."""
    columns = table(folder / "tables/penguins.csv")
    species = columns["species"]
    rows = split(species, 0.2, 0.1, seed)
    names = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    measures = np.stack([numbers(columns[name]) for name in names], 1)
    measures = np.where(np.isnan(measures), np.nanmean(measures[rows[0]], 0), measures)
    measures, _, _ = standardized(measures, rows[0])
    island, islands = categories(columns["island"], rows[0])
    sex, sexes = categories(columns["sex"], rows[0])
    target, classes = categories(species, rows[0], closed=True)
    fields = [measures, one_hot(sex, sexes)], island, target
    return fields, rows, (islands, classes)


def titanic(folder, seed):
    """Features and whether a passenger survived; rows of each split."""
    columns = table(folder / "tables/titanic.csv")
    rows = split(columns["survived"], 0.2, 0.1, seed)
    age = numbers(columns["age"])
    age = np.where(np.isnan(age), np.nanmedian(age[rows[0]]), age)[:, None]
    parts = [standardized(age, rows[0])[0]]
    for name in ("sex", "passengerClass"):
        parts.append(one_hot(*categories(columns[name], rows[0])))
    target, _ = categories(columns["survived"], rows[0], closed=True)
    return np.concatenate(parts, 1), target, rows


def diamonds(folder, seed):
    """Features and the standardised logarithm of the price; its mean and deviation; rows."""
    columns = table(folder / "tables/diamonds.csv")
    price = np.log1p(numbers(columns["price"]))
    rows = split(np.zeros(len(price)), 0.1, 0.1, seed)
    names = ["carat", "depth", "table", "x", "y", "z"]
    size = np.stack([numbers(columns[name]) for name in names], 1)
    parts = [standardized(size, rows[0])[0]]
    for name in ("cut", "color", "clarity"):
        parts.append(one_hot(*categories(columns[name], rows[0])))
    price, mean, std = standardized(price, rows[0])
    return np.concatenate(parts, 1), price, (mean, std), rows


def sunspots(folder, window=132, horizon=12):
    """For each split the windows and what follows them, standardised; mean and deviation."""
    values = numbers(table(folder / "tables/sunspots.csv")["value"])
    test, validation = rounded(len(values) * 0.2), rounded(len(values) * 0.1)
    train = len(values) - test - validation
    mean, std = values[:train].mean(), values[:train].std()
    scaled = (values - mean) / std
    ends = np.cumsum([0, train, validation, test])
    splits = []
    for first, end in zip(ends, ends[1:]):
        starts = np.arange(first, end - window - horizon + 1)
        past = scaled[starts[:, None] + np.arange(window)]
        splits.append((past, scaled[starts[:, None] + window + np.arange(horizon)]))
    return splits, mean, std


def mnist(folder):
    """Training and test images in 0 to 1, and the training images' labels."""
    def read(name, header):
        return np.frombuffer(gzip.open(folder / "mnist" / name).read()[header:], np.uint8)
    images = [read(f"{part}-images-idx3-ubyte.gz", 16).reshape(-1, 1, 28, 28).astype(np.float32) / 255
              for part in ("train", "t10k")]
    return *images, read("train-labels-idx1-ubyte.gz", 8)


def cells(folder):
    """Pictures and masks of the training and of the test split."""
    from PIL import Image
    def read(part):
        names = sorted(path.name for path in (folder / "cells" / part / "images").iterdir())
        load = lambda kind: np.stack([np.asarray(Image.open(folder / "cells" / part / kind / name))
                                      for name in names])
        return load("images")[:, None].astype(np.float32) / 255, load("masks").astype(np.int64)
    return read("train"), read("test")


def mel_bands(count, size, rate):
    """Triangles whose corners are equally far apart on the mel scale of the HTK book."""
    mel = lambda hertz: 2595 * np.log10(1 + hertz / 700)
    corners = 700 * (10 ** (np.linspace(mel(0), mel(rate / 2), count + 2) / 2595) - 1)
    bins = np.linspace(0, rate / 2, size // 2 + 1)
    rise = (bins[:, None] - corners[:-2]) / (corners[1:-1] - corners[:-2])
    fall = (corners[2:] - bins[:, None]) / (corners[2:] - corners[1:-1])
    return np.maximum(0, np.minimum(rise, fall))


def spoken_digits(folder, rate=8000, bands=40, size=256, hop=128):
    """Log-mel spectra [recordings, bands, frames] and digits of the training and the test split."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    triangles = mel_bands(bands, size, rate)
    def read(path):
        with wave.open(str(path)) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        samples = np.pad(samples[:rate], (0, max(0, rate - len(samples))))
        frames = np.lib.stride_tricks.sliding_window_view(samples, size)[::hop]
        power = np.abs(np.fft.rfft(frames * window)) ** 2
        return np.log(np.maximum(power @ triangles, 1e-6)).T
    def part(name):
        paths = sorted((folder / "spoken-digits" / name).glob("*/*.wav"))
        spectra = np.stack([read(path) for path in paths]).astype(np.float32)
        return spectra, np.array([int(pathlib.Path(path).parent.name) for path in paths])
    return part("train"), part("test")
