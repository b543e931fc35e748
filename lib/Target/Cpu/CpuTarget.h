//===- CpuTarget.h - from an LLVM module to a native artifact ----------------------------------------------------===//
//
// In process: LLVM optimises and generates code, LLD links. Nothing is shelled out to, and files appear under their
// names only when they are complete.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_LIB_TARGET_CPU_CPUTARGET_H
#define MLC_LIB_TARGET_CPU_CPUTARGET_H

#include "lib/Support/Signature.h"
#include "lib/Support/WeightStore.h"
#include "passes/TargetProperties.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

#include <memory>
#include <string>
#include <vector>

namespace mlc {

struct CpuTargetOptions {
  /// Empty: this machine's.
  std::string triple;
  /// A name that LLVM knows, or "native".
  std::string cpu = "native";
  /// What it has beyond its name, as "+avx512vnni,…".
  std::string features = "";
  /// 0 to 3.
  unsigned optLevel = 3;
};

/// The machine to generate code for; fails for a triple or a CPU that LLVM does not know.
llvm::Expected<std::unique_ptr<llvm::TargetMachine>> createTargetMachine(const CpuTargetOptions &options);

/// What the passes may know of `machine`; with `isNative` its caches are those of this machine.
TargetProperties describeTarget(const llvm::TargetMachine &machine, bool isNative);

/// The processors that code of --mcpu=multi is for, in the order of mlc_rt_create_multi.
struct CpuLevel {
  /// Ends the names of what belongs to the level.
  const char *suffix;
  const char *cpu, *features;
};
llvm::ArrayRef<CpuLevel> getCpuLevels();

/// A model's code for one processor.
struct ModelEntry {
  /// The function from frames.
  std::string function;
  uint64_t arenaBytes = 0;
  /// Where its weights begin in the blob.
  uint64_t weightsOffset = 0;
  /// What the marks of the function are of.
  std::vector<NodeSignature> nodes;
};

/// Names the function `<name>` of `module`, which computes the model, for other modules.
void nameEntry(llvm::Module &module, llvm::StringRef name, llvm::StringRef entry);

/// What the outside calls: a model, or its gradients. Several entries are those of getCpuLevels(), chosen when a
/// context is created.
struct ModelInterface {
  ModelSignature signature;
  std::vector<ModelEntry> entries;
};

/// Adds what the outside calls to the module that has the first entry: the descriptor, `<name>_create`, `_run`,
/// `_destroy`, `_api`; of `gradient`, where it has entries, too. With `libraryApi`, MLC_LIBRARY_API_SYMBOL as well,
/// which a program may hold only once. `externalWeights` is the name of a file beside the library, or empty for weights
/// in the artifact.
void emitModelInterface(llvm::Module &module, const ModelInterface &model, const ModelInterface &gradient,
                        bool libraryApi, llvm::StringRef externalWeights);

/// A state of a training program, as mlc_state_info.
struct StateSignature {
  std::string name;
  mlc_dtype dtype;
  std::vector<int64_t> sizes;
  /// Bytes from the begin of the state.
  uint64_t offset;
  mlc_state_role role;
  /// Where its first bytes are in the blob, if they are there.
  std::optional<uint64_t> data;
  /// Otherwise what it starts as, a JSON object; empty for zeros.
  std::string initializer;
};

/// A training program, as mlc_train_info.
struct TrainingSignature {
  std::string name, config;
  /// step, gradients, apply, evaluate, predict; each a function from frames.
  std::vector<std::pair<ModelSignature, ModelEntry>> entries;
  std::vector<StateSignature> states;
  uint64_t stateBytes = 0;
  /// Size of the blob of first bytes.
  uint64_t weightsBytes = 0;
  /// The model as ONNX without its weights; empty where there is none, for `onnxReason`.
  std::string onnx, onnxReason;
};

/// Adds the descriptor of a training program and `main` to the module that has its entries.
void emitTrainingProgram(llvm::Module &module, const TrainingSignature &program);

/// Sets the target and runs LLVM's pipeline of `optLevel` on the module as a whole.
void optimizeModule(llvm::Module &module, llvm::TargetMachine &machine, unsigned optLevel);

/// Writes assembly or an object.
llvm::Error emitCode(llvm::Module &module, llvm::TargetMachine &machine, llvm::CodeGenFileType kind,
                     llvm::raw_pwrite_stream &out);

/// A module that compiles apart from the others of a model, as bitcode.
struct Partition {
  std::string name, bitcode;
};

/// Cuts `module`, which is left as the first partition: one for each kernel, with hidden names between them.
std::vector<Partition> splitModule(llvm::Module &module);

/// Optimises `module` in partitions, on `threads` threads (0: as many as there are processors), and gives an object for
/// each, the same for every number of threads. Objects that `cacheFolder` has are not compiled again; empty: none.
llvm::Expected<std::vector<std::string>> emitObjects(llvm::Module &module, const CpuTargetOptions &options,
                                                     unsigned threads, const std::string &cacheFolder);

/// Weights at their places in the blob, ordered, and the size of the whole.
struct WeightBlob {
  std::vector<WeightSegment> segments;
  uint64_t bytes = 0;
};

/// Writes the blob alone, as an external file.
llvm::Error writeWeights(const WeightBlob &blob, llvm::raw_ostream &out);

/// Writes an ELF object that holds the blob under the hidden symbol `<name>_weights`, streamed, without a copy.
llvm::Error writeWeightsObject(const WeightBlob &blob, llvm::StringRef name, llvm::StringRef triple,
                               llvm::raw_ostream &out);

/// Links objects with the runtime into a shared library that needs libc and libm. `exports` stay visible.
llvm::Error linkSharedLibrary(llvm::ArrayRef<std::string> objects, llvm::StringRef runtime, llvm::StringRef triple,
                              llvm::StringRef soname, llvm::StringRef output);

/// Links objects with the runtimes into an executable that needs libc and libm.
llvm::Error linkExecutable(llvm::ArrayRef<std::string> objects, llvm::ArrayRef<std::string> runtimes,
                           llvm::StringRef triple, llvm::StringRef output);

/// Joins objects into one of which only what is not hidden stays visible.
llvm::Error linkObject(llvm::ArrayRef<std::string> objects, llvm::StringRef output);

/// Puts objects and the runtime into one archive; only what is not hidden stays visible, so that several fit a program.
llvm::Error linkArchive(llvm::ArrayRef<std::string> objects, llvm::ArrayRef<std::string> alone, llvm::StringRef runtime,
                        llvm::StringRef output);

/// A runtime archive (`libmlcrt.a`, `libmlctrain.a`) for linking code of `triple`, found beside the running program: in
/// lib/ for this machine's architecture, in lib/<architecture>-linux-gnu/ for another one. Fails where it is not.
llvm::Expected<std::string> findRuntime(llvm::StringRef archive, llvm::StringRef program, llvm::StringRef triple);

} // namespace mlc

#endif
