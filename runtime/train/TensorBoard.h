//===- TensorBoard.h - event files ------------------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_TENSORBOARD_H
#define MLC_RUNTIME_TRAIN_TENSORBOARD_H

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace mlc::train {

/// An event file in a folder, which it makes. Throws InputError where it cannot write.
class TensorBoard final {
public:
  explicit TensorBoard(const std::string &folder);
  ~TensorBoard();
  TensorBoard(const TensorBoard &) = delete;
  TensorBoard &operator=(const TensorBoard &) = delete;
  void scalar(const std::string &tag, int64_t step, double value);

private:
  void write(std::string_view event);
  std::string path;
  FILE *file;
};

} // namespace mlc::train

#endif
