//===- Einsum.cpp - einsum subscripts as strided matrix products -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// See Einsum.h.
//
//===----------------------------------------------------------------------===//

#include "runtime/kernels/Einsum.h"

#include <algorithm>

using namespace modelpar::runtime;

namespace {

int64_t countOf(const EinsumLoop *loops, int number) {
  int64_t count = 1;
  for (int i = 0; i < number; ++i)
    count *= loops[i].size;
  return count;
}

void offsetsOf(const EinsumLoop *loops, int number, int64_t index, int64_t offsets[3]) {
  offsets[0] = offsets[1] = offsets[2] = 0;
  for (int i = number - 1; i >= 0; --i) {
    int64_t at = index % loops[i].size;
    index /= loops[i].size;
    for (int t = 0; t < 3; ++t)
      offsets[t] += at * loops[i].strides[t];
  }
}

/// Loops of one kind, outer to inner, merged where every tensor keeps them together.
struct Group {
  EinsumLoop loops[2 * kMaxRank];
  int number = 0;

  void append(const EinsumLoop &inner) {
    if (inner.size == 1)
      return;
    if (number) {
      EinsumLoop &outer = loops[number - 1];
      bool together = true;
      for (int t = 0; t < 3; ++t)
        together &= outer.strides[t] == inner.strides[t] * inner.size;
      if (together) {
        outer.size *= inner.size;
        std::copy(inner.strides, inner.strides + 3, outer.strides);
        return;
      }
    }
    loops[number++] = inner;
  }

  /// Takes the largest loop out (a loop of one step when there is none).
  EinsumLoop takeLargest() {
    if (!number)
      return EinsumLoop();
    int best = 0;
    for (int i = 1; i < number; ++i)
      if (loops[i].size > loops[best].size)
        best = i;
    EinsumLoop result = loops[best];
    for (int i = best; i + 1 < number; ++i)
      loops[i] = loops[i + 1];
    --number;
    return result;
  }
};

} // namespace

int64_t EinsumProblem::outerCount() const { return countOf(outer, numOuter); }
int64_t EinsumProblem::depthCount() const { return countOf(outerDepth, numOuterDepth); }
void EinsumProblem::outerOffsets(int64_t index, int64_t offsets[3]) const {
  offsetsOf(outer, numOuter, index, offsets);
}
void EinsumProblem::depthOffsets(int64_t index, int64_t offsets[3]) const {
  offsetsOf(outerDepth, numOuterDepth, index, offsets);
}

Status Einsum::parse(const std::string &subscripts) {
  text_ = subscripts;
  size_t comma = subscripts.find(','), arrow = subscripts.find("->");
  if (comma == std::string::npos || arrow == std::string::npos || comma > arrow)
    return Status::internal("subscripts \"" + subscripts + "\": expected \"left,right->result\"");
  letters_[0] = subscripts.substr(0, comma);
  letters_[1] = subscripts.substr(comma + 1, arrow - comma - 1);
  letters_[2] = subscripts.substr(arrow + 2);
  for (const std::string &letters : letters_) {
    if (letters.size() > static_cast<size_t>(kMaxRank))
      return Status::internal("subscripts \"" + subscripts + "\": more than " + std::to_string(kMaxRank) +
                              " dimensions");
    for (char c : letters)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
        return Status::internal("subscripts \"" + subscripts + "\": expected letters, found '" + std::string(1, c) +
                                "'");
  }
  for (size_t i = 0; i < letters_[2].size(); ++i) {
    char c = letters_[2][i];
    if (letters_[2].find(c, i + 1) != std::string::npos)
      return Status::internal("subscripts \"" + subscripts + "\": '" + std::string(1, c) +
                              "' occurs twice in the result");
    if (letters_[0].find(c) == std::string::npos && letters_[1].find(c) == std::string::npos)
      return Status::internal("subscripts \"" + subscripts + "\": '" + std::string(1, c) + "' is in no operand");
  }
  return Status();
}

Status Einsum::bind(const TensorView &left, const TensorView &right, const TensorView &result,
                    EinsumProblem &problem) const {
  const TensorView *views[3] = {&left, &right, &result};
  for (int t = 0; t < 3; ++t)
    if (views[t]->rank != static_cast<int>(letters_[t].size()))
      return Status::internal("subscripts \"" + text_ + "\": tensor " + std::to_string(t) + " has rank " +
                              std::to_string(views[t]->rank));
  // The loop of a letter over the three tensors; a repeated letter walks the diagonal, so its strides add.
  auto loopOf = [&](char letter, EinsumLoop &loop) {
    loop = EinsumLoop();
    loop.size = -1;
    for (int t = 0; t < 3; ++t) {
      int64_t stride = 1;
      for (int d = views[t]->rank - 1; d >= 0; --d) {
        int64_t extent = views[t]->extents[d];
        if (letters_[t][d] == letter) {
          if (loop.size >= 0 && loop.size != extent)
            return Status::internal("subscripts \"" + text_ + "\": '" + std::string(1, letter) + "' has extents " +
                                    std::to_string(loop.size) + " and " + std::to_string(extent));
          loop.size = extent;
          loop.strides[t] += stride;
        }
        stride *= extent;
      }
    }
    return Status();
  };

  Group batch, rows, columns, depth;
  EinsumLoop loop;
  problem.resultSize = result.numElements();
  problem.emptyDepth = false;
  for (char c : letters_[2]) {
    MODELPAR_RETURN_IF_ERROR(loopOf(c, loop));
    bool inLeft = letters_[0].find(c) != std::string::npos, inRight = letters_[1].find(c) != std::string::npos;
    (inLeft && inRight ? batch : inLeft ? rows : columns).append(loop);
  }
  for (int t = 0; t < 2; ++t)
    for (size_t i = 0; i < letters_[t].size(); ++i) {
      char c = letters_[t][i];
      if (letters_[2].find(c) != std::string::npos || letters_[t].find(c) != i ||
          (t == 1 && letters_[0].find(c) != std::string::npos))
        continue; // In the result, or already seen.
      MODELPAR_RETURN_IF_ERROR(loopOf(c, loop));
      problem.emptyDepth |= loop.size == 0;
      depth.append(loop);
    }
  problem.m = rows.takeLargest();
  problem.n = columns.takeLargest();
  problem.k = depth.takeLargest();
  problem.numOuter = problem.numOuterDepth = 0;
  for (const Group *group : {&batch, &rows, &columns})
    for (int i = 0; i < group->number; ++i)
      problem.outer[problem.numOuter++] = group->loops[i];
  for (int i = 0; i < depth.number; ++i)
    problem.outerDepth[problem.numOuterDepth++] = depth.loops[i];
  return Status();
}
