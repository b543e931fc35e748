//===- Partitions.cpp - a module becomes many that compile apart --------------------------------------------------===//
//
// Each kernel (an internal function that is not to be inlined) becomes a module of its own, together with the internal
// functions and constants that it uses; what is left, the entry and the model's interface, stays. A kernel is named by
// the hash of its contents, so that the same kernel is the same bytes in every model: it is compiled once, and its
// object is found in the cache again. The cut depends on the module alone, never on the number of threads.
// Precondition: what several kernels share is constant, and kernels do not call themselves. Linear in the module.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "lib/Target/Cpu/CpuTarget.h"

#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Bitcode/BitcodeWriter.h"
#include "llvm/IR/InstIterator.h"
#include "llvm/IR/Instructions.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Transforms/Utils/Cloning.h"
#include "llvm/Transforms/Utils/ValueMapper.h"

using namespace llvm;

namespace mlc {

namespace {

bool isKernel(const GlobalValue *value) {
  auto *function = dyn_cast<Function>(value);
  return function && !function->isDeclaration() && function->hasLocalLinkage() &&
         function->hasFnAttribute(Attribute::NoInline);
}

/// Adds the globals that `value` refers to, directly or inside of constants.
void collectGlobals(const Value *value, SmallPtrSetImpl<const Value *> &seen, SetVector<GlobalValue *> &globals) {
  auto *constant = dyn_cast<Constant>(value);
  if (!constant || !seen.insert(constant).second)
    return;
  if (auto *global = dyn_cast<GlobalValue>(constant)) {
    globals.insert(const_cast<GlobalValue *>(global));
    return;
  }
  for (const Use &operand : constant->operands())
    collectGlobals(operand, seen, globals);
}

class Partitioner final {
public:
  explicit Partitioner(Module &module) : module(module) {}

  std::vector<Partition> run() {
    SmallVector<Function *> kernels;
    for (Function &function : module)
      if (isKernel(&function))
        kernels.push_back(&function);
    for (Function *kernel : kernels)
      extract(kernel);
    for (Function *kernel : replaced)
      kernel->eraseFromParent();
    std::string bitcode = bitcodeOf(module);
    partitions.insert(partitions.begin(), {module.getModuleIdentifier(), std::move(bitcode)});
    return std::move(partitions);
  }

private:
  static std::string bitcodeOf(Module &part) {
    std::string bytes;
    raw_string_ostream stream(bytes);
    WriteBitcodeToFile(part, stream);
    return bytes;
  }

  /// All that `kernel` needs, in the order of its first use. Kernels that it calls are extracted first.
  SetVector<GlobalValue *> reach(Function *kernel) {
    SetVector<GlobalValue *> globals;
    SmallPtrSet<const Value *, 32> seen;
    globals.insert(kernel);
    for (size_t i = 0; i < globals.size(); ++i) {
      GlobalValue *global = globals[i];
      if (auto *function = dyn_cast<Function>(global)) {
        if (function != kernel && isKernel(function)) {
          extract(function);
          return reach(kernel); // its name is another now, and it may be an equal one
        }
        for (const Instruction &instruction : instructions(function))
          for (const Use &operand : instruction.operands())
            collectGlobals(operand, seen, globals);
      } else if (auto *variable = dyn_cast<GlobalVariable>(global);
                 variable && variable->isConstant() && variable->hasLocalLinkage()) {
        collectGlobals(variable->getInitializer(), seen, globals);
      }
    }
    return globals;
  }

  void extract(Function *kernel) {
    if (kernel->isDeclaration())
      return;
    SetVector<GlobalValue *> globals = reach(kernel);
    Module part("kernel", module.getContext());
    part.setTargetTriple(module.getTargetTriple());
    part.setDataLayout(module.getDataLayout());
    ValueToValueMapTy map;
    unsigned number = 0;
    SmallVector<std::pair<Function *, Function *>> bodies;
    SmallVector<std::pair<GlobalVariable *, GlobalVariable *>> values;
    for (GlobalValue *global : globals) {
      // Names of what is internal say nothing, but would tell the same kernel of two models apart.
      std::string name = global->hasLocalLinkage() ? "local_" + std::to_string(number++) : global->getName().str();
      if (auto *function = dyn_cast<Function>(global)) {
        bool isOwn = !function->isDeclaration();
        auto *copy =
            Function::Create(function->getFunctionType(),
                             isOwn && function != kernel ? function->getLinkage() : GlobalValue::ExternalLinkage,
                             function->getAddressSpace(), name, &part);
        copy->copyAttributesFrom(function);
        if (isOwn)
          bodies.emplace_back(copy, function);
        map[function] = copy;
        continue;
      }
      auto *variable = cast<GlobalVariable>(global);
      bool isOwn = variable->isConstant() && variable->hasLocalLinkage();
      if (!isOwn && variable->hasLocalLinkage()) { // one for all
        variable->setName("mlc_shared");
        variable->setLinkage(GlobalValue::ExternalLinkage);
        variable->setVisibility(GlobalValue::HiddenVisibility);
        name = variable->getName().str();
      }
      auto *copy = new GlobalVariable(part, variable->getValueType(), variable->isConstant(),
                                      isOwn ? variable->getLinkage() : GlobalValue::ExternalLinkage, nullptr, name,
                                      nullptr, variable->getThreadLocalMode(), variable->getAddressSpace());
      copy->copyAttributesFrom(variable);
      if (isOwn)
        values.emplace_back(copy, variable);
      map[variable] = copy;
    }
    for (auto [copy, variable] : values)
      copy->setInitializer(MapValue(variable->getInitializer(), map));
    for (auto [copy, function] : bodies) {
      for (auto [argument, original] : zip(copy->args(), function->args()))
        map[&original] = &argument;
      SmallVector<ReturnInst *> returns;
      CloneFunctionInto(copy, function, map, CloneFunctionChangeType::DifferentModule, returns);
    }
    if (NamedMDNode *units = part.getNamedMetadata("llvm.dbg.cu")) // which cloning adds, empty
      units->eraseFromParent();
    auto *copy = cast<Function>(static_cast<Value *>(map[kernel]));
    copy->setName("kernel");
    std::string name = "mlc_kernel_" + hashOf(bitcodeOf(part));
    copy->setName(name);
    copy->setVisibility(GlobalValue::HiddenVisibility);

    if (Function *same = module.getFunction(name)) { // another kernel with these contents
      kernel->replaceAllUsesWith(same);
      kernel->deleteBody();
      kernel->setLinkage(GlobalValue::ExternalLinkage);
      replaced.push_back(kernel);
      return;
    }
    partitions.push_back({name, bitcodeOf(part)});
    kernel->deleteBody();
    kernel->setLinkage(GlobalValue::ExternalLinkage);
    kernel->setVisibility(GlobalValue::HiddenVisibility);
    kernel->setName(name);
  }

  static std::string hashOf(StringRef bytes) {
    return toHex(BLAKE3::hash<16>(ArrayRef(bytes.bytes_begin(), bytes.size())), /*LowerCase=*/true);
  }

  Module &module;
  std::vector<Partition> partitions;
  SmallVector<Function *> replaced;
};

} // namespace

std::vector<Partition> splitModule(Module &module) { return Partitioner(module).run(); }

} // namespace mlc
