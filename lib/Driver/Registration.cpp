//===- Registration.cpp - dialects and passes --------------------------------------------------------------------===//
#include "lib/Driver/Registration.h"

#include "dialects/Graph/GraphDialect.h"
#include "dialects/Kernel/KernelDialect.h"
#include "dialects/Rt/RtDialect.h"
#include "dialects/Train/TrainDialect.h"
#include "passes/Pipelines.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"

namespace mlc {

void registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  mlir::registerBuiltinDialectTranslation(registry);
  mlir::registerLLVMDialectTranslation(registry);
  registry.insert<graph::GraphDialect, kernel::KernelDialect, rt::RtDialect, train::TrainDialect>();
}

void registerPasses() {
  mlir::registerAllPasses();
  registerPassesAndPipelines();
}

} // namespace mlc
