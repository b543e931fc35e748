//===- main.cpp - mlc-opt, the compiler --------------------------------------------------------------------------===//
#include "lib/Driver/CompileOptions.h"
#include "lib/Driver/Registration.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/InitLLVM.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  if (mlc::isMlirOptCommandLine(argc, argv)) {
    mlir::DialectRegistry registry;
    mlc::registerDialects(registry);
    mlc::registerPasses();
    return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "mlc-opt as an mlir-opt\n", registry));
  }
  mlc::CompileOptions options;
  if (int code = mlc::parseCommandLine(argc, argv, options); code >= 0)
    return code;
  std::string program = llvm::sys::fs::getMainExecutable(argv[0], reinterpret_cast<void *>(main));
  return mlc::compile(options, program);
}
