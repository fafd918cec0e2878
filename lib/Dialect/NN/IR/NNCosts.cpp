//===- NNCosts.cpp - operations of nn ops ---------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Floating-point operations per point of the box of an op's factors. Matrix
// products are exact; the others are memory-bound, and their counts (an exp or a
// division counts as one) only matter when they are large. Ops whose factor box
// is larger than their work (a table's lookup, sums over operands) count zero.
//
//===----------------------------------------------------------------------===//

#include "modelpar/Dialect/NN/IR/NN.h"

using namespace modelpar::nn;

// A multiply-add.
double MatmulOp::getFlopsPerPoint() { return 2; }
bool MatmulOp::isMatrixOp() { return true; }

double AddOp::getFlopsPerPoint() { return 1; }
double MulOp::getFlopsPerPoint() { return 1; }
double ReduceSumOp::getFlopsPerPoint() { return 1; }
double SumOp::getFlopsPerPoint() { return static_cast<double>(getInputs().size()) - 1; }

/// Operations of one evaluation of an activation; its derivative takes about half as many again.
static double activationFlops(ActivationKind kind) {
  switch (kind) {
  case ActivationKind::relu:
    return 1;
  case ActivationKind::silu:
  case ActivationKind::sigmoid:
  case ActivationKind::tanh:
    return 4;
  case ActivationKind::gelu:
    return 6;
  case ActivationKind::gelu_tanh:
    return 9;
  }
  llvm_unreachable("all kinds are listed");
}
double ActivationOp::getFlopsPerPoint() { return activationFlops(getKind()); }
double ActivationGradOp::getFlopsPerPoint() { return 1 + 1.5 * activationFlops(getKind()); }

// Philox makes four 32-bit words with ten rounds of two multiplications: about ten operations per element.
double DropoutOp::getFlopsPerPoint() { return 10; }

double UnpackOp::getFlopsPerPoint() { return 0; }
double PackOp::getFlopsPerPoint() { return 0; }
double EmbeddingOp::getFlopsPerPoint() { return 0; }
double EmbeddingGradOp::getFlopsPerPoint() { return 0; }

double LayerNormOp::getFlopsPerPoint() { return 7; }
double LayerNormInputGradOp::getFlopsPerPoint() { return 10; }
double LayerNormWeightGradOp::getFlopsPerPoint() { return 5; }
double RmsNormOp::getFlopsPerPoint() { return 4; }
double RmsNormInputGradOp::getFlopsPerPoint() { return 7; }
double RmsNormWeightGradOp::getFlopsPerPoint() { return 3; }

// Sines and cosines are shared by all heads and samples.
double RotaryOp::getFlopsPerPoint() { return 3; }

// Two products of s × t × d forward; backward computes the scores again and four more.
double AttentionOp::getFlopsPerPoint() { return 4; }
bool AttentionOp::isMatrixOp() { return true; }
double AttentionGradOp::getFlopsPerPoint() { return 10; }
bool AttentionGradOp::isMatrixOp() { return true; }
double AttentionMergeOp::getFlopsPerPoint() { return 3; }

double SoftmaxStatsOp::getFlopsPerPoint() { return 4; }
double SoftmaxStatsGradOp::getFlopsPerPoint() { return 4; }
double TokenLossOp::getFlopsPerPoint() { return 3; }
double TokenLossGradOp::getFlopsPerPoint() { return 1; }
double SquaredErrorOp::getFlopsPerPoint() { return 3; }
double SquaredErrorGradOp::getFlopsPerPoint() { return 2; }

double SumSquaresOp::getFlopsPerPoint() { return 0; }
double ClipScaleOp::getFlopsPerPoint() { return 4; }
double AdamWOp::getFlopsPerPoint() { return 14; }
double SgdOp::getFlopsPerPoint() { return 4; }
