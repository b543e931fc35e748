//===- Training.h - what a training executable does -------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_TRAINING_H
#define MLC_RUNTIME_TRAIN_TRAINING_H

#include "runtime/train/Communicator.h"
#include "runtime/train/Options.h"

namespace mlc::train {

/// The three commands; `config` is the program's. They throw InputError and UsageError.
void train(const mlc_train_info &info, const Json &config, const Options &options, Communicator &communicator);
void evaluate(const mlc_train_info &info, const Json &config, const Options &options, Communicator &communicator);
void predict(const mlc_train_info &info, const Options &options);

/// 1, or 4 under mpirun (the number of processes where that does not divide 4), unless the user says.
int64_t shardsOf(const Options &options, const Communicator &communicator);

} // namespace mlc::train

#endif
