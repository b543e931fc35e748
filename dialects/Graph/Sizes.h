//===- Sizes.h - shapes with symbolic sizes ---------------------------------------------------------*- C++ -*---===//
//
// One arithmetic for shapes. A size is an attribute where it is known, an index value where it is computed at run time,
// and null where nobody asked for the computation (type inference, which has no builder). Shape functions are written
// once on top of it and serve inference, verification, reification and lowering.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_DIALECTS_GRAPH_SIZES_H
#define MLC_DIALECTS_GRAPH_SIZES_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Value.h"

#include <map>
#include <string>
#include <tuple>

namespace mlc::graph {

/// Known: IntegerAttr; computed: index value; unknown: null.
using Size = mlir::OpFoldResult;
using Shape = llvm::SmallVector<Size, 4>;

/// Sizes that were built in a block, so that equal computations are one value.
struct SizeMemo {
  using Key = std::tuple<llvm::StringRef, Size, Size, Size>;
  using Order = std::tuple<std::string, void *, void *, void *>;
  std::map<Order, Size> built;
};

/// Builds and folds arithmetic on sizes.
class SizeBuilder {
public:
  /// For inference: whatever is not constant is unknown.
  explicit SizeBuilder(mlir::MLIRContext *context) : context(context) {}
  /// For lowering: computes unknown sizes at the builder's insertion point.
  SizeBuilder(mlir::OpBuilder &builder, mlir::Location loc)
      : context(builder.getContext()), builder(&builder), loc(loc) {}

  Size constant(int64_t value);
  /// The size of `tensor` along `axis`.
  Size dim(mlir::Value tensor, int64_t axis);
  Shape shape(mlir::Value tensor);

  Size add(Size lhs, Size rhs);
  Size sub(Size lhs, Size rhs);
  Size mul(Size lhs, Size rhs);
  /// Rounds toward negative infinity; the divisor is positive.
  Size floorDiv(Size lhs, Size rhs);
  /// Rounds toward positive infinity; the divisor is positive.
  Size ceilDiv(Size lhs, Size rhs);
  Size max(Size lhs, Size rhs);
  Size min(Size lhs, Size rhs);
  /// `condition == 0 ? ifZero : otherwise`.
  Size selectIfZero(Size condition, Size ifZero, Size otherwise);
  Size product(llvm::ArrayRef<Size> sizes);

  /// The size that two broadcast sizes give, or failure when both are known and neither equal nor 1.
  mlir::FailureOr<Size> broadcast(Size lhs, Size rhs);

  /// Element `i` of a rank-1 (or rank-0) integer tensor as a size: a constant, the scalar it was made from, or an
  /// extraction.
  Size element(mlir::Value tensor, int64_t i);

  /// What scalar arithmetic gives for other operands, built where sizes are; needs a builder.
  Size again(mlir::Operation *arithmetic, mlir::ValueRange operands);

  /// A size as an index value; needs a builder.
  mlir::Value value(Size size);

  /// Sizes of tensors that were computed before and are used instead of a tensor.dim.
  void useKnown(const llvm::DenseMap<mlir::Value, Shape> *shapes) { known = shapes; }

  /// Sizes that were built before and dominate what is built now; new ones are added.
  void useMemo(SizeMemo *sizes) { memo = sizes; }

  /// What `build` gives, or what it gave for the same key before.
  Size once(const SizeMemo::Key &key, llvm::function_ref<Size()> build);

  bool canBuild() const { return builder != nullptr; }

  mlir::MLIRContext *getContext() const { return context; }

private:
  mlir::MLIRContext *context;
  mlir::OpBuilder *builder = nullptr;
  std::optional<mlir::Location> loc;
  const llvm::DenseMap<mlir::Value, Shape> *known = nullptr;
  SizeMemo *memo = nullptr;
};

/// Whether a size is certain not to be negative: a size of a tensor, or made of such ones.
bool isNeverNegative(Size size, unsigned depth = 0);

/// The constant value of a size, if it is known.
std::optional<int64_t> getConstant(Size size);

/// Sizes as they stand in a type: kDynamic where not constant.
llvm::SmallVector<int64_t> getStaticSizes(llvm::ArrayRef<Size> sizes);

/// The value of an integer constant tensor, of any integer element type, sign-extended (unsigned ones zero-extended).
std::optional<llvm::SmallVector<int64_t>> getConstantInts(mlir::Value tensor);

namespace detail {

bool areCompatible(mlir::TypeRange inferred, mlir::TypeRange actual);
llvm::LogicalResult broadcastShapes(mlir::ValueRange operands, SizeBuilder &sizes,
                                    llvm::SmallVectorImpl<Shape> &shapes);
llvm::LogicalResult reifyShapes(mlir::Operation *op, mlir::OpBuilder &builder,
                                mlir::ReifiedRankedShapedTypeDims &result);

/// The result types that `Op::shapes` and `Op::elementType` give.
template <typename Op>
llvm::LogicalResult inferTypes(mlir::MLIRContext *context, std::optional<mlir::Location> loc,
                               typename Op::Adaptor adaptor, llvm::SmallVectorImpl<mlir::Type> &types) {
  SizeBuilder sizes(context);
  llvm::SmallVector<Shape> shapes;
  if (llvm::failed(Op::shapes(adaptor, sizes, shapes)))
    return mlir::emitOptionalError(loc, "requires operands whose shapes fit together");
  for (auto [i, shape] : llvm::enumerate(shapes))
    types.push_back(mlir::RankedTensorType::get(getStaticSizes(shape), Op::elementType(adaptor, i)));
  return llvm::success();
}

} // namespace detail
} // namespace mlc::graph

#endif
