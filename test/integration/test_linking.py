"""Programs in C and C++ link two models each: shared and static, with pkg-config and with CMake."""
import os
import subprocess
import unittest

import onnx
from onnx import helper as h

from support import BIN, OPT, ToolTest, mlp, model, value

PROGRAM = r"""
#include "first.h"
#include "second.h"
#include <stdio.h>

int main(void) {
  first *a = NULL;
  second *b = NULL;
  mlc_status status = first_create(NULL, &a);
  if (status.code == MLC_OK)
    status = second_create(NULL, &b);
  float x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[6], z[8];
  if (status.code == MLC_OK)
    status = first_run(a, x, 2, y);
  if (status.code == MLC_OK)
    status = second_run(b, x, z);
  if (status.code != MLC_OK) {
    fprintf(stderr, "%s\n", status.message);
    return 1;
  }
  printf("%.4f %.4f\n", y[0], z[1]);
  status = first_run(a, x, -1, y);
  printf("%d %s\n", status.code, status.message);
  first_destroy(a);
  second_destroy(b);
  return 0;
}
"""

CMAKE = """
cmake_minimum_required(VERSION 3.20)
project(example C CXX)
find_package(first REQUIRED PATHS ${CMAKE_CURRENT_SOURCE_DIR} NO_DEFAULT_PATH)
find_package(second REQUIRED PATHS ${CMAKE_CURRENT_SOURCE_DIR} NO_DEFAULT_PATH)
foreach(language c cpp)
  add_executable(example_${language} main.${language})
  target_link_libraries(example_${language} PRIVATE first::first second::second)
endforeach()
"""


class Linking(ToolTest):
    def prepare(self, ending, compiler=OPT):
        made, reference = mlp()
        onnx.save(made, self.path("first.onnx"))
        other = model([h.make_node("Mul", ["x", "x"], ["y"])], [value("x", [8])], [value("y", [8])])
        onnx.save(other, self.path("second.onnx"))
        for name in ("first", "second"):
            self.call(compiler, name + ".onnx", "-o", f"lib{name}.{ending}")
        for name in ("main.c", "main.cpp"):
            with open(self.path(name), "w") as file:
                file.write(PROGRAM)
        import numpy as np
        x = np.arange(1, 9, dtype=np.float32).reshape(2, 4)
        self.expected = f"{reference(x)[0, 0]:.4f} 4.0000\n3 first: expected a size that is not negative for N, but got -1\n"

    def pkg_config(self):
        environment = dict(os.environ, PKG_CONFIG_PATH=self.folder)
        done = subprocess.run(["pkg-config", "--cflags", "--libs", "first", "second"], capture_output=True, text=True, env=environment, check=True)
        return done.stdout.split()

    def test_pkg_config(self):
        for ending in ("so", "a"):
            self.prepare(ending)
            for compiler, source in (("clang-22", "main.c"), ("clang++-22", "main.cpp")):
                self.call(compiler, "-Wall", "-Werror", "-pedantic", source, *self.pkg_config(), "-o", "program")
                self.assertEqual(self.call("./program")[0], self.expected, (ending, source))
                os.remove(self.path("program"))

    def test_cmake(self):
        for ending in ("so", "a"):
            self.prepare(ending)
            with open(self.path("CMakeLists.txt"), "w") as file:
                file.write(CMAKE)
            build = "build-" + ending
            self.call("cmake", "-S", ".", "-B", build, "-G", "Ninja", "-DCMAKE_C_COMPILER=clang-22", "-DCMAKE_CXX_COMPILER=clang++-22")
            self.call("cmake", "--build", build)
            for language in ("c", "cpp"):
                self.assertEqual(self.call(f"{build}/example_{language}")[0], self.expected)

    def test_install_prefix(self):
        self.call("cmake", "--install", os.path.dirname(BIN), "--prefix", self.path("prefix"))
        self.assertEqual(sorted(os.listdir(self.path("prefix"))), ["bin", "include", "lib", "share"])
        self.prepare("so", os.path.join(self.folder, "prefix", "bin", "mlc-opt"))
        self.call("clang-22", "main.c", *self.pkg_config(), "-o", "program")
        self.assertEqual(self.call("./program")[0], self.expected)
        self.call(os.path.join(self.folder, "prefix", "bin", "mlc-run"), "libfirst.so")

    def test_valgrind(self):
        # Baseline code: valgrind does not know every instruction of this machine.
        self.prepare("a")
        for name in ("first", "second"):
            self.call(OPT, name + ".onnx", "-o", f"lib{name}.a", "--mcpu=x86-64")
        self.call("clang-22", "-g", "main.c", *self.pkg_config(), "-o", "program")
        out, _ = self.call("valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "./program")
        self.assertEqual(out, self.expected)


if __name__ == "__main__":
    unittest.main()
