//===- ModelServer.h - the running server -------------------------------------------------------------- -*- C++
//-*-===//
#ifndef MLC_RUNTIME_SERVE_MODELSERVER_H
#define MLC_RUNTIME_SERVE_MODELSERVER_H

#include "runtime/serve/Options.h"

namespace mlc::serve {

/// Serves models until SIGTERM or SIGINT: loads them, opens the ports, and at the end is not ready, finishes what is in
/// flight and closes. SIGHUP opens the access log anew and reads the models' configuration again. Returns the exit
/// code: 0 after a drain in time, 1 where models or ports are at fault (the message is on standard error).
int runModelServer(const Options &options);

} // namespace mlc::serve

#endif
