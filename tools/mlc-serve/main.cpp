//===- main.cpp - the server of compiled models ------------------------------------------------------------------===//
#include "Commands.h"

#include "runtime/serve/ModelServer.h"
#include "runtime/serve/Options.h"

int main(int argc, char **argv) {
  if (isRepositoryCommand(argc, argv))
    return runRepositoryCommand(argc, argv);
  int exitCode = 0;
  auto options = mlc::serve::parseOptions(argc, argv, exitCode);
  return options ? mlc::serve::runModelServer(*options) : exitCode;
}
