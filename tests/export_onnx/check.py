"""Checks ONNX files and runs them: check.py FOLDER.

FOLDER/NAME/case.json says which inputs a model NAME is given and which outputs nnc made of them.
Prints a line for each model, `NAME ok` or `NAME: what is wrong`.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime


def tensor(folder, about, nchw):
    data = np.fromfile(folder / about["file"], dtype=about["type"]).reshape(about["shape"])
    return np.ascontiguousarray(data.transpose(0, 3, 1, 2)) if nchw and data.ndim == 4 else data


def check(folder):
    path = str(folder / "model.onnx")
    onnx.checker.check_model(path, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for case in json.loads((folder / "case.json").read_text()):
        nchw = case["nchw"]
        inputs = {name: tensor(folder, about, nchw) for name, about in case["inputs"].items()}
        known = {value.name for value in session.get_inputs()}
        if known != set(inputs):
            return f"inputs {sorted(known)} instead of {sorted(inputs)}"
        for value, given in zip(session.get_outputs(), session.run(None, inputs)):
            wanted = tensor(folder, case["outputs"][value.name], nchw)
            if given.shape != wanted.shape:
                return f"{value.name} is {given.shape} instead of {wanted.shape}"
            room = 1e-5 + 1e-4 * np.abs(wanted).max()
            far = np.abs(given - wanted).max()
            if not far <= room:
                return f"{value.name} differs by {far}, at most {room} is allowed"
    return None


for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    try:
        wrong = check(folder)
    except Exception as error:  # Whatever is wrong with one model, the others are checked.
        wrong = str(error).replace("\n", " ")
    print(f"{folder.name}: {wrong}" if wrong else f"{folder.name} ok", flush=True)
