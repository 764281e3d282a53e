"""Runs programs of `examples` and `models` and writes the gallery, a page of the book.

    python3 benches/gallery.py --nnc target/release/nnc --data DIR penguins titanic …

Each program is trained as it stands, on one thread, with its data under DIR. From the run come its
figures on the test split, the processor time of the whole program, the most memory that it held, and
its curves as a picture. They are kept in `docs/book/src/gallery/results.json`, so that programs can be
run one by one; without names, the page is only written anew from what is there.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BOOK = ROOT / "docs/book/src"
RESULTS = BOOK / "gallery/results.json"

HEAD = """# Gallery

Every program of `examples` and `models`. `nnc init NAME --from ENTRY` makes a folder with one of them, \
`nnc init --list` names them all. Those whose data do not come with nnc look for them beside the program \
and under the folder that `NNC_DATA` names.

This page is written by `benches/gallery.py` from runs on one thread ({processor}). Time is that of \
the processor, for the whole program: reading data, compiling, training, testing, writing the report. \
Memory is the most that the process held.

"""


def programs():
    """The programs by name, those of `examples` first."""
    paths = sorted((ROOT / "examples").glob("*.nn")) + sorted((ROOT / "models").glob("*.nn"))
    return {path.stem: path for path in paths if path.stem != "resnet"}


def about(path):
    """The comment at the top of a program."""
    lines = []
    for line in path.read_text().splitlines():
        if not line.startswith("//"):
            break
        lines.append(line[2:].strip())
    return " ".join(lines)


def processor():
    """What the processor calls itself."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return re.sub(r"\s+", " ", line.split(":", 1)[1]).strip()
    return "processor"


def measure(nnc, path, data):
    """Trains a program; gives what the page shows of it."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "run"
        environment = dict(os.environ, NNC_DATA=str(data))
        command = [nnc, "run", str(path), "--threads", "1", "--out", str(out), "--json"]
        child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, cwd=folder)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            raise SystemExit(f"{path.name}: exit code {child.returncode}")
        result = json.loads((out / "run.json").read_text())["result"]
        shutil.copy(out / "curves.svg", BOOK / "gallery" / f"{path.stem}.svg")
        judged = result.get("test") or result["validation"]
        return {
            "split": "test" if result.get("test") else "validation",
            "loss": judged["loss"],
            "metrics": judged["metrics"],
            "epochs": result["epochs"],
            "parameters": result["parameters"],
            "seconds": usage.ru_utime + usage.ru_stime,
            "bytes": usage.ru_maxrss * 1024,
            "processor": processor(),
        }


def duration(seconds):
    return f"{seconds:.1f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def section(path, result):
    folder = path.parent.name
    text = f"## {path.stem}\n\n{about(path)}\n\n"
    text += f"```console\n$ nnc init {path.stem} --from {path.stem}\n```\n\n"
    if result is None:
        return text + f"`{folder}/{path.stem}.nn`; not trained to its end for this page.\n\n"
    figures = [("loss", result["loss"])] + [tuple(metric) for metric in result["metrics"]]
    figures = ", ".join(f"{name} {value:.4g}" for name, value in figures)
    text += f"| {result['split']} split | epochs | parameters | time | memory |\n|---|---|---|---|---|\n"
    text += f"| {figures} | {result['epochs']} | {result['parameters']:,} "
    text += f"| {duration(result['seconds'])} | {result['bytes'] / 1e6:.0f} MB |\n\n"
    return text + f"![Curves of {path.stem}](gallery/{path.stem}.svg)\n\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nnc", default=str(ROOT / "target/release/nnc"))
    parser.add_argument("--data", default=os.environ.get("NNC_DATA", "."), type=pathlib.Path)
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    RESULTS.parent.mkdir(exist_ok=True)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known = programs()
    for name in given.names:
        results[name] = measure(os.path.abspath(given.nnc), known[name], given.data.resolve())
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        print(name, results[name]["seconds"])
    ran_on = {result["processor"] for result in results.values()}
    page = HEAD.format(processor=", ".join(sorted(ran_on)))
    page += "".join(section(path, results.get(name)) for name, path in known.items())
    (BOOK / "gallery.md").write_text(page.rstrip() + "\n")


main()
