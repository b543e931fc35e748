//===- Main.cpp - the main function of a training executable -----------------------------------------------------===//
#include "runtime/train/InputError.h"
#include "runtime/train/Training.h"

#include <cstdio>
#include <new>

extern "C" int mlc_train_main(const mlc_train_info *info, int argc, char **argv) {
  using namespace mlc::train;
  if (info->abi_version != MLC_ABI_VERSION || info->struct_size != sizeof(mlc_train_info)) {
    std::fprintf(stderr, "error: the program was compiled for another version of the runtime\n");
    return 70;
  }
  std::string speaker;
  // The first process speaks for all of what all see; others only where they alone know.
  auto fail = [&](int code, const std::string &message) {
    if (Communicator::isFirst() || !speaker.empty())
      std::fprintf(stderr, "%serror: %s\n", speaker.c_str(), message.c_str());
    return code;
  };
  auto run = [&]() {
    Json config = Json::parse(info->config);
    Options options;
    int code = 0;
    if (!parseOptions(*info, config, argc, argv, options, code))
      return code;
    Communicator communicator;
    if (communicator.rank() > 0)
      speaker = "process " + std::to_string(communicator.rank()) + ": ";
    try {
      if (options.command == "train")
        train(*info, config, options, communicator);
      else if (options.command == "evaluate")
        evaluate(*info, config, options, communicator);
      else if (communicator.rank() == 0)
        predict(*info, options);
      return 0;
    } catch (const InputError &error) {
      code = fail(1, error.what());
    } catch (const UsageError &error) {
      code = fail(2, error.what());
    } catch (const std::bad_alloc &) {
      code = fail(1, "out of memory");
    } catch (const std::exception &error) {
      code = fail(70, std::string(error.what()) + " (a bug of mlc)");
    }
    communicator.abort(code);
    return code;
  };
  try {
    return run();
  } catch (const InputError &error) {
    return fail(1, error.what());
  } catch (const std::exception &error) {
    return fail(70, std::string(error.what()) + " (a bug of mlc)");
  }
}
