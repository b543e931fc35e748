//===- Registration.cpp - dialects and passes --------------------------------------------------------------------===//
#include "lib/Driver/Registration.h"

#include "dialects/Graph/GraphDialect.h"
#include "dialects/Kernel/KernelDialect.h"
#include "dialects/Rt/RtDialect.h"
#include "dialects/Train/TrainDialect.h"
#include "passes/Pipelines.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/UB/IR/UBOps.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
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

void loadDialects(mlir::MLIRContext &context) {
  context
      .loadDialect<graph::GraphDialect, kernel::KernelDialect, rt::RtDialect, train::TrainDialect,
                   mlir::func::FuncDialect, mlir::arith::ArithDialect, mlir::math::MathDialect, mlir::ub::UBDialect,
                   mlir::affine::AffineDialect, mlir::scf::SCFDialect, mlir::cf::ControlFlowDialect,
                   mlir::tensor::TensorDialect, mlir::linalg::LinalgDialect, mlir::bufferization::BufferizationDialect,
                   mlir::memref::MemRefDialect, mlir::vector::VectorDialect, mlir::LLVM::LLVMDialect>();
}

void registerPasses() {
  mlir::registerAllPasses();
  registerPassesAndPipelines();
}

} // namespace mlc
