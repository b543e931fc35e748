//===- NodeWork.h - what a kernel of the model does --------------------------------------------------*- C++ -*-===//
#ifndef MLC_PASSES_BUFFER_NODEWORK_H
#define MLC_PASSES_BUFFER_NODEWORK_H

#include "mlir/IR/Operation.h"

#include <optional>
#include <string>

namespace mlc {

/// A size of a buffer that only a run knows.
struct RuntimeSize final {
  mlir::Value buffer;
  unsigned axis;
};

/// One size of a buffer; kDynamic where it is not known.
using SizeOfBuffer = llvm::function_ref<int64_t(mlir::Value buffer, unsigned axis)>;

/// A number that depends on sizes of buffers: a sum of products, or not known at all.
class Amount final {
public:
  struct Term final {
    uint64_t factor;
    llvm::SmallVector<RuntimeSize, 4> sizes;
  };

  static Amount unknown() {
    Amount amount;
    amount.known = false;
    return amount;
  }
  void add(Term term) { terms.push_back(std::move(term)); }
  void add(const Amount &other);
  void multiply(uint64_t factor);

  bool isKnown() const { return known; }
  bool isOfRun() const;
  llvm::ArrayRef<Term> getTerms() const { return terms; }
  /// The number, with sizes by `sizeOf`; 0 where one is missing.
  uint64_t evaluate(SizeOfBuffer sizeOf = nullptr) const;

private:
  llvm::SmallVector<Term, 1> terms;
  bool known = true;
};

/// What one node does, by the sizes of its buffers.
struct SizedWork final {
  llvm::StringRef kind;
  Amount flops, bytes;
};

/// What one node does; unknown numbers are 0.
struct NodeWork final {
  llvm::StringRef kind;
  uint64_t flops = 0, bytes = 0;
};

/// The work of an op on buffers that is a kernel or a copy; nothing for others.
std::optional<SizedWork> sizedWorkOf(mlir::Operation *op);

/// The same as numbers. `sizeOf` may know more than the types.
std::optional<NodeWork> workOf(mlir::Operation *op, SizeOfBuffer sizeOf = nullptr);

/// The names of the nodes that an op came from, `fallback` where it does not say.
std::string nodeNameOf(mlir::Location loc, llvm::StringRef fallback);

} // namespace mlc

#endif
