#!/usr/bin/env bash
# Installs what the tests need, builds, runs every test, and ends with `N passed, M failed`.
# usage: tools/check.sh [--fast]     --fast replays the conformance tests with static sizes only
set -uo pipefail
cd "$(dirname "$0")/.."
fast=
[ "${1:-}" = --fast ] && fast=1
passed=0 failed=0
python=build/venv/bin/python

# suite NAME COMMAND…: runs a command whose output says `N passed, M failed` (or is a test of its own: its exit code).
suite() {
  local name=$1 log=build/check-$1.log start=$SECONDS
  shift
  printf '== %s … ' "$name"
  : >"$log"
  "$@" >>"$log" 2>&1 # appending, as `tee` does below
  local code=$?
  local line good bad
  line=$(grep -aoE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
  if [ -n "$line" ]; then
    good=${line%% *} bad=$(echo "$line" | sed 's/.*, \([0-9]*\) failed/\1/')
  else
    good=0 bad=0
  fi
  # A command that dies counts as a failure whatever it said before.
  if [ $code -ne 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  if [ $code -eq 0 ] && [ -z "$line" ]; then good=1; fi
  passed=$((passed + good)) failed=$((failed + bad))
  printf '%s passed, %s failed (%s s)\n' "$good" "$bad" $((SECONDS - start))
  if [ "$bad" != 0 ]; then
    tail -60 "$log" | sed 's/^/   /'
    echo "   (all of it: $log)"
  fi
}

lit_suite() { lit-22 test --no-progress-bar | tee -a /dev/stderr | awk '/Passed:/ {p=$2} /Failed:/ {f=$2} END {printf "%d passed, %d failed\n", p, f; exit f > 0}'; }

gtest_suite() {
  "$@" | tee -a /dev/stderr | awk '/\[  PASSED  \]/ {p=$4} /\[  FAILED  \].*listed below/ {f=$4} END {printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0}'
}

# The runtime again under AddressSanitizer and UndefinedBehaviorSanitizer.
sanitized_runtime() {
  mkdir -p build/sanitized
  for source in runtime/core/*.c; do
    clang-22 -std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -I. -Iinclude -c "$source" -o "build/sanitized/$(basename "$source").o" || return 1
  done
  clang++-22 -std=c++20 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -I. -Iinclude test/runtime/*.cpp build/sanitized/*.o -lgtest -lgtest_main -lpthread \
    -o build/sanitized/runtime-tests || return 1
  ASAN_OPTIONS=allocator_may_return_null=1 gtest_suite build/sanitized/runtime-tests
}

# The server's tests in a build of its own under sanitizers. gRPC's library is not instrumented, so what it hands from
# thread to thread looks like a race: its tests are left out of those for races.
sanitized_server() {
  local suppressions=$PWD/test/runtime/serve
  tools/dev/build.sh "$1" serve-tests || return 1
  LSAN_OPTIONS=suppressions=$suppressions/lsan-suppressions.txt TSAN_OPTIONS="report_mutex_bugs=0 suppressions=$suppressions/tsan-suppressions.txt" \
    gtest_suite "build/$1/bin/serve-tests" "${@:2}"
}

format_check() {
  local files
  files=$(git ls-files '*.cpp' '*.h' '*.c')
  # shellcheck disable=SC2086
  clang-format-22 --dry-run --Werror $files || { echo "run: clang-format-22 -i \$(git ls-files '*.cpp' '*.h' '*.c')"; return 1; }
}

echo "== install what the tests need"
tools/setup.sh test || exit 1
suite lint python3 tools/dev/lint.py
suite format format_check
suite build tools/dev/build.sh release
suite lit lit_suite
suite lib gtest_suite build/release/bin/lib-tests
suite runtime gtest_suite build/release/bin/runtime-tests
suite train gtest_suite build/release/bin/train-tests
suite serve gtest_suite build/release/bin/serve-tests
suite serve-asan sanitized_server serve-asan
suite serve-tsan sanitized_server serve-tsan --gtest_filter=-Grpc*
suite runtime-sanitized sanitized_runtime
suite runtime-valgrind valgrind --quiet --error-exitcode=9 --leak-check=full build/release/bin/runtime-tests --gtest_filter='-*Half*:*Huge*'
suite reference $python tools/dev/reference.py --check
suite integration $python test/integration/run.py
suite serving $python test/serving/clients.py
suite gradients $python test/gradients/run.py --table docs/Gradients.md --check
if [ -n "$fast" ]; then
  suite conformance $python test/conformance/run.py --mode static
else
  suite conformance $python test/conformance/run.py --operators docs/Operators.md --check
  suite export $python test/conformance/run.py --mode export --mode export-dynamic
fi
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]
