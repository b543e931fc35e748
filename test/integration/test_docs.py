"""What the documents show works: the C program of the README, and links between documents."""
import os
import re
import subprocess
import unittest

import numpy as np
import onnx
from onnx import helper as h

from support import OPT, ROOT, ToolTest, model, value, weights


class Readme(ToolTest):
    def test_link_a_model_in_ten_lines(self):
        with open(os.path.join(ROOT, "README.md")) as file:
            program = re.search(r"```c\n(.*?)```", file.read(), re.S).group(1)
        self.assertLessEqual(len([line for line in program.splitlines() if line.strip()]), 10)
        w = np.random.default_rng(0).standard_normal((784, 10)).astype(np.float32)
        made = model([h.make_node("Flatten", ["image"], ["f"]), h.make_node("MatMul", ["f", "w"], ["l"]), h.make_node("Softmax", ["l"], ["probabilities"])],
                     [value("image", ["N", 1, 28, 28])], [value("probabilities", ["N", 10])], [weights("w", w)])
        onnx.save(made, self.path("mnist_cnn.onnx"))
        self.call(OPT, "mnist_cnn.onnx", "-o", "libmnist_cnn.so")
        main = "#include <stdio.h>\nint main(void) {\n  static float image[784], p[10];\n  image[5] = 1;\n  int code = classify(image, p);\n" \
               '  for (int i = 0; i < 10; ++i)\n    printf("%.5f ", p[i]);\n  return code;\n}\n'
        with open(self.path("program.c"), "w") as file:
            file.write(program + main)
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "mnist_cnn"], capture_output=True, text=True, check=True,
                               env=dict(os.environ, PKG_CONFIG_PATH=self.folder)).stdout.split()
        self.call("clang-22", "-Wall", "-Werror", "program.c", *flags, "-o", "program")
        got = np.array(self.call("./program")[0].split(), np.float32)
        expected = np.exp(w[5]) / np.exp(w[5]).sum()
        np.testing.assert_allclose(got, expected, atol=1e-5)


class Links(unittest.TestCase):
    def test_files_that_documents_name_exist(self):
        for name in ("README.md", "docs/Architecture.md", "docs/Performance.md"):
            with open(os.path.join(ROOT, name)) as file:
                text = file.read()
            named = set(re.findall(r"`((?:lib|passes|dialects|runtime|tools|test|include|docs)/[\w./-]+)`", text))
            named |= {os.path.join(os.path.dirname(name), link) for link in re.findall(r"\]\(([\w./-]+\.md)\)", text)}
            self.assertGreater(len(named), 3)
            for path in named:
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), f"{name} names {path}")


if __name__ == "__main__":
    unittest.main()
