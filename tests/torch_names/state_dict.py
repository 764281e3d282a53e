"""A state dict of torchvision's or timm's with random weights, images, and the logits for them; and the
comparison."""

import sys

import numpy
import torch
from safetensors.numpy import load_file
from safetensors.torch import save_file


def module_of(name):
    """A network of ten classes: torchvision's of this name, or timm's of a name after `timm.`."""
    if name.startswith("timm."):
        import timm
        return timm.create_model(name.removeprefix("timm."), num_classes=10)
    import torchvision
    options = {"init_weights": False} if name == "googlenet" else {}
    return getattr(torchvision.models, name)(num_classes=10, weights=None, **options)


def make(name, size):
    torch.manual_seed(1)
    module = module_of(name).eval()
    for key, value in module.state_dict().items():
        if not value.is_floating_point():
            continue
        last = key.rsplit(".", 1)[-1]
        if last == "running_var":
            value.uniform_(0.5, 1.5)
        elif last == "layer_scale":
            value.normal_(0.3, 0.1)
        elif value.ndim == 1:
            value.normal_(1.0 if last == "weight" else 0.0, 0.1)
        else:
            value.normal_(0.0, (1.6 / value[0].numel()) ** 0.5)
    state = {key: value.clone().contiguous() for key, value in module.state_dict().items()}
    save_file(state, "torch.safetensors")
    images = torch.rand(4, 3, size, size)
    with torch.no_grad():
        numpy.save("expected.npy", module(images).numpy())
    image = images.permute(0, 2, 3, 1).contiguous().numpy()
    numpy.savez("in.npz", image=image, label=numpy.arange(4, dtype=numpy.int32))


def compare():
    expected, output = numpy.load("expected.npy"), load_file("out.safetensors")["output"]
    bound = 1e-4 * max(1.0, float(abs(expected).max()))
    assert numpy.allclose(output, expected, rtol=1e-3, atol=bound), abs(output - expected).max()


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        compare()
