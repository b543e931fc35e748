//===- InitialWeights.h - the weights of a model that nobody has trained -----------------------------------------===//
#ifndef MLC_LIB_DRIVER_INITIALWEIGHTS_H
#define MLC_LIB_DRIVER_INITIALWEIGHTS_H

#include "dialects/Graph/GraphDialect.h"
#include "lib/Support/WeightStore.h"
#include "llvm/Support/Error.h"

namespace mlc {

/// Defines the bytes of a parameter that has an initializer, as a training executable with seed 0 begins with them.
/// Fails for an initializer that is not known.
llvm::Error defineInitialWeight(graph::ParameterOp parameter, WeightStore &weights);

} // namespace mlc

#endif
