//===- ImportOnnxFuzzer.cpp - the ONNX importer on arbitrary bytes -----------------------------------------------===//
//
// Whatever the bytes are, the importer returns a module or problems: no crash, no leak, no undefined behaviour.
// usage: import-onnx-fuzzer CORPUS -max_len=4096 -timeout=20 (test/fuzz/run.sh makes a corpus of ONNX's own small
// tests)
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Import/Onnx/ImportOnnx.h"

#include "mlir/IR/MLIRContext.h"

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <sys/mman.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  // Attributes live as long as their context, so it is renewed now and then.
  static std::unique_ptr<mlir::MLIRContext> context;
  static unsigned runs = 0;
  if (!context || ++runs % 500 == 0) {
    context = std::make_unique<mlir::MLIRContext>(mlir::MLIRContext::Threading::DISABLED);
    context->getDiagEngine().registerHandler([](mlir::Diagnostic &) { return mlir::success(); });
  }
  static const int file = memfd_create("model.onnx", 0);
  if (ftruncate(file, 0) != 0 || pwrite(file, data, size, 0) != static_cast<ssize_t>(size))
    abort();
  mlc::WeightStore weights;
  std::vector<mlc::ImportProblem> problems;
  auto module = mlc::importOnnx(*context, "/proc/self/fd/" + std::to_string(file), {}, weights, problems);
  if (!module && problems.empty())
    abort(); // a failure without a reason
  return 0;
}
