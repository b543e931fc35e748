"""Whole nets against PyTorch: the weights after ten steps of every optimizer, from the language and from PyTorch's own ONNX.

A training executable computes in f32, pytorch_reference.py in f64. Two things have to hold for the weights of every tensor:
 - each is within 1e-4 of its own size plus the root mean square of the tensor (which is the scale of weights near 0),
 - all together they went the way that PyTorch's went, to a thousandth of its length; so an error shows though the steps are small.
Measured: 2e-5 and 6e-5, at a learning rate where no pooling or ReLU decides differently in f32.
"""
import os
import subprocess
import unittest

import numpy as np

from pytorch_reference import BATCH, EPOCHS, HEADS, LENGTH, OPTIMIZERS, VOCABULARY, WIDTH
from support import OPT, ROOT, ToolTest, read_safetensors

PYTHON = "/usr/bin/python3"  # the one that Debian's python3-torch is for

MLP = """
model mlp(x: f32[N, 784]) -> probabilities: f32[N, 10] {
  for i in 0..2 {
    x = dense(x, units=64, activation=relu)
  }
  return softmax(dense(x, units=10))
}
"""

ENCODER = f"""
block encoder(x) {{
  x += multi_head_attention(layer_norm(x), heads={HEADS}, name="attention")
  return x + dense(dense(layer_norm(x), units=64, activation=gelu), units={WIDTH})
}}

model classifier(tokens: i32[N, {LENGTH}]) -> logits: f32[N, 5] {{
  x = embedding(tokens, vocab={VOCABULARY}, dim={WIDTH}, name="tokens")
  x += position_embedding(x, length={LENGTH}, name="positions")
  for i in 0..2 {{
    x = encoder(x)
  }}
  return dense(layer_norm(x)[:, 0], units=5)
}}
"""


class NetTest(ToolTest):
    """A net by every optimizer. A class each, so that they run at the same time."""

    def net(self, name, source, loss):
        """Trains a net, given in the language, by every optimizer, and the ONNX file of the same net."""
        done = subprocess.run([PYTHON, os.path.join(ROOT, "test", "integration", "pytorch_reference.py"), name, self.folder],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{done.stdout}{done.stderr}\nPyTorch is missing? run: tools/setup.sh test")
        for i, (spec, rate) in enumerate(OPTIMIZERS):
            for model, loss_of_it, weights in ((source, loss, ["--weights", "initial.safetensors"]),
                                               ("model.onnx", "sparse_categorical_crossentropy(from_logits=true)", [])):
                with self.subTest(f"{spec} on {os.path.basename(model)}"):
                    # --exact: the sums of Winograd's tiles round differently, and Adagrad's first step is the sign of a gradient.
                    self.call(OPT, model, "--emit=exe", "--exact", "-o", "train", f"--loss={loss_of_it}", f"--optimizer={spec}", f"--lr={rate}",
                              "--shuffle=false")
                    self.call(self.path("train"), "--data", "data.npz", "--batch", str(BATCH), "--epochs", str(EPOCHS), "--verbose", "0",
                              "--export", "trained.safetensors", *weights)
                    self.compare(read_safetensors(self.path("trained.safetensors")), np.load(self.path(f"{i}.npz")))

    def compare(self, trained, wanted):
        before = read_safetensors(self.path("initial.safetensors"))
        self.assertEqual(len(trained), len(before))
        for name, got in trained.items():
            name = name.replace("__", ".")  # PyTorch's names have no dots
            # The bias of the keys adds the same to all scores of a query: its gradient is rounding and nothing else.
            if name.endswith("key.bias"):
                continue
            want, error = wanted[name], np.abs(got - wanted[name])
            scale, way = np.sqrt((want ** 2).mean()), np.sqrt(((want - before[name]) ** 2).mean())
            decided = np.full(want.shape, True)
            if "margin " + name in wanted:  # Lion's steps are signs, and few of them are those of rounding
                decided = wanted["margin " + name] > 1e-5
                self.assertGreater(decided.mean(), 0.99, name)
            self.assertGreater(way, 1e-5 * scale, f"{name} does not move; a comparison says nothing")
            self.assertLess((error / (np.abs(want) + scale))[decided].max(), 1e-4, name)
            self.assertLess(np.sqrt((error[decided] ** 2).mean()), 1e-3 * way, name)

    def source(self, text):
        with open(self.path("net.mlc"), "w") as file:
            file.write(text)
        return self.path("net.mlc")


class Mlp(NetTest):
    def test_mlp(self):
        self.net("mlp", self.source(MLP), "sparse_categorical_crossentropy")


class MnistCnn(NetTest):
    def test_mnist_cnn(self):
        self.net("mnist_cnn", os.path.join(ROOT, "docs", "examples", "mnist_cnn.mlc"), "categorical_crossentropy")


class Encoder(NetTest):
    def test_encoder(self):
        self.net("encoder", self.source(ENCODER), "sparse_categorical_crossentropy(from_logits=true)")


if __name__ == "__main__":
    unittest.main()
