//===- main.cpp - the server of compiled models ------------------------------------------------------------------===//
#include "runtime/serve/ModelServer.h"
#include "runtime/serve/Options.h"

#include <string_view>

int main(int argc, char **argv) {
  int exitCode = 0;
  auto options = mlc::serve::parseOptions(argc, argv, exitCode);
  return options ? mlc::serve::runModelServer(*options) : exitCode;
}
