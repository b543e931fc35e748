//===- DotProducts.h - instructions that sum several products a lane ---------------------------------*- C++ -*-===//
//
// A lane of 32 bits takes a granule of each operand: two bf16, four 8-bit integers, or two where they have to be
// widened to 16 bits first. What a target multiplies differs in signs: x86's vpdpbusd takes unsigned by signed, NEON's
// sdot and udot two of one kind. The other combinations flip the highest bit of lhs, which moves it by 128, and take
// 128 times the sum of rhs off again; unlike vpmaddubsw, none of the instructions used saturates.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_DOTPRODUCTS_H
#define MLC_PASSES_VECTOR_DOTPRODUCTS_H

#include "dialects/Kernel/KernelDialect.h"

namespace mlc {

/// What of a processor decides about dot products.
struct DotTarget {
  bool isX86, isAArch64;
  bool int8, bf16; ///< as TargetProperties::dotInt8 and dotBf16
};

/// How many products a lane can sum at once for the operands of `op`; 1 where there is no such instruction.
int64_t getGranule(kernel::ContractOp op, const DotTarget &target);

/// Whether lhs has to change its sign for the granule of four that `target` has.
bool needsFlippedLhs(kernel::ContractOp op, const DotTarget &target);

/// `sums` plus the products of a granule in each lane: `lhs` has one granule, `rhs` one a lane.
mlir::Value buildDot(mlir::OpBuilder &b, mlir::Location loc, kernel::ContractOp op, bool isX86, mlir::Value lhs,
                     mlir::Value rhs, mlir::Value sums);

/// A granule of lhs, repeated in every lane as buildDot takes it. `granule` is an integer of the granule's bits.
mlir::Value repeatGranule(mlir::OpBuilder &b, mlir::Location loc, kernel::ContractOp op, mlir::Value granule,
                          int64_t lanes);

} // namespace mlc

#endif
