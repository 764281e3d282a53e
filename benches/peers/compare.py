#!/usr/bin/env python3
"""Compares nnc with PyTorch and Keras on the same models, in turn, on this machine.

    python3 benches/peers/compare.py [MODEL…] [--env DIR] [--seconds S] [--write]

Makes a Python environment with `torch`, `tensorflow-cpu` and `keras` (gigabytes; `--env` names one
that exists), builds nnc, and runs for each model: nnc, PyTorch (eager, channels last,
`torch.compile`), Keras on TensorFlow, and nnc again, so that a machine that changes its speed
shows. Prints a table in Markdown; `--write` puts it into `docs/performance.md` between the marks
`<!-- peers -->` and `<!-- /peers -->`. Only the standard library is used here.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PACKAGES = ["torch", "numpy", "pillow", "tensorflow-cpu", "keras"]
# What is measured: a name, the model's file, the peers' name of it, further arguments.
CASES = {
    "mnist": ("models/mnist.nn", "mnist", []),
    "mlp512": ("models/mlp512.nn", "mlp512", []),
    "lenet": ("models/lenet.nn", "lenet", []),
    "lenet, one image": ("models/lenet.nn", "lenet", ["--infer", "--batch", "1"]),
    "image_cnn": ("models/image_cnn.nn", "image_cnn", []),
    "resnet20": ("models/resnet20.nn", "resnet20", []),
    "resnet18_32": ("models/resnet18_32.nn", "resnet18_32", []),
    "gpt_char": ("models/gpt_char.nn", "gpt_char", []),
    "gpt_6x384": ("benches/peers/gpt_6x384.nn", "gpt_6x384", []),
    "lstm_char": ("models/lstm_char.nn", "lstm_char", []),
    "gru_char": ("benches/peers/gru_char.nn", "gru_char", []),
    "wavenet": ("models/wavenet.nn", "wavenet", []),
    "unet": ("models/unet.nn", "unet", []),
    "vit_small": ("models/vit_small.nn", "vit_small", []),
}
MARKS = ("<!-- peers -->", "<!-- /peers -->")


def environment(folder):
    """The Python of an environment with the peers, made if it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making {folder} with {', '.join(PACKAGES)}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def last_json(command):
    """What a command prints as its last line, or why there is nothing."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"  {' '.join(map(str, command[:4]))}: {reason}", file=sys.stderr)
        return None
    return json.loads(lines[-1])


def median(result):
    return None if result is None else result["median_ms"]


def measure(case, python, seconds):
    """Milliseconds a step of every contestant, the two of nnc first."""
    file, peer, more = CASES[case]
    nnc = [ROOT / "target/release/nnc", "bench", ROOT / file, "--json", "--seconds", seconds, *more]
    torch = [python, HERE / "torch_bench.py", peer]
    keras = [python, HERE / "keras_bench.py", peer]
    timing = ["--seconds", seconds, *more]
    row = {"nnc": median(last_json([*nnc]))}
    for layout in ("eager", "channels_last", "compile"):
        row[layout] = median(last_json([*torch, layout, *timing]))
    row["keras"] = median(last_json([*keras, *timing]))
    row["again"] = median(last_json([*nnc]))
    return row


def shown(value):
    if value is None:
        return "–"
    return f"{value:.3f}" if value < 10 else f"{value:.0f}" if value >= 100 else f"{value:.1f}"


def table(rows):
    head = ["model", "nnc, ms", "again", "PyTorch eager", "channels last", "`torch.compile`",
            "Keras (TensorFlow)", "× best eager layout", "× best peer"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for case, row in rows.items():
        ours = [row[name] for name in ("nnc", "again") if row[name] is not None]
        own = sum(ours) / len(ours) if ours else None
        eager = [row[name] for name in ("eager", "channels_last") if row[name] is not None]
        peers = eager + [row[name] for name in ("compile", "keras") if row[name] is not None]
        ratio = lambda others: f"{min(others) / own:.2f}" if own and others else "–"
        cells = [case] + [shown(row[name]) for name in
                          ("nnc", "again", "eager", "channels_last", "compile", "keras")]
        lines.append("| " + " | ".join([*cells, ratio(eager), ratio(peers)]) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="MODEL", help=", ".join(CASES))
    parser.add_argument("--env", type=pathlib.Path, default=ROOT / "target/peers")
    parser.add_argument("--seconds", default="5")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if unknown := [case for case in args.cases if case not in CASES]:
        parser.error(f"unknown {', '.join(unknown)}; there are {', '.join(CASES)}")
    python = environment(args.env)
    subprocess.run(["cargo", "build", "--release", "--locked"], cwd=ROOT, check=True)
    rows = {}
    for case in args.cases or CASES:
        print(f"measuring {case}", file=sys.stderr)
        rows[case] = measure(case, python, args.seconds)
    print(table(rows))
    if args.write:
        page = ROOT / "docs/performance.md"
        before, rest = page.read_text().split(MARKS[0])
        after = rest.split(MARKS[1])[1]
        page.write_text(f"{before}{MARKS[0]}\n{table(rows)}\n{MARKS[1]}{after}")


if __name__ == "__main__":
    main()
