//===- ConvertRtToLLVM.cpp - everything below loops becomes the LLVM dialect -------------------------------------===//
//
// The frame is a pointer to `mlc_frame` (mlc/abi.h): inputs, weights and the arena are loads from it; outputs and
// dynamic buffers are calls of the runtime. A failing `cf.assert` calls mlc_rt_fail, which does not return. Upstream
// patterns convert the rest in the same sweep.
//
//===----------------------------------------------------------------------------------------------------------===//
#include "dialects/Graph/GraphDialect.h"
#include "dialects/Rt/RtDialect.h"
#include "dialects/Train/TrainDialect.h"
#include "mlc/abi.h"
#include "passes/Conversion/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVM.h"
#include "mlir/Conversion/IndexToLLVM/IndexToLLVM.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MemRefToLLVM/MemRefToLLVM.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/FunctionCallUtils.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <cstddef>

namespace mlc {
#define GEN_PASS_DEF_CONVERTRTTOLLVMPASS
#include "passes/Conversion/Passes.h.inc"
} // namespace mlc

using namespace mlir;

namespace {

/// The pointer `bytes` behind `base`.
Value offsetBy(OpBuilder &b, Location loc, Value base, int64_t bytes) {
  if (bytes == 0)
    return base;
  return LLVM::GEPOp::create(b, loc, base.getType(), b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(bytes)});
}

/// As above, for offsets beyond 2 GiB.
Value offsetByWide(OpBuilder &b, Location loc, Value base, int64_t bytes) {
  Value offset = LLVM::ConstantOp::create(b, loc, b.getI64IntegerAttr(bytes));
  return LLVM::GEPOp::create(b, loc, base.getType(), b.getI8Type(), base, ArrayRef<LLVM::GEPArg>{offset});
}

Value loadPointer(OpBuilder &b, Location loc, Value base, int64_t offset) {
  auto load = LLVM::LoadOp::create(b, loc, base.getType(), offsetBy(b, loc, base, offset));
  load.setInvariant(true);
  return load;
}

template <typename Op> struct RtPattern : ConvertOpToLLVMPattern<Op> {
  using ConvertOpToLLVMPattern<Op>::ConvertOpToLLVMPattern;

protected:
  /// A descriptor of contiguous memory.
  Value describe(Location loc, MemRefType type, Value pointer, ValueRange dynamicSizes,
                 ConversionPatternRewriter &rewriter) const {
    SmallVector<Value> sizes, strides;
    Value total;
    this->getMemRefDescriptorSizes(loc, type, dynamicSizes, rewriter, sizes, strides, total, /*sizeInBytes=*/false);
    return Value(this->createMemRefDescriptor(loc, type, pointer, pointer, sizes, strides, rewriter));
  }

  Value call(Operation *op, StringRef name, TypeRange arguments, Type result, ValueRange values,
             ConversionPatternRewriter &rewriter) const {
    auto module = op->getParentOfType<ModuleOp>();
    auto callee = LLVM::lookupOrCreateFn(rewriter, module, name, SmallVector<Type>(arguments), result);
    auto call = LLVM::CallOp::create(rewriter, op->getLoc(), *callee, values);
    return call.getNumResults() ? call.getResult() : Value();
  }

  /// Whether a pointer of the frame is not null.
  Value isSet(Location loc, Value frame, size_t pointerOffset, ConversionPatternRewriter &rewriter) const {
    // Not an invariant load: LLVM would make a second copy of the whole function, for runs of the other kind.
    Value pointer =
        LLVM::LoadOp::create(rewriter, loc, this->getPtrType(), offsetBy(rewriter, loc, frame, pointerOffset));
    Value none = LLVM::ZeroOp::create(rewriter, loc, this->getPtrType());
    return LLVM::ICmpOp::create(rewriter, loc, LLVM::ICmpPredicate::ne, pointer, none);
  }
};

struct LowerInputSize final : RtPattern<mlc::rt::InputSizeOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::InputSizeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value table = loadPointer(rewriter, op.getLoc(), adaptor.getFrame(), offsetof(mlc_frame, input_sizes));
    Value sizes = loadPointer(rewriter, op.getLoc(), table, 8 * op.getIndex());
    auto size = rewriter.replaceOpWithNewOp<LLVM::LoadOp>(op, getIndexType(),
                                                          offsetBy(rewriter, op.getLoc(), sizes, 8 * op.getAxis()));
    size.setInvariant(true);
    return success();
  }
};

struct LowerInput final : RtPattern<mlc::rt::InputOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::InputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value table = loadPointer(rewriter, op.getLoc(), adaptor.getFrame(), offsetof(mlc_frame, inputs));
    Value pointer = loadPointer(rewriter, op.getLoc(), table, 8 * op.getIndex());
    rewriter.replaceOp(op,
                       describe(op.getLoc(), cast<MemRefType>(op.getType()), pointer, adaptor.getSizes(), rewriter));
    return success();
  }
};

/// Weights, and the states of a training program, which are in their place.
template <typename Op> struct LowerWeight final : RtPattern<Op> {
  using RtPattern<Op>::RtPattern;
  LogicalResult matchAndRewrite(Op op, typename Op::Adaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value blob = loadPointer(rewriter, op.getLoc(), adaptor.getFrame(), offsetof(mlc_frame, weights));
    Value pointer = offsetByWide(rewriter, op.getLoc(), blob, op.getOffset());
    rewriter.replaceOp(op, this->describe(op.getLoc(), cast<MemRefType>(op.getType()), pointer, {}, rewriter));
    return success();
  }
};

struct LowerWorkspace final : RtPattern<mlc::rt::WorkspaceOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::WorkspaceOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value arena = loadPointer(rewriter, op.getLoc(), adaptor.getFrame(), offsetof(mlc_frame, arena));
    Value pointer = offsetByWide(rewriter, op.getLoc(), arena, op.getOffset());
    rewriter.replaceOp(op,
                       describe(op.getLoc(), cast<MemRefType>(op.getType()), pointer, adaptor.getSizes(), rewriter));
    return success();
  }
};

struct LowerOutput final : RtPattern<mlc::rt::OutputOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::OutputOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> sizes, strides;
    Value total;
    getMemRefDescriptorSizes(loc, type, adaptor.getSizes(), rewriter, sizes, strides, total, /*sizeInBytes=*/false);
    Type pointerType = getPtrType();
    Value array;
    {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(&op->getParentOp()->getRegion(0).front());
      Value count =
          LLVM::ConstantOp::create(rewriter, loc, rewriter.getI64IntegerAttr(std::max<int64_t>(1, type.getRank())));
      array = LLVM::AllocaOp::create(rewriter, loc, pointerType, rewriter.getI64Type(), count);
    }
    for (auto [axis, size] : llvm::enumerate(sizes))
      LLVM::StoreOp::create(rewriter, loc, size, offsetBy(rewriter, loc, array, 8 * axis));
    Value index = LLVM::ConstantOp::create(rewriter, loc, rewriter.getI32IntegerAttr(op.getIndex()));
    Value pointer = call(op, "mlc_rt_output", {pointerType, rewriter.getI32Type(), pointerType}, pointerType,
                         {adaptor.getFrame(), index, array}, rewriter);
    rewriter.replaceOp(op, Value(createMemRefDescriptor(loc, type, pointer, pointer, sizes, strides, rewriter)));
    return success();
  }
};

struct LowerAlloc final : RtPattern<mlc::rt::AllocOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::AllocOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(op.getType());
    SmallVector<Value> sizes, strides;
    Value bytes;
    getMemRefDescriptorSizes(loc, type, adaptor.getSizes(), rewriter, sizes, strides, bytes, /*sizeInBytes=*/false);
    bytes = bytesOf(op, adaptor.getSizes(), rewriter);
    Value pointer = call(op, "mlc_rt_alloc", {getPtrType(), rewriter.getI64Type()}, getPtrType(),
                         {adaptor.getFrame(), bytes}, rewriter);
    rewriter.replaceOp(op, Value(createMemRefDescriptor(loc, type, pointer, pointer, sizes, strides, rewriter)));
    return success();
  }

private:
  /// The product of the sizes in bytes; what does not fit, a negative size included, is more than the runtime has.
  static Value bytesOf(mlc::rt::AllocOp op, ValueRange dynamicSizes, ConversionPatternRewriter &rewriter) {
    Location loc = op.getLoc();
    auto type = cast<MemRefType>(op.getType());
    int64_t fixed = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
    for (int64_t size : type.getShape())
      fixed *= ShapedType::isDynamic(size) ? 1 : size;
    Type i64 = rewriter.getI64Type(), i1 = rewriter.getI1Type();
    auto pair = LLVM::LLVMStructType::getLiteral(rewriter.getContext(), {i64, i1});
    Value total = LLVM::ConstantOp::create(rewriter, loc, rewriter.getI64IntegerAttr(fixed));
    Value most = LLVM::ConstantOp::create(rewriter, loc, rewriter.getI64IntegerAttr(-1));
    Value wraps = LLVM::ConstantOp::create(rewriter, loc, rewriter.getBoolAttr(false));
    for (Value size : dynamicSizes) {
      Value product = LLVM::UMulWithOverflowOp::create(rewriter, loc, pair, total, size);
      total = LLVM::ExtractValueOp::create(rewriter, loc, product, ArrayRef<int64_t>{0});
      Value flag = LLVM::ExtractValueOp::create(rewriter, loc, product, ArrayRef<int64_t>{1});
      wraps = LLVM::OrOp::create(rewriter, loc, wraps, flag);
    }
    return LLVM::SelectOp::create(rewriter, loc, wraps, most, total);
  }
};

struct LowerFree final : RtPattern<mlc::rt::FreeOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::FreeOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Value pointer = MemRefDescriptor(adaptor.getBuffer()).allocatedPtr(rewriter, op.getLoc());
    call(op, "mlc_rt_free", {getPtrType(), getPtrType()}, LLVM::LLVMVoidType::get(getContext()),
         {adaptor.getFrame(), pointer}, rewriter);
    rewriter.eraseOp(op);
    return success();
  }
};

/// A step of a region: a parallel loop or a call of a kernel.
struct Step final {
  Operation *op;
  int64_t node = -1; // of the mark behind it
  bool waits = false;

  FlatSymbolRefAttr kernel() const {
    if (auto loop = dyn_cast<mlc::rt::ParallelForOp>(op))
      return loop.getKernelAttr();
    return cast<func::CallOp>(op).getCalleeAttr();
  }
  OperandRange captures() const {
    if (auto loop = dyn_cast<mlc::rt::ParallelForOp>(op))
      return loop.getCaptures();
    return cast<func::CallOp>(op).getOperands();
  }
};

/// Steps are an array of `mlc_step` on the stack. The captures of each travel in a struct, also there, to a function
/// that unpacks them for the kernel.
template <typename Op> struct StepsPattern : RtPattern<Op> {
  using RtPattern<Op>::RtPattern;

protected:
  void run(Op op, Value frame, ArrayRef<Step> steps, ConversionPatternRewriter &rewriter) const {
    Location loc = op.getLoc();
    Type pointer = this->getPtrType(), i64 = rewriter.getI64Type(), i32 = rewriter.getI32Type();
    auto type = LLVM::LLVMStructType::getLiteral(rewriter.getContext(),
                                                 {pointer, pointer, i64, i64, i32, i32, i64}); // mlc_step
    Value array = reserve(op, LLVM::LLVMArrayType::get(type, steps.size()), rewriter);
    for (auto [i, step] : llvm::enumerate(steps)) {
      SmallVector<Value> captures;
      [[maybe_unused]] LogicalResult converted = rewriter.getRemappedValues(step.captures(), captures);
      assert(succeeded(converted) && "operands are converted before their users");
      auto record =
          LLVM::LLVMStructType::getLiteral(rewriter.getContext(), llvm::to_vector(ValueRange(captures).getTypes()));
      Value values = reserve(op, record, rewriter);
      for (auto [k, capture] : llvm::enumerate(captures))
        LLVM::StoreOp::create(rewriter, loc, capture, fieldOf(rewriter, loc, record, values, k));
      auto loop = dyn_cast<mlc::rt::ParallelForOp>(step.op);
      Value count = loop ? rewriter.getRemappedValue(loop.getCount()) : constant(i64, 1, loc, rewriter);
      Value place = offsetBy(rewriter, loc, array, static_cast<int64_t>(i * sizeof(mlc_step)));
      Value fields[] = {LLVM::AddressOfOp::create(rewriter, loc, pointer, bodyOf(step, record, rewriter)),
                        values,
                        count,
                        constant(i64, loop ? static_cast<int64_t>(loop.getGrain()) : 1, loc, rewriter),
                        constant(i32, step.node, loc, rewriter),
                        constant(i32, step.waits, loc, rewriter)};
      for (auto [k, field] : llvm::enumerate(fields))
        LLVM::StoreOp::create(rewriter, loc, field, fieldOf(rewriter, loc, type, place, k));
    }
    Value count = constant(i64, static_cast<int64_t>(steps.size()), loc, rewriter);
    this->call(op, "mlc_rt_parallel", {pointer, pointer, i64}, LLVM::LLVMVoidType::get(rewriter.getContext()),
               {frame, array, count}, rewriter);
    rewriter.eraseOp(op);
  }

private:
  static Value constant(Type type, int64_t value, Location loc, OpBuilder &b) {
    return LLVM::ConstantOp::create(b, loc, b.getIntegerAttr(type, value));
  }

  static Value fieldOf(OpBuilder &b, Location loc, Type record, Value base, size_t i) {
    return LLVM::GEPOp::create(b, loc, base.getType(), record, base,
                               ArrayRef<LLVM::GEPArg>{0, static_cast<int32_t>(i)});
  }

  /// Room on the stack of the function, also where `op` is in a loop.
  Value reserve(Op op, Type type, ConversionPatternRewriter &rewriter) const {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPointToStart(&op->getParentOp()->getRegion(0).front());
    Value one = constant(rewriter.getI64Type(), 1, op.getLoc(), rewriter);
    return LLVM::AllocaOp::create(rewriter, op.getLoc(), this->getPtrType(), type, one);
  }

  /// The name of void @kernel_step(captures, begin, end).
  std::string bodyOf(const Step &step, LLVM::LLVMStructType record, ConversionPatternRewriter &rewriter) const {
    auto module = step.op->getParentOfType<ModuleOp>();
    std::string name = (step.kernel().getValue() + "_step").str();
    if (module.lookupSymbol(name))
      return name;
    OpBuilder::InsertionGuard guard(rewriter);
    Location loc = step.op->getLoc();
    rewriter.setInsertionPointToEnd(module.getBody());
    Type pointer = this->getPtrType(), i64 = rewriter.getI64Type();
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(rewriter.getContext()), {pointer, i64, i64});
    auto function = LLVM::LLVMFuncOp::create(rewriter, loc, name, type, LLVM::Linkage::Internal);
    Block *entry = function.addEntryBlock(rewriter);
    rewriter.setInsertionPointToStart(entry);
    SmallVector<Value> values;
    for (auto [i, field] : llvm::enumerate(record.getBody()))
      values.push_back(
          LLVM::LoadOp::create(rewriter, loc, field, fieldOf(rewriter, loc, record, entry->getArgument(0), i)));
    auto arguments = this->getTypeConverter()->promoteOperands(loc, step.captures(), ValueRange(values), rewriter);
    if (isa<mlc::rt::ParallelForOp>(step.op))
      arguments.append({entry->getArgument(1), entry->getArgument(2)});
    LLVM::CallOp::create(rewriter, loc, TypeRange(), step.kernel(), arguments);
    LLVM::ReturnOp::create(rewriter, loc, ValueRange());
    return name;
  }
};

/// A loop alone is a region of one step.
struct LowerParallelFor final : StepsPattern<mlc::rt::ParallelForOp> {
  using StepsPattern::StepsPattern;
  LogicalResult matchAndRewrite(mlc::rt::ParallelForOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    run(op, adaptor.getFrame(), Step{op}, rewriter);
    return success();
  }
};

struct LowerParallel final : StepsPattern<mlc::rt::ParallelOp> {
  using StepsPattern::StepsPattern;
  LogicalResult matchAndRewrite(mlc::rt::ParallelOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    SmallVector<Step> steps;
    bool waits = false;
    for (Operation &inner : op.getBody().front())
      if (isa<mlc::rt::BarrierOp>(inner)) {
        waits = true;
      } else if (auto mark = dyn_cast<mlc::rt::MarkOp>(inner)) {
        steps.back().node = mark.getNode();
      } else {
        steps.push_back({&inner, -1, waits});
        waits = false;
      }
    run(op, adaptor.getFrame(), steps, rewriter);
    return success();
  }
};

/// Calls a function of the runtime with the frame and a number, where a pointer of the frame is not null.
template <typename Op> struct NotifyPattern : RtPattern<Op> {
  using RtPattern<Op>::RtPattern;

protected:
  void notify(Op op, Value frame, size_t pointerOffset, StringRef callee, IntegerAttr number,
              ConversionPatternRewriter &rewriter) const {
    Location loc = op.getLoc();
    Block *before = rewriter.getInsertionBlock();
    Region *function = before->getParent();
    Block *after = rewriter.splitBlock(before, op->getIterator());
    Block *calling = rewriter.createBlock(function, function->end());
    Value argument = LLVM::ConstantOp::create(rewriter, loc, number);
    this->call(op, callee, {this->getPtrType(), number.getType()}, LLVM::LLVMVoidType::get(this->getContext()),
               {frame, argument}, rewriter);
    LLVM::BrOp::create(rewriter, loc, ValueRange{}, after);
    rewriter.setInsertionPointToEnd(before);
    Value isWanted = this->isSet(loc, frame, pointerOffset, rewriter);
    LLVM::CondBrOp::create(rewriter, loc, isWanted, calling, ValueRange{}, after, ValueRange{},
                           std::pair<uint32_t, uint32_t>(1, 1000));
    rewriter.eraseOp(op);
  }
};

/// Calls the runtime where the run is profiled.
struct LowerMark final : NotifyPattern<mlc::rt::MarkOp> {
  using NotifyPattern::NotifyPattern;
  LogicalResult matchAndRewrite(mlc::rt::MarkOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    notify(op, adaptor.getFrame(), offsetof(mlc_frame, profile), "mlc_rt_mark",
           rewriter.getI32IntegerAttr(static_cast<int32_t>(op.getNode())), rewriter);
    return success();
  }
};

struct LowerProfiled final : RtPattern<mlc::rt::ProfiledOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::ProfiledOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, isSet(op.getLoc(), adaptor.getFrame(), offsetof(mlc_frame, profile), rewriter));
    return success();
  }
};

struct LowerWork final : RtPattern<mlc::rt::WorkOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(mlc::rt::WorkOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Type i32 = rewriter.getI32Type(), i64 = rewriter.getI64Type();
    Value node =
        LLVM::ConstantOp::create(rewriter, op.getLoc(), rewriter.getI32IntegerAttr(static_cast<int32_t>(op.getNode())));
    call(op, "mlc_rt_work", {getPtrType(), i32, i64, i64}, LLVM::LLVMVoidType::get(getContext()),
         {adaptor.getFrame(), node, adaptor.getFlops(), adaptor.getBytes()}, rewriter);
    rewriter.eraseOp(op);
    return success();
  }
};

/// Calls the runtime where somebody listens.
struct LowerReady final : NotifyPattern<mlc::rt::ReadyOp> {
  using NotifyPattern::NotifyPattern;
  LogicalResult matchAndRewrite(mlc::rt::ReadyOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    notify(op, adaptor.getFrame(), offsetof(mlc_frame, listener), "mlc_rt_ready", op.getOffsetAttr(), rewriter);
    return success();
  }
};

/// A failing check leaves the run with its message.
struct LowerAssert final : RtPattern<cf::AssertOp> {
  using RtPattern::RtPattern;
  LogicalResult matchAndRewrite(cf::AssertOp op, OpAdaptor adaptor,
                                ConversionPatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    auto module = op->getParentOfType<ModuleOp>();
    Block *before = rewriter.getInsertionBlock();
    Region *function = before->getParent();
    Block *after = rewriter.splitBlock(before, op->getIterator());
    Block *failing = rewriter.createBlock(function, function->end());
    Value frame = function->front().getArgument(0);
    Value message = globalString(module, op.getMsg(), loc, rewriter);
    call(op, "mlc_rt_fail", {getPtrType(), getPtrType()}, LLVM::LLVMVoidType::get(getContext()), {frame, message},
         rewriter);
    LLVM::UnreachableOp::create(rewriter, loc);
    rewriter.setInsertionPointToEnd(before);
    cf::CondBranchOp::create(rewriter, loc, adaptor.getArg(), after, ValueRange{}, failing, ValueRange{});
    rewriter.eraseOp(op);
    return success();
  }

private:
  /// The address of a constant string; equal ones share a global.
  static Value globalString(ModuleOp module, StringRef text, Location loc, ConversionPatternRewriter &rewriter) {
    std::string name = "mlc_message_" + llvm::utohexstr(llvm::hash_value(text));
    LLVM::GlobalOp global = module.lookupSymbol<LLVM::GlobalOp>(name);
    if (!global) {
      OpBuilder::InsertionGuard guard(rewriter);
      rewriter.setInsertionPointToStart(module.getBody());
      std::string terminated = text.str() + '\0';
      auto type = LLVM::LLVMArrayType::get(rewriter.getI8Type(), terminated.size());
      global = LLVM::GlobalOp::create(rewriter, loc, type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                                      rewriter.getStringAttr(terminated));
    }
    return LLVM::AddressOfOp::create(rewriter, loc, global);
  }
};

/// Declarations of what lies in memory have done their service.
template <typename Op> struct EraseDeclaration final : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    rewriter.eraseOp(op);
    return success();
  }
};

struct ConvertRtToLLVM final : mlc::impl::ConvertRtToLLVMPassBase<ConvertRtToLLVM> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    LowerToLLVMOptions options(context);
    LLVMTypeConverter converter(context, options);
    converter.addConversion([&](mlc::rt::FrameType) { return LLVM::LLVMPointerType::get(context); });
    RewritePatternSet patterns(context);
    patterns.add<LowerInputSize, LowerInput, LowerWeight<mlc::rt::WeightOp>, LowerWeight<mlc::rt::StateOp>,
                 LowerWorkspace, LowerOutput, LowerAlloc, LowerFree, LowerParallel, LowerParallelFor, LowerMark,
                 LowerProfiled, LowerWork, LowerReady>(converter);
    patterns.add<LowerAssert>(converter, /*benefit=*/10);
    patterns.add<EraseDeclaration<mlc::graph::ParameterOp>, EraseDeclaration<mlc::train::StateOp>>(context);
    populateFuncToLLVMConversionPatterns(converter, patterns);
    populateFinalizeMemRefToLLVMConversionPatterns(converter, patterns);
    arith::populateArithToLLVMConversionPatterns(converter, patterns);
    cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
    index::populateIndexToLLVMConversionPatterns(converter, patterns);
    ub::populateUBToLLVMConversionPatterns(converter, patterns);
    populateMathToLLVMConversionPatterns(converter, patterns);
    populateVectorToLLVMConversionPatterns(converter, patterns);
    LLVMConversionTarget target(*context);
    target.addLegalOp<ModuleOp>();
    target.addIllegalOp<mlc::graph::ParameterOp, mlc::train::StateOp>();
    if (failed(applyFullConversion(getOperation(), target, std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
