//===- Kinds.h - what arguments may be ---------------------------------------------------------------------------===//
//
// The kinds that signatures name:
//   tensor, tensors       a tensor; a list of them
//   count, natural        whole numbers from 1 and from 0 on; integer: any
//   number, positive      any number; one above 0; fraction: in [0, 1]; rate: in [0, 1)
//   counts, integers      a whole number (from 1 on), or a list of them; numbers: a list of numbers
//   size, sizes           a whole number or a symbol; a list of them
//   bool, string, none, any, function, dtype
//   initializer, loss …   a member of a group; every other word stands for itself
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_KINDS_H
#define MLC_LIB_IMPORT_DSL_KINDS_H

#include "lib/Import/Dsl/Datum.h"

namespace mlc::dsl {

/// Whether `kind` is one of the general kinds above, not a group and not a word that stands for itself.
bool isGeneralKind(llvm::StringRef kind);

/// Whether `kind` is the plural of a group: "metrics".
bool isListOfGroup(llvm::StringRef kind);

/// Whether a parameter is what a layer is applied to.
bool takesTensor(const Parameter &parameter);

/// The value as the kind has it, or nothing where it is none of the kind.
std::optional<Datum> matchKind(const Datum &value, llvm::StringRef kind);

/// "a whole number from 1 on or none"
std::string describeKinds(llvm::ArrayRef<Name> kinds);

/// `name` and `frozen`, which every layer and block has.
std::vector<Parameter> universalParameters();

/// A value as an attribute, by the kind of its parameter; null for none.
mlir::Attribute toAttribute(const Datum &value, const Parameter &parameter, mlir::Builder &b);

} // namespace mlc::dsl

#endif
