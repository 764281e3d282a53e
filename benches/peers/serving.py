"""Requests a second of `nnc serve` and of FastAPI with onnxruntime, for the same weights of lenet.

    nnc run models/lenet.nn --out runs/lenet
    python benches/peers/serving.py NNC runs/lenet [--clients 8] [--seconds 10] [--rounds 3]

Both answer `POST /v2/models/lenet/infer` with the same JSON; their outputs are compared first. `wrk`
asks them in turn over kept connections, and counts answers, errors and latencies. The peer reads and
writes JSON with orjson and without models of pydantic, on uvloop and httptools; it is measured as one
process with one and with two threads of onnxruntime, and as two processes. Needs: fastapi, "uvicorn[standard]", orjson, onnx, onnxruntime, safetensors; wrk.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import numpy as np

PATH = "/v2/models/lenet/infer"


def onnx_model(weights_file, file):
    """Writes the network as an ONNX graph: bytes of an image in, logits out."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from safetensors.numpy import load_file

    weights = load_file(weights_file)
    kernels = sorted((name for name in weights if weights[name].ndim == 4), key=lambda it: weights[it].shape[2])
    matrices = sorted((name for name in weights if weights[name].ndim == 2), key=lambda it: -weights[it].shape[0])
    nodes, tensors = [], []

    def tensor(name, value):
        tensors.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, **attributes):
        out = f"v{len(nodes)}"
        nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    x = node("Cast", ["image"], to=TensorProto.FLOAT)
    x = node("Mul", [x, tensor("scale", np.float32(1 / 255))])
    x = node("Transpose", [x], perm=[0, 3, 1, 2])
    for name in kernels:
        kernel = tensor(name, weights[name].transpose(3, 2, 0, 1))
        bias = tensor(name + ".b", weights[name.replace("weight", "bias")])
        x = node("Relu", [node("Conv", [x, kernel, bias])])
        x = node("MaxPool", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = node("Flatten", [node("Transpose", [x], perm=[0, 2, 3, 1])])
    for place, name in enumerate(matrices):
        x = node("Gemm", [x, tensor(name, weights[name]), tensor(name + ".b", weights[name.replace("weight", "bias")])])
        x = node("Relu", [x]) if place + 1 < len(matrices) else x
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 28, 28, 1])
    output = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "lenet", [image], [output], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def peer(file, port, workers, threads):
    """A process with the server below."""
    environment = {**os.environ, "MODEL": file, "THREADS": str(threads)}
    command = [sys.executable, "-m", "uvicorn", "serving:app", "--port", str(port), "--workers", str(workers),
               "--log-level", "warning", "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    return subprocess.Popen(command, env=environment, cwd=os.path.dirname(os.path.abspath(__file__)),
                            start_new_session=True)


if "MODEL" in os.environ:
    import onnxruntime
    import orjson
    from fastapi import FastAPI, Request, Response

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["THREADS"])
    session = onnxruntime.InferenceSession(os.environ["MODEL"], options, providers=["CPUExecutionProvider"])
    app = FastAPI()

    @app.post(PATH)
    async def infer(request: Request):
        asked = orjson.loads(await request.body())
        given = asked["inputs"][0]
        image = np.array(given["data"], np.uint8).reshape(given["shape"])
        out = session.run(None, {"image": image})[0]
        answer = {"model_name": "lenet", "outputs": [
            {"name": "output", "datatype": "FP32", "shape": out.shape, "data": out.ravel()}]}
        return Response(orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")


def answer(port, body):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", body)
    with urllib.request.urlopen(request, timeout=5) as said:
        return np.array(json.loads(said.read())["outputs"][0]["data"])


def ready(port, body):
    for _ in range(200):
        try:
            return answer(port, body)
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"nobody answers on port {port}")


def load(port, script, clients, seconds):
    """What wrk measures."""
    command = ["wrk", "-t", "2" if clients > 1 else "1", "-c", str(clients), "-d", f"{seconds}s", "--latency",
               "-s", script, f"http://127.0.0.1:{port}{PATH}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    number = lambda pattern: re.search(pattern, said)
    errors = number(r"Non-2xx or 3xx responses: (\d+)")
    sockets = number(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
    return {
        "requests": int(number(r"(\d+) requests in")[1]),
        "rate": float(number(r"Requests/sec:\s+([\d.]+)")[1]),
        "p50": number(r"(?m)^\s+50%\s+(\S+)")[1],
        "p99": number(r"(?m)^\s+99%\s+(\S+)")[1],
        "errors": (int(errors[1]) if errors else 0) + (sum(map(int, sockets.groups())) if sockets else 0),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("nnc")
    parser.add_argument("run")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=1, help="samples of a request")
    parser.add_argument("--port", type=int, default=18080)
    parser.add_argument("--only", choices=["nnc", "peer"])
    args = parser.parse_args()
    random = np.random.default_rng(0)
    data = random.integers(0, 256, args.samples * 784).tolist()
    body = json.dumps({"inputs": [{"name": "image", "shape": [args.samples, 28, 28, 1], "datatype": "UINT8",
                                   "data": data}]}).encode()
    with tempfile.TemporaryDirectory() as folder:
        script, model = os.path.join(folder, "post.lua"), os.path.join(folder, "lenet.onnx")
        with open(script, "w") as out:
            out.write(f'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\nwrk.body = [==[{body.decode()}]==]\n')
        servers = {}
        if args.only != "peer":
            servers["nnc serve"] = lambda port: subprocess.Popen([args.nnc, "serve", args.run, "--port", str(port)],
                                                                 stdout=subprocess.DEVNULL)
        if args.only != "nnc":
            onnx_model(os.path.join(args.run, "best.safetensors"), model)
            servers["FastAPI, 1 process"] = lambda port: peer(model, port, 1, 1)
            servers["FastAPI, 1 process, 2 threads"] = lambda port: peer(model, port, 1, 2)
            servers["FastAPI, 2 processes"] = lambda port: peer(model, port, 2, 1)
        outputs = []
        for _ in range(args.rounds):
            for name, start in servers.items():
                args.port += 1
                process = start(args.port)
                try:
                    outputs.append(ready(args.port, body))
                    close = np.abs(outputs[-1] - outputs[0]).max() <= 1e-5 + 1e-4 * np.abs(outputs[0]).max()
                    assert close, f"{name} says something else"
                    load(args.port, script, args.clients, 1)
                    said = load(args.port, script, args.clients, args.seconds)
                finally:
                    process.send_signal(signal.SIGINT)
                    process.wait()
                print(f"{name:32} {said['rate']:10.0f} requests/s   p50 {said['p50']:>8}   p99 {said['p99']:>8}   "
                      f"{said['errors']} errors in {said['requests']}", flush=True)


if __name__ == "__main__":
    main()
