//===- Dataset.h - samples of a file or folder ------------------------------------------------------- -*- C++ -*-===//
#ifndef MLC_RUNTIME_TRAIN_DATASET_H
#define MLC_RUNTIME_TRAIN_DATASET_H

#include "runtime/train/Array.h"

#include <memory>
#include <string>
#include <vector>

namespace mlc::train {

/// What label a program takes, and how data gives it.
enum class LabelForm { Classes, OneHot, Values };

/// What a program asks of a sample; axis 0 of every tensor counts the samples.
struct Signature final {
  std::vector<mlc_tensor_info> inputs;
  mlc_tensor_info label;
  std::string labelName = "label";
  LabelForm form = LabelForm::Values;
  int64_t classes = 0; ///< where the form is not Values
};

/// One tensor of the samples, converted to what the program takes while it is read. Any thread may read.
class Column {
public:
  virtual ~Column() = default;
  /// Writes the elements of sample `row` to `to`.
  virtual void read(int64_t row, void *to) const = 0;

  uint32_t dtype = MLC_F32;
  std::vector<int64_t> sizes; ///< of one sample
  uint64_t rowBytes() const;
};

/// Samples in the order of the file.
struct Dataset final {
  std::vector<std::unique_ptr<Column>> inputs; ///< in the order of the model
  std::unique_ptr<Column> label;               ///< NULL where the data has none and none is needed
  int64_t count = 0;
  bool isDecoded = false; ///< whether reading a sample is work (images)
  bool isWhole = false;   ///< whether the columns are one batch as they are, which counts as one sample
};

/// Opens .npz, .npy, IDX, .csv files or a folder (of .npy files, or of one folder of images a class), and checks names,
/// shapes, counts and all labels. Throws InputError that names the file, the array, what is expected and what came.
/// With `asOneBatch` arrays are one batch as they are, whichever axis counts the samples; images are samples all the
/// same.
Dataset openDataset(const std::vector<std::string> &paths, const Signature &signature, bool needsLabel,
                    bool asOneBatch = false);

/// Columns of named arrays: an input by its own name, or `x` where there is one; the label by its name, `label` or `y`.
/// `place` is what messages name.
Dataset bindArrays(const std::string &place, const std::vector<std::pair<std::string, Array>> &arrays,
                   const Signature &signature, bool needsLabel);

/// The same where the arrays are one batch as they are.
Dataset bindBatch(const std::string &place, std::vector<std::pair<std::string, Array>> arrays,
                  const Signature &signature, bool needsLabel);

/// Columns of a folder with a folder of images a class, in the order of their names.
Dataset openImageFolder(const std::string &path, const Signature &signature, bool needsLabel);

} // namespace mlc::train

#endif
