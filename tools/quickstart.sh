#!/usr/bin/env bash
# From a bare Debian machine to real models that run: installs, builds, compiles Google's Magika to a library, links a C
# program with it and asks it what kind of files lie in this repository; then trains a network of our own on handwritten digits, exports
# it, compiles it, classifies a digit and serves it over HTTP.
# usage: tools/quickstart.sh [FILE …]     files to ask about, instead of some of the repository's
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n== %s\n' "$*"; }

say "install what the build needs"
tools/setup.sh build
say "build the compiler (build/release)"
tools/dev/build.sh release mlc-opt mlc-run mlc-serve mlcrt mlctrain_archive | tail -1

out=build/quickstart
mkdir -p "$out"
magika=$(build/venv/bin/python -c 'import magika, os; print(os.path.dirname(magika.__file__))')/models/standard_v3_3

say "compile magika's model to a native library"
build/release/bin/mlc-opt "$magika/model.onnx" -o "$out/libmagika.so"
ls -l "$out/libmagika.so" | awk '{print $9 ": " $5 " bytes"}'
build/release/bin/mlc-run "$out/libmagika.so" --dim "$(build/release/bin/mlc-run "$out/libmagika.so" --signature |
  build/venv/bin/python -c 'import json, sys; print(json.load(sys.stdin)["symbols"][0])')=1"

say "link a C program with it (docs/examples/magika/identify.c)"
build/venv/bin/python docs/examples/magika/settings.py "$magika" >"$out/settings.h"
clang-22 -O2 -Wall -I"$out" docs/examples/magika/identify.c -o "$out/identify" $(PKG_CONFIG_PATH=$out pkg-config --cflags --libs magika)

say "what kind of files are these?"
files=("$@")
[ ${#files[@]} -gt 0 ] || files=(README.md CMakeLists.txt CMakePresets.json tools/quickstart.sh runtime/core/context.c lib/Driver/Compile.cpp
                                test/conformance/run.py "$magika/model.onnx" "$out/libmagika.so")
"$out/identify" "${files[@]}"
say "train a network on real handwritten digits (docs/examples/mnist_cnn.mlc)"
build/venv/bin/python docs/examples/mnist/digits.py "$out/train.npz" "$out/test.npz" "$out/digit.npy"
build/release/bin/mlc-opt docs/examples/mnist_cnn.mlc --emit=exe -o "$out/train_mnist"
"$out/train_mnist" --data "$out/train.npz" --validation-data "$out/test.npz" --verbose 2 \
  --export "$out/mnist_cnn.safetensors" "$out/mnist_cnn.onnx"

say "compile it with what it learnt, and classify a digit that it has not seen"
build/release/bin/mlc-opt docs/examples/mnist_cnn.mlc --load-weights="$out/mnist_cnn.safetensors" -o "$out/libmnist_cnn.so"
build/release/bin/mlc-run "$out/libmnist_cnn.so" --input image="$out/digit.npy" --output-dir "$out"
build/venv/bin/python -c 'import numpy, sys; p = numpy.load(sys.argv[1])[0]; print(f"it is a {p.argmax()}, with a probability of {p.max():.3f}")' \
  "$out/probabilities.npy"

say "serve it, where TensorFlow Serving would stand, and ask it over HTTP"
build/release/bin/mlc-opt docs/examples/mnist_cnn.mlc --load-weights="$out/mnist_cnn.safetensors" --with-gradient -o "$out/models/mnist_cnn/1/"
port=8501
while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((port + 1)); done
build/release/bin/mlc-serve --port=0 --rest_api_port=$port --model_name=mnist_cnn --model_base_path="$PWD/$out/models/mnist_cnn" 2>"$out/serve.log" &
server=$!
trap 'kill $server 2>/dev/null || true' EXIT
for _ in $(seq 100); do curl -s -o /dev/null "http://localhost:$port/readyz" && break; sleep 0.1; done
build/venv/bin/python -c 'import json, numpy, sys; print(json.dumps({"instances": numpy.load(sys.argv[1]).tolist()}))' "$out/digit.npy" >"$out/digit.json"
curl -s -d "@$out/digit.json" "http://localhost:$port/v1/models/mnist_cnn:predict" | build/venv/bin/python -c '
import json, sys
p = json.load(sys.stdin)["predictions"][0]
print(f"the server says: it is a {p.index(max(p))}, with a probability of {max(p):.3f}")'
kill $server && wait $server
trap - EXIT
tail -1 "$out/serve.log"

say "done: $out/identify, $out/train_mnist, $out/libmnist_cnn.so and its header $out/mnist_cnn.h are yours to play with"
