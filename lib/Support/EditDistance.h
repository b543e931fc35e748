//===- EditDistance.h - what a misspelt name was meant to be -----------------------------------------------------===//
#ifndef MLC_LIB_SUPPORT_EDITDISTANCE_H
#define MLC_LIB_SUPPORT_EDITDISTANCE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlc {

/// "did you mean 'conv2d'?" for the candidate that is nearest to `name`, or empty when none is near.
inline std::string suggestName(llvm::StringRef name, llvm::ArrayRef<std::string> candidates) {
  unsigned best = std::max<unsigned>(1, static_cast<unsigned>(name.size()) / 3) + 1;
  llvm::StringRef nearest;
  for (llvm::StringRef candidate : candidates)
    if (unsigned distance = name.edit_distance(candidate, true, best); distance < best) {
      best = distance;
      nearest = candidate;
    }
  return nearest.empty() ? "" : "did you mean '" + nearest.str() + "'?";
}

} // namespace mlc

#endif
