"""Training in less memory: values computed twice change no bit and keep to the budget; products in bf16 learn as well."""
import os
import re
import sys
import unittest

import numpy as np

from support import OPT, ROOT, ToolTest
from test_training import read_safetensors

MNIST = os.path.join(ROOT, "docs", "examples", "mnist_cnn.mlc")

GPT = """
block layer(x) {
  x += multi_head_attention(layer_norm(x), heads=2, causal=true, dropout=0.1, name="attention")
  y = dense(dense(layer_norm(x), units=256, activation=gelu), units=64)
  return x + dropout(y, rate=0.1)
}
model gpt(tokens: i32[N, T]) -> logits: f32[N, T, 32] {
  x = embedding(tokens, vocab=32, dim=64)
  for i in 0..2 {
    x = layer(x)
  }
  return dense(layer_norm(x), units=32)
}
train gpt {
  loss = sparse_categorical_crossentropy(from_logits=true)
  optimizer = adam
  batch = 192
}
"""


def images(count):
    """Squares whose place and size are their class; learned in a few dozen steps."""
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 10, count)
    data = rng.random((count, 28, 28, 1), np.float32) * 0.3
    for image, label in zip(data, labels):
        image[2 + 2 * label:6 + 2 * label, 4:8 + label] += 0.7
    return data, labels


# Runs its arguments; then prints the most memory that they had, in KiB.
MEASURE = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print("peak:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


class MemoryTest(ToolTest):
    def peak(self, *command):
        """Runs a command in the folder; gives its output and the most memory that it had, in bytes.

        A small process of its own starts the command: the kernel counts what the starting process holds, and this one
        holds whatever tests have imported before.
        """
        output, _ = self.call(sys.executable, "-I", "-S", "-c", MEASURE, *command)
        output, _, peak = output.rpartition("peak: ")
        return output, int(peak) * 1024

    def plan(self, model, *options, name="train"):
        """Compiles a model; gives what is said about `step` in MiB: all, budget, states, within a step, before; and all messages."""
        _, messages = self.call(OPT, model, "-o", self.path(name), "--emit=exe", *options)
        lines = re.findall(r"memory of step: ([\d.]+) MiB of ([\d.]+) MiB \(([\d.]+) MiB of states, ([\d.]+) MiB within a step; "
                           r"([\d.]+) MiB with all values kept\)", messages)
        return [float(number) for number in lines[0]] if lines else None, messages

    def test_fits_a_budget(self):
        with open(self.path("gpt.mlc"), "w") as file:
            file.write(GPT)
        tokens = np.random.default_rng(5).integers(0, 32, (384, 64)).astype(np.int32)
        np.savez(self.path("data.npz"), tokens=tokens, label=np.roll(tokens, -1, 1))
        build = [self.path("gpt.mlc"), "--dim", "T=64"]
        self.assertIsNone(self.plan(*build, name="whole")[0])
        plan, _ = self.plan(*build, "--train-memory=1G", name="roomy")
        self.assertEqual(plan[3], plan[4])
        fits, table = self.plan(*build, f"--train-memory={plan[2] + 0.78 * plan[4]}M", name="small")
        self.assertLessEqual(fits[0], fits[1] + 0.1)
        self.assertEqual(fits[4], plan[4])
        self.assertLess(fits[3], 0.79 * plan[3])
        self.assertRegex(table, r"gelu\S* +\?x64x256 f32 +12.0 MiB +elementwise +\d+")
        self.assertRegex(table, r"dropout\S* +\?x64x64 i8")
        run = ["--data", "data.npz", "--epochs", "2", "--verbose", "2", "--threads", "1", "--export", "w.safetensors"]
        results, peaks = [], []
        for name in ("whole", "roomy", "small"):
            output, peak = self.peak(self.path(name), *run)
            with open(self.path("w.safetensors"), "rb") as file:
                results.append((re.findall(r"loss: \S+", output), file.read()))
            peaks.append(peak)
        self.assertEqual(len(results[0][0]), 2)
        self.assertEqual(results[0], results[1])
        self.assertEqual(results[0], results[2])
        # What is resident falls by what the plan says; how much else there is does not matter.
        self.assertLess(peaks[2], peaks[1] - 0.8 * (plan[3] - fits[3]) * 2**20)
        self.assertLess(peaks[2], peaks[0])
        # Slices of a batch take the entry `gradients`.
        self.call(self.path("small"), *run, "--shards", "2")

    def test_says_the_least(self):
        _, messages = self.call(OPT, MNIST, "-o", self.path("train"), "--emit=exe", "--train-memory=2M", code=1)
        self.assertRegex(messages, r"cannot train in 2.0 MiB because the least is [\d.]+ MiB: 0.\d MiB of weights, 0.\d MiB of the "
                                   r"optimizer, 0.\d MiB of sums of gradients, and [\d.]+ MiB of values within a step")
        for text in ("8X", "-1M", "0", "M", "1.2.3G"):
            _, messages = self.call(OPT, MNIST, "-o", self.path("train"), "--emit=exe", f"--train-memory={text}", code=2)
            self.assertIn("expected bytes as 512M, 1.5G or 4096K", messages)
        _, messages = self.call(OPT, MNIST, "-o", self.path("libm.so"), "--train-memory=8M", code=2)
        self.assertIn("--train", messages)

    def test_takes_no_larger_batch(self):
        data, labels = images(512)
        np.savez(self.path("data.npz"), image=data, label=labels)
        self.plan(MNIST, "--batch=256", "--train-memory=1G")
        _, messages = self.call(self.path("train"), "--data", "data.npz", "--batch", "257", "--epochs", "1", code=1)
        self.assertIn("expected at most 256 samples a step, which the program's memory is planned for (--train-memory)", messages)
        self.call(self.path("train"), "--data", "data.npz", "--batch", "100", "--epochs", "1")

    def test_mixed_precision(self):
        data, labels = images(1024)
        np.savez(self.path("data.npz"), image=data[:768], label=labels[:768])
        np.savez(self.path("test.npz"), image=data[768:], label=labels[768:])
        curves = []
        for precision in ("f32", "bf16"):
            self.call(OPT, MNIST, "-o", self.path(precision), "--emit=exe", f"--precision={precision}")
            output, _ = self.call(self.path(precision), "--data", "data.npz", "--validation-data", "test.npz", "--epochs", "4", "--verbose",
                                  "2", "--export", f"{precision}.safetensors")
            curves.append([float(loss) for loss in re.findall(r" loss: ([\d.e-]+)", output)])
            self.assertGreater(float(re.findall(r"val_accuracy: ([\d.]+)", output)[-1]), 0.97)
        self.assertEqual(len(curves[0]), 4)
        self.assertNotEqual(curves[0], curves[1])
        self.assertLess(abs(curves[0][0] - curves[1][0]), 0.1 * curves[0][0])
        weights = read_safetensors(self.path("bf16.safetensors"))
        self.assertEqual({array.dtype for array in weights.values()}, {np.dtype(np.float32)})
        self.assertFalse(all((array.view(np.uint32) & 0xffff == 0).all() for array in weights.values()))
        # Predictions are those of the evaluation; those of f32 are near.
        self.call(self.path("bf16"), "predict", "--data", "test.npz", "--weights", "bf16.safetensors", "--output", "half.npy")
        self.call(self.path("f32"), "predict", "--data", "test.npz", "--weights", "bf16.safetensors", "--output", "single.npy")
        half, single = np.load(self.path("half.npy")), np.load(self.path("single.npy"))
        self.assertEqual(half.dtype, np.float32)
        self.assertTrue(0 < np.abs(half - single).max() < 0.05)


if __name__ == "__main__":
    unittest.main()
