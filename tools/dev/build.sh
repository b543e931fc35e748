#!/usr/bin/env bash
# Builds a preset (default release) one build at a time, so that two terminals do not fight for the cores.
# usage: tools/dev/build.sh [PRESET] [NINJA ARGUMENT …]
set -euo pipefail
cd "$(dirname "$0")/../.."
preset=${1:-release}
[ $# -gt 0 ] && shift
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
mkdir -p "build/$preset"
exec 9>"build/$preset/.lock"
flock 9
[ -f "build/$preset/build.ninja" ] || cmake --preset "$preset" -S . >"build/$preset/configure.log" || { cat "build/$preset/configure.log"; exit 1; }
exec ninja -C "build/$preset" -j2 "$@"
