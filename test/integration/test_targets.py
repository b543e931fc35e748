"""Code generation from the outside: threads of the compiler, the cache of objects, several processors, another architecture."""
import ctypes
import glob
import hashlib
import os
import shutil
import unittest

import numpy as np
import onnx
from onnx import helper as h

from support import OPT, ROOT, RUN, ToolTest, mlp, model, value, weights


def convnet():
    """x[2, 3, 16, 16] -> Conv -> Relu -> MaxPool -> Softmax; kernels of several kinds."""
    rng = np.random.default_rng(3)
    return model([h.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]), h.make_node("Relu", ["a"], ["b"]),
                  h.make_node("MaxPool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]), h.make_node("Softmax", ["c"], ["y"])],
                 [value("x", [2, 3, 16, 16])], [value("y", [2, 8, 8, 8])], [weights("w", rng.standard_normal((8, 3, 3, 3)).astype(np.float32))])


def content(path):
    with open(path, "rb") as file:
        return file.read()


class Threads(ToolTest):
    def test_artifacts_do_not_depend_on_the_number_of_threads(self):
        onnx.save(convnet(), self.path("m.onnx"))
        for name in ("libm.so", "libm.a", "m.o"):
            hashes = set()
            for threads in ("1", "2", "7"):
                self.call(OPT, "m.onnx", "-o", name, "--threads", threads, "--no-cache")
                hashes.add(hashlib.sha256(content(self.path(name))).hexdigest())
            self.assertEqual(len(hashes), 1, name)

    def test_objects_have_only_the_names_of_the_model(self):
        onnx.save(convnet(), self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "m.o")
        out, _ = self.call("readelf", "-s", "-W", "m.o")
        names = {line.split()[-1] for line in out.splitlines() if "GLOBAL" in line and " UND " not in line}
        self.assertEqual(names, {"m_create", "m_run", "m_destroy", "m_api"})


class Cache(ToolTest):
    def compile_cached(self, name="libm.so", made=None, **environment):
        onnx.save(made or convnet(), self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", name, env={**os.environ, **environment})
        return content(self.path(name))

    def entries(self, folder):
        return sorted(glob.glob(os.path.join(self.path(folder), "llvmcache-*")))

    def entries_of_kernels(self, folder):
        return [e for e in self.entries(folder) if not e.endswith(".timestamp")]

    def test_a_second_compilation_writes_nothing_new(self):
        first = self.compile_cached(MLC_CACHE_DIR=self.path("c"))
        entries = self.entries_of_kernels("c")
        self.assertGreater(len(entries), 2)
        self.assertEqual(self.compile_cached(MLC_CACHE_DIR=self.path("c")), first)
        self.assertEqual(self.entries_of_kernels("c"), entries)
        for level in ("-O1", "--mcpu=x86-64-v2"): # are other code
            self.call(OPT, "m.onnx", "-o", "libm.so", level, env={**os.environ, "MLC_CACHE_DIR": self.path("c")})
            self.assertGreater(len(self.entries_of_kernels("c")), len(entries))
            entries = self.entries_of_kernels("c")

    def test_kernels_are_shared_between_models(self):
        self.compile_cached(MLC_CACHE_DIR=self.path("c"))
        before = len(self.entries_of_kernels("c"))
        self.compile_cached("libother.so", MLC_CACHE_DIR=self.path("c"))
        self.assertEqual(len(self.entries_of_kernels("c")), before + 1)  # the interface alone has the model's name

    def test_damaged_entries_are_written_again(self):
        first = self.compile_cached(MLC_CACHE_DIR=self.path("c"))
        entries = self.entries_of_kernels("c")
        good = [content(e) for e in entries]
        os.truncate(entries[0], 10)
        os.truncate(entries[1], len(good[1]) - 1)
        with open(entries[2], "r+b") as file:
            file.seek(len(good[2]) // 2)
            file.write(bytes([good[2][len(good[2]) // 2] ^ 1]))
        self.assertEqual(self.compile_cached(MLC_CACHE_DIR=self.path("c")), first)
        self.assertEqual([content(e) for e in entries], good)

    def test_where_the_cache_is(self):
        bare = {name: text for name, text in os.environ.items() if name not in ("MLC_CACHE_DIR", "XDG_CACHE_HOME", "HOME")}
        onnx.save(mlp()[0], self.path("m.onnx"))
        for environment, folder in (({"XDG_CACHE_HOME": self.path("xdg")}, "xdg/mlc"), ({"HOME": self.path("home")}, "home/.cache/mlc"), ({}, None)):
            self.call(OPT, "m.onnx", "-o", "libm.so", env={**bare, **environment})
            if folder:
                self.assertTrue(self.entries_of_kernels(folder), folder)
        self.call(OPT, "m.onnx", "-o", "libm.so", "--cache=own")
        self.assertTrue(self.entries_of_kernels("own"))
        self.call(OPT, "m.onnx", "-o", "libm.so", "--no-cache", env={**bare, "MLC_CACHE_DIR": self.path("none")})
        self.assertFalse(os.path.exists(self.path("none")))

    def test_a_folder_that_cannot_be_used(self):
        with open(self.path("file"), "w"):
            pass
        self.assertEqual(self.compile_cached(MLC_CACHE_DIR=self.path("file")), self.compile_cached(MLC_CACHE_DIR="/proc/nothing"))


class Multi(ToolTest):
    def levels(self):
        """The levels that this machine has."""
        with open("/proc/cpuinfo") as file:
            flags = next(line for line in file if line.startswith("flags")).split()
        return ["v2"] + ["v3"] * ("avx2" in flags and "fma" in flags) + ["v4"] * ("avx512_vnni" in flags and "avx512vl" in flags)

    def run_level(self, library, x, level):
        np.save(self.path("x.npy"), x)
        self.call(RUN, library, "--input", "x=x.npy", "--output-dir", "out", env={**os.environ, "MLC_CPU_LEVEL": level})
        return np.load(self.path("out/y.npy"))

    def test_every_level_gives_the_same_answers(self):
        made, reference = mlp()
        x = np.random.default_rng(1).standard_normal((7, 4)).astype(np.float32)
        for options in ((), ("--weights=external",)):
            library = self.compile(made, "--mcpu=multi", *options)
            for level in ["", *self.levels()]:
                np.testing.assert_allclose(self.run_level(library, x, level), reference(x), rtol=1e-5, atol=1e-6)
        made = convnet()
        x = np.random.default_rng(2).standard_normal((2, 3, 16, 16)).astype(np.float32)
        expected = self.run_model(self.compile(made, "-O0"), {"x": x})["y"]
        library = self.compile(made, "--mcpu=multi")
        for level in ["", *self.levels()]:
            np.testing.assert_allclose(self.run_level(library, x, level), expected, rtol=1e-5, atol=1e-6)

    def test_the_library_has_code_of_all_levels_and_needs_libc_alone(self):
        self.compile(convnet(), "--mcpu=multi")
        out, _ = self.call("objdump", "-d", "libm.so")
        for register in ("%xmm", "%ymm", "%zmm"):
            self.assertIn(register, out)
        out, _ = self.call("readelf", "-d", "libm.so")
        needed = {line.split("[")[1].split("]")[0] for line in out.splitlines() if "NEEDED" in line}
        self.assertLessEqual(needed, {"libc.so.6", "libm.so.6"})

    def test_levels_that_are_not_there(self):
        library = self.compile(mlp()[0], "--mcpu=multi")
        for level in ("v5", "v22", "avx2", "3"):
            _, error = self.call(RUN, library, code=1, env={**os.environ, "MLC_CPU_LEVEL": level})
            self.assertIn("expected MLC_CPU_LEVEL of v2, v3 or v4", error)
        if "v4" not in self.levels():
            _, error = self.call(RUN, library, code=1, env={**os.environ, "MLC_CPU_LEVEL": "v4"})
            self.assertIn("this processor has only", error)

    @unittest.skipUnless(shutil.which("qemu-x86_64"), "needs qemu-user (tools/setup.sh test)")
    def test_older_processors(self):
        made, reference = mlp()
        library = self.compile(made, "--mcpu=multi")
        x = np.ones((2, 4), np.float32)
        np.save(self.path("x.npy"), x)
        emulated = ("qemu-x86_64", "-cpu", "Nehalem", RUN, library, "--input", "x=x.npy", "--output-dir", "out")
        self.call(*emulated)
        np.testing.assert_allclose(np.load(self.path("out/y.npy")), reference(x), rtol=1e-5)
        for level in ("v3", "v4"):
            _, error = self.call(*emulated, code=1, env={**os.environ, "MLC_CPU_LEVEL": level})
            self.assertIn(f"MLC_CPU_LEVEL asks for {level}, but this processor has only v2", error)

    def test_an_archive(self):
        made, reference = mlp()
        self.compile(made, "--mcpu=multi", library="libm.a")
        self.call("clang-22", "-shared", "-o", "libshared.so", "-Wl,--whole-archive", "libm.a", "-Wl,--no-whole-archive", "-lm")
        x = np.ones((2, 4), np.float32)
        y = np.zeros((2, 3), np.float32)
        library = ctypes.CDLL(self.path("libshared.so"))

        class Status(ctypes.Structure):
            _fields_ = [("code", ctypes.c_int32), ("message", ctypes.c_char_p)]

        for function in (library.m_create, library.m_run):
            function.restype = Status
        m = ctypes.c_void_p()
        self.assertEqual(library.m_create(None, ctypes.byref(m)).code, 0)
        self.assertEqual(library.m_run(m, x.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(2), y.ctypes.data_as(ctypes.c_void_p)).code, 0)
        library.m_destroy(m)
        np.testing.assert_allclose(y, reference(x), rtol=1e-5)

    def test_what_does_not_go_together(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        self.assertIn("--mcpu=multi needs a library", self.call(OPT, "m.onnx", "--mcpu=multi", "-o", "m.s", code=1)[1])
        _, error = self.call(OPT, "m.onnx", "--mcpu=multi", "--mtriple=aarch64-linux-gnu", "-o", "m.o", code=1)
        self.assertIn("unsupported --mcpu=multi for aarch64", error)
        out, _ = self.call(OPT, "m.onnx", "--mcpu=multi", "--compile-to=linalg")
        self.assertEqual(out.count("// -----"), 2)
        self.call(OPT, "m.onnx", "--mcpu=multi", "-o", "libm.so", "--dump-phases-to=dump")
        self.assertTrue(os.path.exists(self.path("dump/05-linalg_v3.mlir")), os.listdir(self.path("dump")))


@unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc") and shutil.which("qemu-aarch64"), "needs gcc-aarch64-linux-gnu and qemu-user (tools/setup.sh test)")
class AArch64(ToolTest):
    TARGET = ("--mtriple=aarch64-linux-gnu", "--mcpu=neoverse-n1")

    def run_with(self, *artifacts, runtime=True):
        """Links a program with the artifacts and, where they lack it, the runtime for AArch64, runs it, returns the outputs."""
        x = np.random.default_rng(1).standard_normal((5, 4)).astype(np.float32)
        with open(self.path("main.c"), "w") as file:
            file.write('#include <stdio.h>\n#include "m.h"\nint main(void) {\n  static const float x[] = {%s};\n  static float y[15];\n  m *model;\n'
                       "  mlc_status status = m_create(NULL, &model);\n  if (status.code == MLC_OK)\n    status = m_run(model, x, 5, y);\n"
                       "  if (status.code != MLC_OK)\n    return puts(status.message), 1;\n  m_destroy(model);\n"
                       '  for (int i = 0; i < 15; ++i)\n    printf("%%.9g\\n", y[i]);\n  return 0;\n}\n' % ",".join(f"{v:.9g}f" for v in x.ravel()))
        sources = sorted(glob.glob(os.path.join(ROOT, "runtime", "core", "*.c"))) if runtime else []
        self.call("aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-I.", f"-I{ROOT}", f"-I{ROOT}/include", "main.c", *sources, *artifacts, "-lm", "-lpthread",
                  "-o", "program")
        out, _ = self.call("qemu-aarch64", "-L", "/usr/aarch64-linux-gnu", "./program")
        return x, np.array(out.split(), np.float32).reshape(5, 3)

    def test_object_runs_under_emulation(self):
        made, reference = mlp()
        onnx.save(made, self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "libm.so")  # for the header
        for level in ("-O0", "-O3"):
            self.call(OPT, "m.onnx", "-o", "m.o", level, *self.TARGET)
            self.assertIn("AArch64", self.call("readelf", "-h", "m.o")[0])
            x, y = self.run_with("m.o")
            np.testing.assert_allclose(y, reference(x), rtol=1e-5, atol=1e-6)

    def test_libraries_with_the_runtime_of_the_target(self):
        made, reference = mlp()
        onnx.save(made, self.path("model.onnx"))
        lib = self.path("lib/aarch64-linux-gnu")
        os.makedirs(lib)
        os.mkdir(self.path("bin"))
        shutil.copy(OPT, self.path("bin/mlc-opt"))
        objects = []
        for source in sorted(glob.glob(os.path.join(ROOT, "runtime", "core", "*.c"))):
            objects.append(os.path.basename(source) + ".o")
            self.call("aarch64-linux-gnu-gcc", "-std=gnu11", "-O2", "-fPIC", "-fvisibility=hidden", "-mno-outline-atomics", f"-I{ROOT}", f"-I{ROOT}/include", "-c", source, "-o", objects[-1])
        self.call("aarch64-linux-gnu-gcc-ar", "rcs", os.path.join(lib, "libmlcrt.a"), *objects)
        for artifact in ("libmodel.so", "libmodel.a"):
            self.call(self.path("bin/mlc-opt"), "model.onnx", "--name", "m", "-o", artifact, *self.TARGET)
            os.rename(self.path("model.h"), self.path("m.h"))
            x, y = self.run_with(artifact, "-Wl,-rpath,.", runtime=False)
            np.testing.assert_allclose(y, reference(x), rtol=1e-5, atol=1e-6)

    def test_assembly(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        self.call(OPT, "m.onnx", "-o", "m.s", *self.TARGET)
        self.assertIn(b"fmla", content(self.path("m.s")))
        self.call("aarch64-linux-gnu-gcc", "-c", "m.s", "-o", "m.o")

    def test_libraries_say_what_is_missing(self):
        onnx.save(mlp()[0], self.path("m.onnx"))
        for name in ("libm.so", "libm.a"):
            _, error = self.call(OPT, "m.onnx", "-o", name, *self.TARGET, code=1)
            self.assertIn("cannot find the runtime for aarch64", error)
            self.assertIn("emit an object (-o m.o) and compile runtime/core/*.c with it", error)
            self.assertEqual(os.listdir(self.folder), ["m.onnx"])


if __name__ == "__main__":
    unittest.main()
