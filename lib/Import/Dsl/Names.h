//===- Names.h - checking the names of what is not executed ------------------------------------------------------===//
#ifndef MLC_LIB_IMPORT_DSL_NAMES_H
#define MLC_LIB_IMPORT_DSL_NAMES_H

#include "lib/Import/Dsl/Ast.h"

namespace mlc::dsl {

/// Reports the names in a block that nothing defines before; for blocks that no call reaches, whose other errors nobody
/// can tell.
void checkNames(const File &file, const Block &block, Diagnostics &diagnostics);

} // namespace mlc::dsl

#endif
