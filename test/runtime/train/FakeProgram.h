//===- FakeProgram.h - a training program that is written by hand ------------------------------------ -*- C++ -*-===//
#ifndef MLC_TEST_RUNTIME_TRAIN_FAKEPROGRAM_H
#define MLC_TEST_RUNTIME_TRAIN_FAKEPROGRAM_H

#include "mlc/abi.h"

/// Softmax regression of 3 classes on x[N, 4], SGD with momentum, a counter as a running statistic and an average of
/// the weights, as the compiler would make it. `config` replaces the program's own where it is not NULL.
const mlc_train_info *fakeProgram(const char *config);

#endif
