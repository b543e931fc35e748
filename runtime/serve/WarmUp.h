//===- WarmUp.h - what a version has to do before it serves --------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_WARMUP_H
#define MLC_RUNTIME_SERVE_WARMUP_H

#include "runtime/serve/Version.h"

#include <optional>

namespace mlc::serve {

/// Runs the requests of assets.extra/tf_serving_warmup_requests, each `iterations` times; nothing where there is no
/// such file. The report's status is DATA_LOSS where it is damaged, INVALID_ARGUMENT for more than 1000 records,
/// UNIMPLEMENTED for records of other kinds, or what a request fails with.
std::optional<WarmUpReport> warmUp(Version &version, int iterations);

/// Compares the version's outputs with those of assets.extra/golden/*.safetensors: tensors "inputs/NAME" and
/// "outputs/NAME", and in the metadata `rtol` and `atol` (1e-4 and 1e-5). Throws Error FAILED_PRECONDITION that names
/// the first element that differs, DATA_LOSS where a file is damaged.
void checkGolden(Version &version);

} // namespace mlc::serve

#endif
