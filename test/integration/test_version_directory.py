"""mlc-opt -o BASE/NUMBER/: a version directory for a server, complete or not there; and mlc-serve's commands on it."""
import hashlib
import json
import os
import signal
import subprocess
import time
import unittest

import numpy as np
import onnx

from support import OPT, ToolTest, mlp


class VersionDirectory(ToolTest):
    def setUp(self):
        super().setUp()
        made, self.reference = mlp()
        onnx.save(made, self.path("m.onnx"))

    def manifest(self, folder):
        with open(self.path(os.path.join(folder, "manifest.json"))) as file:
            return json.load(file)

    def hash(self, name):
        with open(self.path(name), "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def check(self, folder, files):
        """A folder has these files and manifest.json, which names them with their sizes and hashes."""
        self.assertEqual(sorted(os.listdir(self.path(folder))), sorted([*files, "manifest.json"]))
        manifest = self.manifest(folder)
        self.assertEqual(sorted(manifest["files"]), sorted(files))
        for name, entry in manifest["files"].items():
            path = os.path.join(folder, name)
            self.assertEqual(entry, {"bytes": os.path.getsize(self.path(path)), "sha256": self.hash(path)})
        return manifest

    def test_is_complete(self):
        self.call(OPT, "m.onnx", "-o", "base/3/", env={**os.environ, "SOURCE_DATE_EPOCH": "86400"})
        self.assertEqual(os.listdir(self.path("base")), ["3"])
        manifest = self.check("base/3", ["libm.so"])
        self.assertEqual(manifest["format"], 1)
        self.assertEqual(manifest["library"], "libm.so")
        self.assertEqual(manifest["compiler"], "mlc 0.1.0")
        self.assertEqual(manifest["source"], {"file": "m.onnx", "sha256": self.hash("m.onnx"), "commit": ""})
        self.assertEqual(manifest["created"], "1970-01-02T00:00:00Z")
        x = np.ones((2, 4), np.float32)
        np.testing.assert_allclose(self.run_model(self.path("base/3/libm.so"), {"x": x})["y"], self.reference(x), rtol=1e-5)

    def test_external_weights_and_labels(self):
        with open(self.path("names"), "w") as file:
            file.write("cat\ndog\n")
        self.call(OPT, "m.onnx", "-o", "base/0004/", "--weights=external", "--labels=names")
        self.check("base/0004", ["libm.so", "m.weights", "labels.txt"])

    def test_replaces_a_version_that_is_there(self):
        self.call(OPT, "m.onnx", "-o", "3/")
        before = self.manifest("3")
        with open(self.path("3/stale"), "w"):
            pass
        self.call(OPT, "m.onnx", "-o", "3", "-O0")
        self.assertNotEqual(self.check("3", ["libm.so"]), before)

    def test_a_failure_leaves_nothing_behind(self):
        with open(self.path("bad.onnx"), "w") as file:
            file.write("not a model")
        self.call(OPT, "bad.onnx", "-o", "base/3/", code=1)
        self.assertEqual(os.listdir(self.path("base")), [])
        self.call(OPT, "m.onnx", "-o", "base/3/")
        before = self.manifest("base/3")
        self.call(OPT, "bad.onnx", "-o", "base/3/", code=1)
        self.assertEqual(self.check("base/3", ["libm.so"]), before)

    def test_a_kill_leaves_the_version_that_was_there(self):
        self.call(OPT, "m.onnx", "-o", "base/3/")
        for wait in (0.0, 0.02, 0.05, 0.1, 0.2):
            process = subprocess.Popen([OPT, "m.onnx", "-o", "base/3/", "--no-cache"], cwd=self.folder)
            time.sleep(wait)
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.check("base/3", ["libm.so"])

    def test_the_command_line_is_checked(self):
        for arguments, message in ((("-o", "base/x/"), "expected a version directory to be called by a number, but got 'base/x/'"),
                                   (("-o", "base/-1/"), "called by a number"),
                                   (("-o", "base/1/", "--emit=archive"), "expected --emit=lib for a version directory"),
                                   (("-o", "libm.so", "--labels=m.onnx"), "requires a version directory as output"),
                                   (("-o", "base/1/", "--labels=none"), "File does not exist")):
            _, error = self.call(OPT, "m.onnx", *arguments, code=2)
            self.assertIn(message, error)
        self.assertFalse(os.path.exists(self.path("base")))

    def commit_of(self, folder):
        self.call(OPT, os.path.join(folder, "m.onnx"), "-o", "out/1/")
        return self.manifest("out/1")["source"]["commit"]

    def test_the_commit_of_the_source(self):
        def write(name, text):
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            with open(self.path(name), "w") as file:
                file.write(text)

        first, second, third = "1" * 40, "2" * 40, "3" * 64
        os.makedirs(self.path("repository/deep"))
        for folder in ("repository", "repository/deep", "tree"):
            os.makedirs(self.path(folder), exist_ok=True)
            os.link(self.path("m.onnx"), self.path(folder + "/m.onnx"))
        write("repository/.git/HEAD", "ref: refs/heads/main\n")
        self.assertEqual(self.commit_of("repository"), "")  # no commit yet
        write("repository/.git/packed-refs", f"# pack-refs with: peeled fully-peeled sorted\n{third} refs/heads/mainly\n{second} refs/heads/main\n")
        self.assertEqual(self.commit_of("repository/deep"), second)
        write("repository/.git/refs/heads/main", first + "\n")
        self.assertEqual(self.commit_of("repository"), first)
        write("repository/.git/HEAD", third + "\n")
        self.assertEqual(self.commit_of("repository"), third)
        # A work tree of its own.
        write("tree/.git", f"gitdir: {self.path('repository/.git/worktrees/tree')}\n")
        write("repository/.git/worktrees/tree/HEAD", "ref: refs/heads/main\n")
        write("repository/.git/worktrees/tree/commondir", "../..\n")
        self.assertEqual(self.commit_of("tree"), first)


if __name__ == "__main__":
    unittest.main()
