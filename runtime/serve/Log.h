//===- Log.h - what an operator should know ------------------------------------------------------------ -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_LOG_H
#define MLC_RUNTIME_SERVE_LOG_H

#include <functional>
#include <string>

namespace mlc::serve {

/// Takes one line without an end; called on any thread.
using Log = std::function<void(const std::string &message)>;

} // namespace mlc::serve

#endif
