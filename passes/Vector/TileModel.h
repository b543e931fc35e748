//===- TileModel.h - what a register tile costs ------------------------------------------------------*- C++ -*-===//
//
// A tile of r rows by v vectors keeps r * v sums in registers. One step of the reduction takes
//   max(r * v, kLatency, v + r / 2, panel in the second cache ? 2 * v : 0)
// units of one multiply-add: the arithmetic; the latency of an add that waits for the one before; the loads, of which a
// broadcast costs half; the bandwidth of the second cache, where the panel does not fit into the first. A matrix of M
// by N takes the sum over its tiles, those at its ends counted as they are. The cheapest tile wins.
//
//===----------------------------------------------------------------------------------------------------------===//
#ifndef MLC_PASSES_VECTOR_TILEMODEL_H
#define MLC_PASSES_VECTOR_TILEMODEL_H

#include <cstdint>

namespace mlc {

/// Rows and vectors of a register tile.
struct Tile {
  int64_t rows, vectors;
};

/// The sizes that a tile is chosen for; kDynamic sizes count as large.
struct TileProblem {
  int64_t rows;         ///< size of the innermost loop over rows
  int64_t lines;        ///< size of the loop around it; a tile may take whole lines where they are short
  int64_t columns;      ///< size of the vectorised loop
  int64_t reduction;    ///< product of the reductions, in granules
  int64_t lanes;        ///< elements of a vector of sums
  int64_t registers;    ///< vector registers
  int64_t l1Bytes;      ///< of the first cache
  int64_t elementBytes; ///< of what a lane takes of rhs in a step
  bool lhsIsVector;     ///< lhs moves with the vectorised loop too: no broadcasts
};

/// The cheapest tile for `problem`.
Tile chooseTile(const TileProblem &problem);

} // namespace mlc

#endif
