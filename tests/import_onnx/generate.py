"""Writes cases for tests/import_onnx.rs: a folder each with model.onnx, input_N.pb and output_N.pb.

    python tests/import_onnx/generate.py DIR node          ONNX's own tests of operators
    python tests/import_onnx/generate.py DIR wheel         the models that the onnx package holds
    python tests/import_onnx/generate.py DIR torch NAME…   networks of torchvision, with random weights
"""

import glob
import pathlib
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")


def write(folder, model, inputs, outputs):
    """A case: a model, as bytes, and tensors, as messages."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    for kind, tensors in [("input", inputs), ("output", outputs)]:
        for index, tensor in enumerate(tensors):
            (folder / f"{kind}_{index}.pb").write_bytes(tensor.SerializeToString())


def messages(values, infos):
    """Arrays, sequences and optional values as messages; None where a value is no tensor."""
    import numpy
    from onnx import numpy_helper

    made = []
    for value, info in zip(values, infos):
        if not info.type.HasField("tensor_type"):
            return None
        if hasattr(value, "SerializeToString"):
            made.append(value)
        else:
            made.append(numpy_helper.from_array(numpy.asarray(value), info.name))
    return made


def node(root):
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        graph = case.model.graph
        for inputs, outputs in case.data_sets[:1]:
            inputs = messages(inputs, graph.input)
            outputs = messages(outputs, graph.output)
            if inputs is None or outputs is None:
                folder = root / "node" / case.name
                folder.mkdir(parents=True, exist_ok=True)
                (folder / "model.onnx").write_bytes(case.model.SerializeToString())
            else:
                write(root / "node" / case.name, case.model.SerializeToString(), inputs, outputs)


def wheel(root):
    import numpy
    import onnx
    from onnx import numpy_helper

    data = pathlib.Path(onnx.__file__).parent / "backend" / "test" / "data"
    for kind in ["simple", "pytorch-converted", "pytorch-operator"]:
        for model in sorted(glob.glob(str(data / kind / "*" / "model.onnx"))):
            folder = root / kind / pathlib.Path(model).parent.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(model, folder)
            for tensor in glob.glob(str(pathlib.Path(model).parent / "test_data_set_0" / "*.pb")):
                shutil.copy(tensor, folder)
    for model in sorted((data / "light").glob("*.onnx")):
        graph = onnx.load(model)
        weights = {tensor.name for tensor in graph.graph.initializer}
        [given] = [value for value in graph.graph.input if value.name not in weights]
        dims = [dim.dim_value for dim in given.type.tensor_type.shape.dim]
        # As onnx.backend.test.runner makes it.
        image = numpy.arange(numpy.prod(dims), dtype=numpy.float32).reshape(dims)
        image = image / numpy.float32(image.size)
        output = onnx.TensorProto()
        output.ParseFromString((data / "light" / f"{model.stem}_output_0.pb").read_bytes())
        write(root / "light" / model.stem, model.read_bytes(), [numpy_helper.from_array(image)], [output])


def network(name):
    import torch
    import torchvision

    if name == "small":
        return torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 3, padding=1),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 12, 3, stride=2, padding=1, groups=4),
            torch.nn.GELU(),
            torch.nn.Dropout(),
            torch.nn.Flatten(),
            torch.nn.Linear(12 * 4 * 4, 10),
        ), 16
    if name == "lstm":
        class Recurrent(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.rnn = torch.nn.LSTM(3 * 16, 20, batch_first=True, bidirectional=True)
                self.gru = torch.nn.GRU(40, 12, batch_first=True)
                self.head = torch.nn.Linear(12, 5)

            def forward(self, x):
                x = x.permute(0, 2, 1, 3).flatten(2)
                return self.head(self.gru(self.rnn(x)[0])[0][:, -1])

        return Recurrent(), 16
    return getattr(torchvision.models, name)(weights=None), 224


def torch_networks(root, names):
    import torch
    from onnx import numpy_helper

    for name in names:
        torch.manual_seed(7)
        net, size = network(name)
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.1)
                torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            if name.startswith("vit") and isinstance(module, torch.nn.Linear) and module.out_features == 1000:
                torch.nn.init.normal_(module.weight, std=0.02)
        net.eval()
        image = torch.randn(2, 3, size, size)
        with torch.no_grad():
            logits = net(image)
        for way in ["script", "dynamo"]:
            path = root / "torch" / f"{name}-{way}" / "model.onnx"
            path.parent.mkdir(parents=True, exist_ok=True)
            if way == "script":
                axes = {"image": {0: "batch"}, "logits": {0: "batch"}}
                torch.onnx.export(net, (image,), path, input_names=["image"], output_names=["logits"],
                                  dynamic_axes=axes, dynamo=False)
            else:
                # A batch of one, written down in the file.
                torch.onnx.export(net, (image[:1],), path, input_names=["image"], output_names=["logits"],
                                  dynamo=True, external_data=False)
            tensors = [numpy_helper.from_array(it.detach().numpy()) for it in [image, logits]]
            write(path.parent, path.read_bytes(), tensors[:1], tensors[1:])
            print(path, path.stat().st_size, flush=True)


if __name__ == "__main__":
    root, kind, *names = sys.argv[1:]
    root = pathlib.Path(root)
    {"node": lambda: node(root), "wheel": lambda: wheel(root), "torch": lambda: torch_networks(root, names)}[kind]()
