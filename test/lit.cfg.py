# Tests of dialects, passes and the language: each file says how it is run.
import os
import lit.formats

config.name = "mlc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".mlc"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.test_source_root, "..", "build", "lit")
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.test_source_root, "..", "build", lit_config.params.get("preset", "release"), "bin"), "/usr/lib/llvm-22/bin", os.environ["PATH"]])
config.environment["FILECHECK_OPTS"] = "-enable-var-scope --allow-unused-prefixes=false"
