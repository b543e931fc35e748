"""The example of the quickstart agrees with Magika's own command on files of many kinds."""
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import unittest
import wave
import zipfile

import magika
import numpy as np

from support import BIN, OPT, ROOT, ToolTest

MODEL = os.path.join(os.path.dirname(magika.__file__), "models", "standard_v3_3")


def real_files():
    """Files of this machine: sources, documents, programs, models."""
    wanted = ["README.md", "CMakeLists.txt", "CMakePresets.json", ".clang-format", "tools/check.sh", "tools/quickstart.sh", "runtime/core/context.c",
              "include/mlc/runtime.h", "lib/Driver/Compile.cpp", "lib/Import/Onnx/Einsum.cpp", "test/conformance/run.py", "docs/Architecture.md",
              "docs/examples/magika/settings.py", "docs/examples/magika/identify.c", "dialects/Graph/GraphOps.td"]
    found = [os.path.join(ROOT, name) for name in wanted] + [os.path.join(BIN, "mlc-run"), os.path.join(MODEL, "model.onnx"),
                                                               os.path.join(MODEL, "config.min.json"), json.__file__, np.__file__]
    return [name for name in found if os.path.exists(name)]


def made_files(folder):
    """Small files of further kinds."""
    def write(name, content):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    text = "".join(f"line {i}: the quick brown fox jumps over the lazy dog\n" for i in range(40))
    yield write("a.gz", gzip.compress(text.encode()))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", text)
    yield write("a.zip", buffer.getvalue())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("a.txt")
        info.size = len(text)
        archive.addfile(info, io.BytesIO(text.encode()))
    yield write("a.tar", buffer.getvalue())
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as audio:
        audio.setnchannels(1)
        audio.setsampwidth(2)
        audio.setframerate(8000)
        audio.writeframes(np.random.default_rng(0).integers(-1000, 1000, 4000).astype("<i2").tobytes())
    yield write("a.wav", buffer.getvalue())
    buffer = io.BytesIO()
    np.save(buffer, np.arange(1000.0))
    yield write("a.npy", buffer.getvalue())
    yield write("a.html", "<!DOCTYPE html>\n<html><head><title>t</title></head><body>" + "<p>hello <b>world</b></p>\n" * 20 + "</body></html>")
    yield write("a.xml", '<?xml version="1.0"?>\n<root>' + "<item id='1'>value</item>\n" * 20 + "</root>")
    yield write("a.css", "body { color: red; margin: 0 auto; }\n.x > a:hover { display: none; }\n" * 10)
    yield write("a.js", "function f(x) { return x.map((y) => y * 2); }\nmodule.exports = { f };\nconsole.log(f([1, 2, 3]));\n" * 5)
    yield write("a.java", "package a.b;\nimport java.util.List;\npublic class A {\n  public static void main(String[] args) { System.out.println(1); }\n}\n")
    yield write("a.rs", "use std::io;\nfn main() -> io::Result<()> {\n    let v: Vec<u8> = Vec::new();\n    println!(\"{:?}\", v);\n    Ok(())\n}\n")
    yield write("a.go", "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tfor i := 0; i < 3; i++ {\n\t\tfmt.Println(i)\n\t}\n}\n")
    yield write("a.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO t VALUES (1, 'a');\nSELECT * FROM t WHERE id > 0;\n" * 5)
    yield write("a.csv", "id,name,price\n" + "".join(f"{i},item{i},{i * 1.5}\n" for i in range(60)))
    yield write("a.ini", "[section]\nkey = value\nother = 1\n\n[next]\npath = /tmp\n" * 5)
    yield write("a.yaml", "name: test\nitems:\n  - a: 1\n    b: 2\n  - a: 3\n" * 5)
    yield write("a.php", "<?php\nfunction f($x) { return $x + 1; }\necho f(2);\nforeach ([1, 2] as $y) { print($y); }\n")
    yield write("a.pl", "#!/usr/bin/perl\nuse strict;\nmy @a = (1, 2);\nforeach my $x (@a) { print \"$x\\n\"; }\n")
    yield write("a.tex", "\\documentclass{article}\n\\begin{document}\n\\section{One}\nText $x^2$.\n\\end{document}\n" * 3)
    yield write("a.txt", text)
    yield write("random", np.random.default_rng(1).integers(0, 256, 5000, dtype=np.uint8).tobytes())
    yield write("short", "ab")
    yield write("spaces", "   \n\t   \n            ")
    yield write("empty", "")


class Magika(ToolTest):
    def test_agrees_with_magika(self):
        self.call(OPT, os.path.join(MODEL, "model.onnx"), "-o", "libmagika.so")
        example = os.path.join(ROOT, "docs", "examples", "magika")
        with open(self.path("settings.h"), "w") as file:
            file.write(self.call(sys.executable, os.path.join(example, "settings.py"), MODEL)[0])
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "magika"], capture_output=True, text=True, check=True,
                               env=dict(os.environ, PKG_CONFIG_PATH=self.folder)).stdout.split()
        self.call("clang-22", "-O2", "-Wall", "-Werror", "-I" + self.folder, os.path.join(example, "identify.c"), *flags, "-o", "identify")
        files = real_files() + list(made_files(self.folder))
        ours = {}
        for line in self.call("./identify", *files)[0].splitlines():
            path, label, score = re.fullmatch(r"(.*): (\S+) (\S+)", line).groups()
            ours[path] = (label, float(score))
        tool = magika.Magika()
        kinds = set()
        for path in files:
            result = tool.identify_path(path)
            kinds.add(str(result.output.label))
            self.assertEqual(ours[path][0], str(result.output.label), path)
            self.assertAlmostEqual(ours[path][1], result.score, delta=2e-3, msg=path)
        self.assertGreaterEqual(len(files), 30)
        self.assertGreaterEqual(len(kinds), 15, kinds)


if __name__ == "__main__":
    unittest.main()
