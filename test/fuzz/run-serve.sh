#!/usr/bin/env bash
# Fuzzes the server's readers under ASan and UBSan, from the requests of serve_seeds.py. Needs no LLVM libraries.
# usage: test/fuzz/run-serve.sh [SECONDS [FUZZER…]]     default 300 for each, all of them
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-300}
build=build/serve-fuzz
cmake -G Ninja -S . -B $build -DMLC_COMPILER=OFF -DMLC_FUZZERS=ON -DMLC_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DCMAKE_C_COMPILER="${CC:-clang-22}" -DCMAKE_CXX_COMPILER="${CXX:-clang++-22}" -DCMAKE_EXE_LINKER_FLAGS=-fuse-ld=lld \
  $(command -v ccache >/dev/null && echo -DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache) >/dev/null
ninja -C $build ${MLC_JOBS:+-j$MLC_JOBS} serve-fuzzers | tail -1
fuzzers=("${@:2}")
[ ${#fuzzers[@]} -gt 0 ] || mapfile -t fuzzers < <(cd $build/bin && ls -- *-fuzzer)
# Protobuf and gRPC are not instrumented: containers that they fill look overflowed from here.
export ASAN_OPTIONS=detect_container_overflow=0:allocator_may_return_null=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
python3 test/fuzz/serve_seeds.py build/fuzz/seeds
for fuzzer in "${fuzzers[@]}"; do
  found=build/fuzz/$fuzzer
  mkdir -p "$found"
  seeds=build/fuzz/seeds/$fuzzer
  dictionary=build/fuzz/seeds/$fuzzer.dict
  $build/bin/"$fuzzer" "$found" $([ -d "$seeds" ] && echo "$seeds") $([ -f "$dictionary" ] && echo "-dict=$dictionary") \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2000 -artifact_prefix="$found-" -print_final_stats=1
done
