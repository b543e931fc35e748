"""Whole nets trained by PyTorch in f64: what a training executable, which computes in f32, has to come to.

usage: pytorch_reference.py NET FOLDER     in the Python that has PyTorch (Debian's python3-torch, /usr/bin/python3)
Writes into FOLDER the data (data.npz), the weights before the first step (initial.safetensors), the net as torch.onnx exports it
(model.onnx), and the weights after ten steps of each optimizer (0.npz …, in the order of OPTIMIZERS).

Weights have mlc's names and layouts, so nets are functions of a dictionary of weights. What PyTorch does not have (lion, lamb) is NumPy on
gradients of PyTorch. mlc has Keras's formulas; where they have epsilon in another place than PyTorch's, `keras_epsilon` moves it there.
"""
import json
import struct
import sys

import numpy as np

# 2 epochs of 5 steps; the last batch of an epoch is smaller.
BATCH, SAMPLES, EPOCHS = 32, 154, 2

# The optimizer as mlc's command line takes it, and its learning rate.
OPTIMIZERS = [("sgd", 0.05), ("sgd(momentum=0.9)", 0.05), ("sgd(momentum=0.9, nesterov=true)", 0.05), ("rmsprop", 0.0002), ("adagrad", 0.01),
              ("adadelta", 1.0), ("adam", 0.0003), ("adamw(weight_decay=0.5)", 0.0003), ("lion", 0.0001), ("lamb", 0.001)]

VOCABULARY, LENGTH, WIDTH, HEADS = 20, 12, 32, 2


def dense(w, name, x):
    return x @ w[name + ".kernel"] + w[name + ".bias"]


def mlp(w, x):
    from torch.nn import functional as F
    return dense(w, "dense_2", F.relu(dense(w, "dense_1", F.relu(dense(w, "dense", x)))))


def mnist_cnn(w, image):
    from torch.nn import functional as F

    def conv(name, x):
        return F.relu(F.conv2d(x, w[name + ".kernel"], w[name + ".bias"]))

    x = F.max_pool2d(conv("conv2d", image.permute(0, 3, 1, 2)), 2)
    x = conv("conv2d_2", F.max_pool2d(conv("conv2d_1", x), 2))
    return dense(w, "dense_1", F.relu(dense(w, "dense", x.permute(0, 2, 3, 1).flatten(1))))


def encoder(w, tokens):
    from torch.nn import functional as F

    def norm(name, x):
        return F.layer_norm(x, (WIDTH,), w[name + ".gamma"], w[name + ".beta"], 1e-3)

    def attention(name, x):
        def heads(part):
            return dense(w, name + "." + part, x).view(-1, LENGTH, HEADS, WIDTH // HEADS).transpose(1, 2)

        scores = heads("query") @ heads("key").transpose(-1, -2) / (WIDTH // HEADS) ** 0.5
        y = scores.softmax(-1) @ heads("value")
        return dense(w, name + ".output", y.transpose(1, 2).reshape(-1, LENGTH, WIDTH))

    x = w["tokens.weight"][tokens] + w["positions.weight"]
    for layer in ("encoder", "encoder_1"):
        x = x + attention(layer + ".attention", norm(layer + ".layer_norm", x))
        x = x + dense(w, layer + ".dense_1", F.gelu(dense(w, layer + ".dense", norm(layer + ".layer_norm_1", x))))
    return dense(w, "dense", norm("layer_norm", x)[:, 0])


def dense_shapes(name, inside, outside):
    return {name + ".kernel": (inside, outside), name + ".bias": (outside,)}


def mlp_shapes():
    return {**dense_shapes("dense", 784, 64), **dense_shapes("dense_1", 64, 64), **dense_shapes("dense_2", 64, 10)}


def mnist_cnn_shapes():
    shapes = {}
    for name, inside, outside in (("conv2d", 1, 32), ("conv2d_1", 32, 64), ("conv2d_2", 64, 64)):
        shapes.update({name + ".kernel": (outside, inside, 3, 3), name + ".bias": (outside,)})
    return {**shapes, **dense_shapes("dense", 576, 64), **dense_shapes("dense_1", 64, 10)}


def encoder_shapes():
    shapes = {"tokens.weight": (VOCABULARY, WIDTH), "positions.weight": (LENGTH, WIDTH)}
    for layer in ("encoder", "encoder_1"):
        for part in ("query", "key", "value", "output"):
            shapes.update(dense_shapes(f"{layer}.attention.{part}", WIDTH, WIDTH))
        shapes.update({**dense_shapes(layer + ".dense", WIDTH, 64), **dense_shapes(layer + ".dense_1", 64, WIDTH)})
    for norm in ("encoder.layer_norm", "encoder.layer_norm_1", "encoder_1.layer_norm", "encoder_1.layer_norm_1", "layer_norm"):
        shapes.update({norm + ".gamma": (WIDTH,), norm + ".beta": (WIDTH,)})
    return {**shapes, **dense_shapes("dense", WIDTH, 5)}


# The function, its weights, the input's name and a sample's shape, the number of classes.
NETS = {"mlp": (mlp, mlp_shapes, "x", (784,), 10), "mnist_cnn": (mnist_cnn, mnist_cnn_shapes, "image", (28, 28, 1), 10),
        "encoder": (encoder, encoder_shapes, "tokens", (LENGTH,), 5)}


def initial(shapes, rng):
    """In f32, none of them zero: Glorot's deviations for matrices and filters, a tenth for vectors."""
    weights = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            weights[name] = rng.normal(float(name.endswith("gamma")), 0.1, shape)
        else:
            window = np.prod(shape[2:], initial=1.0)
            weights[name] = rng.normal(0, (2 / (window * (shape[0] + shape[1]))) ** 0.5, shape)
    return {name: array.astype(np.float32) for name, array in weights.items()}


def write_safetensors(path, arrays):
    header, at = {}, 0
    for name, array in arrays.items():
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(array.tobytes() for array in arrays.values()))


class Lion:
    """In NumPy. `margin` is how far from 0, in its deviations, each element's direction was at least: close to it, rounding chooses the sign."""

    def __init__(self, weights, rate):
        self.weights, self.rate, self.mean = weights, rate, {name: 0.0 for name in weights}
        self.margin = {name: np.full(w.shape, np.inf) for name, w in weights.items()}

    def step(self):
        for name, w in self.weights.items():
            g = w.grad.numpy()
            direction = 0.9 * self.mean[name] + 0.1 * g
            self.mean[name] = 0.99 * self.mean[name] + 0.01 * g
            distance = np.where(direction == 0, np.inf, np.abs(direction) / (direction.std() + 1e-300))
            self.margin[name] = np.minimum(self.margin[name], distance)
            w.data.numpy()[...] -= self.rate * np.sign(direction)


class Lamb:
    """In NumPy."""

    def __init__(self, weights, rate):
        self.weights, self.rate, self.t = weights, rate, 0
        self.slots = {name: [0.0, 0.0] for name in weights}

    def step(self):
        self.t += 1
        for name, w in self.weights.items():
            g, slots, value = w.grad.numpy(), self.slots[name], w.data.numpy()
            slots[0] = 0.9 * slots[0] + 0.1 * g
            slots[1] = 0.999 * slots[1] + 0.001 * g * g
            direction = slots[0] / (1 - 0.9 ** self.t) / (np.sqrt(slots[1] / (1 - 0.999 ** self.t)) + 1e-7)
            value[...] -= self.rate * np.linalg.norm(value) / np.linalg.norm(direction) * direction


def optimizer_for(spec, weights, rate):
    from torch import optim
    epsilon, all_of_them = 1e-7, list(weights.values())
    kind = spec.split("(")[0]
    if kind == "sgd":
        return optim.SGD(all_of_them, rate, momentum=0.9 if "momentum" in spec else 0, nesterov="nesterov" in spec)
    if kind == "rmsprop":
        return optim.RMSprop(all_of_them, rate, alpha=0.9, eps=0)
    if kind == "adagrad":
        return optim.Adagrad(all_of_them, rate, initial_accumulator_value=0.1 + epsilon, eps=0)
    if kind == "adadelta":
        return optim.Adadelta(all_of_them, rate, rho=0.95, eps=epsilon)
    if kind == "adam":
        return optim.Adam(all_of_them, rate, eps=epsilon)
    if kind == "adamw":
        return optim.AdamW(all_of_them, rate, eps=epsilon, weight_decay=0.5)
    return {"lion": Lion, "lamb": Lamb}[kind](weights, rate)


def keras_epsilon(kind, optimizer, t):
    """Before step t (from 1): PyTorch computes with Keras's epsilon of 1e-7."""
    import torch
    if kind in ("adam", "adamw"):
        # sqrt(v / c) + e' is (sqrt(v) + e) / sqrt(c) with e' = e / sqrt(c)
        optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999 ** t) ** 0.5
    if kind == "rmsprop":
        # sqrt(v + e) instead of sqrt(v) + e: the state is v + e, and stays so under v := 0.9 v + 0.1 g^2 when e / 9 is added to it.
        for weight in optimizer.param_groups[0]["params"]:
            state = optimizer.state.setdefault(weight, {"step": 0, "square_avg": torch.full_like(weight.data, 1e-7)})
            state["square_avg"] += 1e-7 / 9


def train(net, spec, rate, weights, x, labels):
    """The weights after all steps; and Lion's margins."""
    import torch
    weights = {name: torch.from_numpy(array.astype(np.float64)).requires_grad_() for name, array in weights.items()}
    optimizer, t = optimizer_for(spec, weights, rate), 0
    for _ in range(EPOCHS):
        for start in range(0, SAMPLES, BATCH):
            t += 1
            for weight in weights.values():
                weight.grad = None
            inputs = torch.from_numpy(x[start:start + BATCH])
            outputs = net(weights, inputs.double() if x.dtype.kind == "f" else inputs.long())
            torch.nn.functional.cross_entropy(outputs, torch.from_numpy(labels[start:start + BATCH])).backward()
            keras_epsilon(spec.split("(")[0], optimizer, t)
            optimizer.step()
    return {name: weight.detach().numpy() for name, weight in weights.items()}, getattr(optimizer, "margin", {})


def export_onnx(path, net, weights, name, x):
    import torch

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for key, array in weights.items():
                self.register_parameter(key.replace(".", "__"), torch.nn.Parameter(torch.from_numpy(array)))

        def forward(self, inputs):
            return net({key: getattr(self, key.replace(".", "__")) for key in weights}, inputs)

    sample = torch.from_numpy(x[:2])
    torch.onnx.export(Module(), sample if x.dtype.kind == "f" else sample.long(), path, input_names=[name], output_names=["logits"],
                      dynamic_axes={name: {0: "N"}, "logits": {0: "N"}}, do_constant_folding=False, opset_version=13)


def main():
    name, folder = sys.argv[1:]
    net, shapes, input_name, sample, classes = NETS[name]
    rng = np.random.default_rng(3)
    weights = initial(shapes(), rng)
    if name == "encoder":
        x = rng.integers(0, VOCABULARY, (SAMPLES, *sample)).astype(np.int32)
    else:
        x = rng.random((SAMPLES, *sample), dtype=np.float32)
    labels = rng.integers(0, classes, SAMPLES)
    np.savez(folder + "/data.npz", **{input_name: x, "label": labels})
    write_safetensors(folder + "/initial.safetensors", weights)
    export_onnx(folder + "/model.onnx", net, weights, input_name, x)
    for i, (spec, rate) in enumerate(OPTIMIZERS):
        results, margins = train(net, spec, rate, weights, x, labels)
        np.savez(f"{folder}/{i}.npz", **results, **{"margin " + key: margin for key, margin in margins.items()})


if __name__ == "__main__":
    main()
