#!/usr/bin/env bash
# Fuzzes the ONNX importer under ASan and UBSan, from the small models among ONNX's backend tests.
# usage: test/fuzz/run.sh [SECONDS]     default 1800
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-1800}
tools/dev/build.sh asan import-onnx-fuzzer | tail -1
corpus=build/fuzz/corpus found=build/fuzz/found
mkdir -p "$corpus" "$found"
build/venv/bin/python - "$corpus" <<'PY'
import glob, os, shutil, sys
import onnx
data = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data")
for path in glob.glob(data + "/*/*/model.onnx"):
    if os.path.getsize(path) < 3000:
        shutil.copy(path, os.path.join(sys.argv[1], os.path.basename(os.path.dirname(path))))
PY
# LLVM's libraries are not instrumented: containers that they fill look overflowed from here.
export ASAN_OPTIONS=detect_container_overflow=0:allocator_may_return_null=1:detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
build/asan/bin/import-onnx-fuzzer "$found" "$corpus" -max_total_time="$seconds" -max_len=4096 -timeout=25 -rss_limit_mb=6000 \
  -artifact_prefix=build/fuzz/ -print_final_stats=1 "${@:2}"
