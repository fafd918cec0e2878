//===- LinearCases.cpp - matmul, elementwise, packing, embedding -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Naive results for the ops without statistics.
//
//===----------------------------------------------------------------------===//

#include "KernelCases.h"

#include <cmath>
#include <map>

using namespace modelpar::runtime;
using namespace modelpar::runtime::test;

namespace {

/// The definition of einsum: every assignment of the letters once.
Tensor einsum(const std::string &text, const Tensor &a, const Tensor &b) {
  size_t comma = text.find(','), arrow = text.find("->");
  std::string left = text.substr(0, comma), right = text.substr(comma + 1, arrow - comma - 1),
              out = text.substr(arrow + 2);
  std::map<char, int64_t> extent, at;
  for (size_t i = 0; i < left.size(); ++i)
    extent[left[i]] = a.shape[i];
  for (size_t i = 0; i < right.size(); ++i)
    extent[right[i]] = b.shape[i];
  std::vector<int64_t> shape;
  for (char c : out)
    shape.push_back(extent[c]);
  Tensor result = Tensor::zeros(shape);
  auto index = [&](const std::string &letters, const std::vector<int64_t> &dims) {
    int64_t i = 0;
    for (size_t d = 0; d < letters.size(); ++d)
      i = i * dims[d] + at[letters[d]];
    return i;
  };
  int64_t total = 1;
  for (auto [letter, n] : extent)
    total *= n;
  for (int64_t i = 0; i < total; ++i) {
    int64_t rest = i;
    for (auto [letter, n] : extent) {
      at[letter] = rest % n;
      rest /= n;
    }
    result.values[index(out, shape)] += a.values[index(left, a.shape)] * b.values[index(right, b.shape)];
  }
  return result;
}

void addMatmul(KernelCases &cases, const std::string &name, const std::string &subscripts, std::vector<int64_t> left,
               std::vector<int64_t> right) {
  Tensor a = Tensor::integers(left, 1), b = Tensor::integers(right, 2);
  cases.push_back({name, "matmul", {{"subscripts", subscripts}}, {a, b}, {einsum(subscripts, a, b)}});
}

void addActivation(KernelCases &cases, const std::string &kind, double (*f)(double), double (*df)(double)) {
  Tensor x = Tensor::reals({5, 41}, 7, -6, 6), grad = Tensor::reals({5, 41}, 8);
  x.values[3] = 0;
  x.values[4] = 30;
  x.values[5] = -30;
  Tensor y = x, dx = x;
  for (int64_t i = 0; i < x.size(); ++i) {
    y.values[i] = f(x.values[i]);
    dx.values[i] = grad.values[i] * df(x.values[i]);
  }
  cases.push_back({kind, "activation", {{"kind", kind}}, {x}, {y}, kRounding});
  cases.push_back({kind, "activation_grad", {{"kind", kind}}, {grad, x}, {dx}, kCancelling});
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double geluTanhInner(double x) { return std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x); }
double normalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

void addActivations(KernelCases &cases) {
  addActivation(cases, "relu", [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; });
  addActivation(
      cases, "gelu", [](double x) { return x * normalCdf(x); },
      [](double x) { return normalCdf(x) + x * std::exp(-x * x / 2) / std::sqrt(2 * M_PI); });
  addActivation(
      cases, "gelu_tanh", [](double x) { return 0.5 * x * (1 + std::tanh(geluTanhInner(x))); },
      [](double x) {
        double t = std::tanh(geluTanhInner(x));
        double inner = std::sqrt(2 / M_PI) * (1 + 3 * 0.044715 * x * x);
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner;
      });
  addActivation(
      cases, "silu", [](double x) { return x * sigmoid(x); },
      [](double x) { return sigmoid(x) * (1 + x * (1 - sigmoid(x))); });
  addActivation(
      cases, "tanh", [](double x) { return std::tanh(x); }, [](double x) { return 1 - std::tanh(x) * std::tanh(x); });
  addActivation(cases, "sigmoid", sigmoid, [](double x) { return sigmoid(x) * (1 - sigmoid(x)); });
}

void addElementwise(KernelCases &cases) {
  Tensor a = Tensor::integers({3, 5, 7}, 1), b = Tensor::integers({3, 5, 7}, 2), c = Tensor::integers({3, 5, 7}, 3);
  Tensor bias = Tensor::integers({5, 7}, 4), sum = a, biased = a, product = a, three = a;
  for (int64_t i = 0; i < a.size(); ++i) {
    sum.values[i] = a.values[i] + b.values[i];
    biased.values[i] = a.values[i] + bias.values[i % bias.size()];
    product.values[i] = a.values[i] * b.values[i];
    three.values[i] = a.values[i] + b.values[i] + c.values[i];
  }
  cases.push_back({"same_shape", "add", {}, {a, b}, {sum}});
  cases.push_back({"bias", "add", {}, {a, bias}, {biased}});
  cases.push_back({"plain", "mul", {}, {a, b}, {product}});
  cases.push_back({"three", "sum", {}, {a, b, c}, {three}});
  cases.push_back({"one", "sum", {}, {a}, {a}});
  cases.push_back({"none", "sum", {}, {}, {Tensor::zeros(a.shape)}});

  for (std::vector<int64_t> shape : {std::vector<int64_t>{}, {7}, {5, 7}, {3, 5, 7}}) {
    Tensor reduced = Tensor::zeros(shape);
    for (int64_t i = 0; i < a.size(); ++i)
      reduced.values[i % reduced.size()] += a.values[i];
    cases.push_back({"rank" + std::to_string(shape.size()), "reduce_sum", {}, {a}, {reduced}});
  }
  Tensor wide = Tensor::integers({70, 300}, 5), columns = Tensor::zeros({300});
  for (int64_t i = 0; i < wide.size(); ++i)
    columns.values[i % 300] += wide.values[i];
  cases.push_back({"wide", "reduce_sum", {}, {wide}, {columns}});
}

void addPacking(KernelCases &cases) {
  for (int64_t dim = 0; dim < 3; ++dim) {
    Tensor packed = Tensor::integers({2, 3, 4}, 6);
    Tensors members;
    for (int64_t i = 0; i < packed.shape[dim]; ++i) {
      Tensor part = packed.slice(dim, i, 1);
      std::vector<int64_t> shape = packed.shape;
      shape.erase(shape.begin() + dim);
      members.push_back(Tensor::of(shape, part.values));
    }
    std::string name = "dim" + std::to_string(dim);
    cases.push_back({name, "unpack", {{"dim", dim}}, {packed}, members});
    cases.push_back({name, "pack", {{"dim", dim}}, members, {packed}});
  }
}

/// Parts of a tensor that is whole, and of one that is a part itself.
void addSlice(KernelCases &cases) {
  Tensor whole = Tensor::integers({3, 7, 5}, 7), part = whole.slice(1, 2, 4);
  cases.push_back({"rows", "slice", {}, {whole}, {part}});
  cases.push_back({"both", "slice", {}, {whole}, {part.slice(2, 1, 3)}});
  cases.push_back({"part", "slice", {}, {part}, {part.slice(1, 1, 2).slice(0, 2, 1)}});
  cases.push_back({"empty", "slice", {}, {whole}, {whole.slice(1, 7, 0)}});
}

void addEmbedding(KernelCases &cases) {
  Tensor table = Tensor::integers({11, 40}, 1), ids = Tensor::ids({3, 5}, 2, 0, 11),
         grad = Tensor::integers({3, 5, 40}, 3);
  ids.values[4] = ids.values[0]; // A row used twice.
  Tensor rows = grad, tableGrad = Tensor::zeros({11, 40});
  for (int64_t i = 0; i < grad.size(); ++i) {
    int64_t at = static_cast<int64_t>(ids.values[i / 40]) * 40 + i % 40;
    rows.values[i] = table.values[at];
    tableGrad.values[at] += grad.values[i];
  }
  cases.push_back({"rows", "embedding", {}, {ids, table}, {rows}});
  cases.push_back({"rows", "embedding_grad", {}, {grad, ids}, {tableGrad}});
  const int64_t padding = static_cast<int64_t>(ids.values[4]);
  cases.push_back({"padding", "embedding", {{"padding_row", padding}}, {ids, table}, {rows}});
  std::fill_n(tableGrad.values.begin() + padding * 40, 40, 0.0);
  cases.push_back({"padding", "embedding_grad", {{"padding_row", padding}}, {grad, ids}, {tableGrad}});
}

} // namespace

void test::addLinearCases(KernelCases &cases) {
  addMatmul(cases, "plain", "ab,bc->ac", {5, 7}, {7, 9});
  addMatmul(cases, "long", "ab,bc->ac", {33, 401}, {401, 35});
  addMatmul(cases, "tall", "ab,bc->ac", {405, 3}, {3, 2});
  addMatmul(cases, "left_transposed", "ba,bc->ac", {200, 37}, {200, 50});
  addMatmul(cases, "right_transposed", "ab,cb->ac", {37, 200}, {50, 200});
  addMatmul(cases, "result_transposed", "ab,bc->ca", {37, 20}, {20, 50});
  addMatmul(cases, "projection", "bsh,hngd->bsngd", {2, 3, 8}, {8, 3, 2, 4});
  addMatmul(cases, "output_projection", "bsgd,gdh->bsh", {2, 3, 2, 4}, {2, 4, 9});
  addMatmul(cases, "weight_gradient", "bsh,bsf->hf", {2, 3, 8}, {2, 3, 5});
  addMatmul(cases, "input_gradient", "bsf,hf->bsh", {2, 3, 5}, {8, 5});
  addMatmul(cases, "batched", "bij,bjk->bik", {3, 4, 5}, {3, 5, 6});
  addMatmul(cases, "many_batches", "bcij,bcjk->bcik", {5, 4, 2, 3}, {5, 4, 3, 2});
  addMatmul(cases, "scores", "bsgd,btgd->bgst", {2, 4, 3, 5}, {2, 6, 3, 5});
  addMatmul(cases, "interleaved", "abcd,cebf->aedf", {2, 3, 4, 5}, {4, 3, 3, 2});
  addMatmul(cases, "outer", "a,b->ab", {4}, {5});
  addMatmul(cases, "dot", "a,a->", {17}, {17});
  addMatmul(cases, "summed_left", "ab,b->b", {3, 4}, {4});
  addElementwise(cases);
  addActivations(cases);
  addPacking(cases);
  addSlice(cases);
  addEmbedding(cases);
}
