//===- HeaderExport.h - the files that stand beside a compiled library --------------------------------------------*-
// C++ -*-===//
#ifndef MLC_LIB_EXPORT_HEADER_HEADEREXPORT_H
#define MLC_LIB_EXPORT_HEADER_HEADEREXPORT_H

#include "lib/Support/Signature.h"

#include <string>

namespace mlc {

/// The typed C header of a model; it includes nothing but <stdint.h>.
std::string exportHeader(const ModelSignature &signature, const ModelSignature *gradient = nullptr);

/// A pkg-config file for the library `lib` (a file name) in the same folder; `stem` is the name of the package.
std::string exportPkgConfig(const ModelSignature &signature, const std::string &stem, const std::string &lib);

/// A CMake package for the same: an imported target `<stem>::<stem>`.
std::string exportCMakeConfig(const ModelSignature &signature, const std::string &stem, const std::string &lib,
                              bool shared);

/// `name` with everything but letters, digits and _ as _; never a keyword of C or C++, never empty.
std::string toIdentifier(const std::string &name);

} // namespace mlc

#endif
