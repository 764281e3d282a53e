"""Times one step of a model in Keras on TensorFlow; prints one line of JSON.

    python keras_bench.py lenet [--infer] [--batch N] [--seconds S]

A training step is `train_on_batch` inside the compiled graph of `fit` (no Python per step: the
times of an epoch are divided by its steps); inference calls the compiled model.
"""

import argparse
import json
import os
import resource
import statistics
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers


def mlp(*sizes):
    body = [layers.Flatten()]
    body += [layers.Dense(size, activation="relu") for size in sizes[1:-1]]
    return keras.Sequential([*body, layers.Dense(sizes[-1])])


def cnn(filters, dense, classes):
    body = []
    for count in filters:
        body += [layers.Conv2D(count, 3, activation="relu"), layers.MaxPooling2D(2)]
    body += [layers.Flatten()] + [layers.Dense(units, activation="relu") for units in dense]
    return keras.Sequential([*body, layers.Dense(classes)])


def residual(x, filters, stride):
    y = layers.Conv2D(filters, 3, strides=stride, padding="same", use_bias=False)(x)
    y = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization(epsilon=1e-5)(y)
    if stride != 1 or x.shape[-1] != filters:
        x = layers.Conv2D(filters, 1, strides=stride, use_bias=False)(x)
        x = layers.BatchNormalization(epsilon=1e-5)(x)
    return layers.ReLU()(layers.Add()([y, x]))


def residual_net(stem, widths, blocks):
    image = keras.Input((32, 32, 3))
    x = layers.Conv2D(stem, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))
    for stage, width in enumerate(widths):
        for block in range(blocks):
            x = residual(x, width, 2 if stage > 0 and block == 0 else 1)
    return keras.Model(image, layers.Dense(10)(layers.GlobalAveragePooling2D()(x)))


MODELS = {
    "mnist": (lambda: mlp(784, 128, 10), (28, 28, 1), 32),
    "mlp512": (lambda: mlp(784, 512, 512, 10), (28, 28, 1), 128),
    "lenet": (lambda: cnn([32, 64], [128], 10), (28, 28, 1), 64),
    "image_cnn": (lambda: cnn([32, 64, 128, 128], [512, 256, 128], 10), (150, 150, 3), 32),
    "resnet20": (lambda: residual_net(16, (16, 32, 64), 3), (32, 32, 3), 128),
    "resnet18_32": (lambda: residual_net(64, (64, 128, 256, 512), 2), (32, 32, 3), 32),
}

parser = argparse.ArgumentParser()
parser.add_argument("model", choices=MODELS)
parser.add_argument("--infer", action="store_true")
parser.add_argument("--batch", type=int)
parser.add_argument("--seconds", type=float, default=5.0)
args = parser.parse_args()

start = time.perf_counter()
make, shape, batch = MODELS[args.model]
batch = args.batch or batch
model = make()
x = np.random.rand(batch, *shape).astype("float32")
y = np.random.randint(0, 10, batch)
if args.infer:
    call = tf.function(lambda image: model(image, training=False))
    image = tf.constant(x)

    def step():
        call(image).numpy()
        return 1
else:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss)
    data = tf.data.Dataset.from_tensors((x, y)).cache().repeat()
    many = 1

    def step():
        model.fit(data, steps_per_epoch=many, verbose=0)
        return many

step()
first = time.perf_counter() - start
if not args.infer:
    before = time.perf_counter()
    step()
    many = max(1, int(1.0 / (time.perf_counter() - before)))
    step()
times, begin = [], time.perf_counter()
while time.perf_counter() - begin < args.seconds or len(times) < 3:
    before = time.perf_counter()
    steps = step()
    times.append((time.perf_counter() - before) / steps)
print(json.dumps({
    "median_ms": 1e3 * statistics.median(times),
    "min_ms": 1e3 * min(times),
    "first_step_ms": 1e3 * first,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "version": keras.__version__,
}))
