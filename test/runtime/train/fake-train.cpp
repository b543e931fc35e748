//===- fake-train.cpp - the executable of the hand-written program -----------------------------------------------===//
//
// $FAKE_CONFIG replaces the program's config, as another train block would.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "FakeProgram.h"

#include <cstdlib>

int main(int argc, char **argv) { return mlc_train_main(fakeProgram(std::getenv("FAKE_CONFIG")), argc, argv); }
