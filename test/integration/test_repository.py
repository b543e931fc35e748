"""mlc-serve publish, rollback and list: from the model to the versions of a repository."""
import json
import os
import struct
import unittest

import numpy as np
import onnx

from support import BIN, OPT, ToolTest, mlp

SERVE = os.path.join(BIN, "mlc-serve")


class Repository(ToolTest):
    def setUp(self):
        super().setUp()
        made, self.reference = mlp()
        onnx.save(made, self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "made/1/", "--weights=external")

    def publish(self, *options, code=0):
        return self.call(SERVE, "publish", "made/1/", "repository/m", *options, code=code)

    def golden(self, name, outputs):
        arrays = {"inputs/x": np.ones((2, 4), np.float32), "outputs/y": outputs.astype(np.float32)}
        header, data = {}, b""
        for key, array in arrays.items():
            header[key] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
            data += array.tobytes()
        text = json.dumps(header).encode()
        with open(self.path(name), "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + data)

    def test_publish_rollback_list(self):
        for number in ("1\n", "2\n", "3\n"):
            self.assertEqual(self.publish()[0], number)
        self.assertEqual(self.call(SERVE, "rollback", "repository/m/")[0], "2\n")
        self.assertEqual(self.call(SERVE, "rollback", "repository/m", "--version=1")[0], "1\n")
        for folder in ("repository/m", "repository"):
            lines = self.call(SERVE, "list", folder)[0].splitlines()
            self.assertEqual([line.split()[:2] for line in lines[2:5]], [["3", "withdrawn"], ["2", "withdrawn"], ["1", "latest"]])
            self.assertEqual(lines[2].split()[-1], "m.onnx")
            self.assertEqual([line.split(maxsplit=1)[1] for line in lines[6:]],
                             ["publish 1", "publish 2", "publish 3", "rollback 2, withdrawn: 3", "rollback 1, withdrawn: 2"])
        self.assertEqual(self.publish()[0], "4\n")

    def test_golden_outputs(self):
        outputs = self.reference(np.ones((2, 4), np.float32))
        self.golden("good.safetensors", outputs)
        self.golden("bad.safetensors", outputs + 1)
        self.assertEqual(self.publish("--golden=good.safetensors")[0], "1\n")
        _, error = self.publish("--golden=bad.safetensors", code=1)
        self.assertIn("golden outputs differ: bad.safetensors: element 0 of output 'y'", error)
        self.assertTrue(os.path.exists(self.path("repository/m/1/assets.extra/golden/good.safetensors")))
        self.assertFalse(os.path.exists(self.path("repository/m/2")))

    def test_errors_have_exit_codes(self):
        for arguments, code, message in ((("publish", "none", "repository/m"), 1, "'none' is not there"),
                                         (("publish", "m.onnx", "repository/m"), 1, "cannot load the library"),
                                         (("rollback", "none"), 1, "'none' is not there"),
                                         (("list", "made/1"), 1, "has no versions of a model"),
                                         (("rollback", "made", "--version=7"), 1, "no complete version 7"),
                                         (("rollback", "made"), 1, "no complete version before 1"),
                                         (("publish", "made/1"), 2, "model is required"),
                                         (("rollback", "made", "--version=-1"), 2, "--version")):
            _, error = self.call(SERVE, *arguments, code=code)
            self.assertIn(message, error)


if __name__ == "__main__":
    unittest.main()
