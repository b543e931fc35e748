//===- ElementaryFunctions.h - exp, log, sin and the like as straight-line code ---------------------*- C++ -*-===//
//
// Each function takes one f32 value, a scalar or a vector, and builds arithmetic without branches, tables or calls, so
// that loops over it vectorise. Errors are at most 4 units in the last place over all of f32, subnormal results
// included; infinities, zeros with their signs, NaN and arguments outside of a domain give what C's functions give.
// docs/Performance.md has the measured errors, test/integration/test_math.py measures them.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_ELEMENTARYFUNCTIONS_H
#define MLC_PASSES_VECTOR_ELEMENTARYFUNCTIONS_H

#include "mlir/IR/Builders.h"

namespace mlc::elementary {

mlir::Value buildExp(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildLog(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
/// log(1 + x)
mlir::Value buildLog1P(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildPow(mlir::OpBuilder &b, mlir::Location loc, mlir::Value base, mlir::Value exponent);
mlir::Value buildErf(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);

mlir::Value buildSin(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildCos(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildTan(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildAsin(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildAcos(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildAtan(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);

mlir::Value buildSinh(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildCosh(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildTanh(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildAsinh(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildAcosh(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);
mlir::Value buildAtanh(mlir::OpBuilder &b, mlir::Location loc, mlir::Value x);

} // namespace mlc::elementary

#endif
