//===- ReshardTest.cpp - tests of the search for reshard paths ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "modelpar/Sharding/Reshard.h"

#include <gtest/gtest.h>

#include <set>

namespace modelpar::sharding {
namespace {

std::string pathText(const Mesh &mesh, const std::vector<int64_t> &shape, const TensorSharding &from,
                     const TensorSharding &to) {
  ReshardPath path = findReshardPath(mesh, shape, from, to);
  if (!path.error.empty())
    return "none";
  std::string text;
  for (const ReshardStep &step : path.steps) {
    text += (text.empty() ? "" : ", ") + std::string(name(step.kind));
    for (const AxisRef &axis : step.axes)
      text += " " + toString(axis, &mesh);
    if (step.dim >= 0)
      text += " @" + std::to_string(step.dim);
  }
  return text;
}

TEST(Reshard, OneStepEach) {
  Mesh mesh({{"dp", 2}, {"tp", 4}});
  AxisRef dp = mesh.axis("dp"), tp = mesh.axis("tp");
  TensorSharding whole{{{}, {}}, {}}, rows{{{tp}, {}}, {}}, columns{{{}, {tp}}, {}};
  TensorSharding partial{{{}, {}}, {{tp, ReduceKind::Sum}}};
  EXPECT_EQ(pathText(mesh, {8, 8}, whole, whole), "");
  EXPECT_EQ(pathText(mesh, {8, 8}, whole, rows), "slice \"tp\" @0");
  EXPECT_EQ(pathText(mesh, {8, 8}, rows, whole), "all_gather \"tp\" @0");
  EXPECT_EQ(pathText(mesh, {8, 8}, rows, columns), "all_to_all \"tp\" @1");
  EXPECT_EQ(pathText(mesh, {8, 8}, partial, whole), "all_reduce \"tp\"");
  EXPECT_EQ(pathText(mesh, {8, 8}, partial, rows), "reduce_scatter \"tp\" @0");
  TensorSharding both{{{}, {}}, {{dp, ReduceKind::Sum}, {tp, ReduceKind::Sum}}};
  EXPECT_EQ(pathText(mesh, {8, 8}, both, whole), "all_reduce \"dp\" \"tp\"");
  EXPECT_EQ(pathText(mesh, {8, 8}, whole, {{{dp, tp}, {}}, {}}), "slice \"dp\" \"tp\" @0");
}

TEST(Reshard, SeveralSteps) {
  Mesh mesh({{"dp", 2}, {"tp", 4}});
  AxisRef dp = mesh.axis("dp"), tp = mesh.axis("tp");
  TensorSharding mixed{{{}, {}}, {{dp, ReduceKind::Lse}, {tp, ReduceKind::Sum}}};
  EXPECT_EQ(findReshardPath(mesh, {8, 8}, mixed, {{{tp}, {}}, {}}).steps.size(), 2u);
  // The order of axes on a dimension changes only through a gather.
  ReshardPath swap = findReshardPath(mesh, {8, 8}, {{{dp, tp}, {}}, {}}, {{{tp, dp}, {}}, {}});
  ASSERT_EQ(swap.error, "");
  EXPECT_EQ(swap.steps.back().result, (TensorSharding{{{tp, dp}, {}}, {}}));
}

TEST(Reshard, SubAxesSplitOnlyEvenShards) {
  Mesh mesh({{"tp", 4}});
  AxisRef major{"tp", 1, 2}, minor{"tp", 2, 2};
  TensorSharding whole{{{mesh.axis("tp")}, {}}, {}}, half{{{major}, {}}, {}};
  EXPECT_EQ(pathText(mesh, {8, 8}, whole, half), "all_gather \"tp\":(2)2 @0");
  // 6 in 4 parts is 2, 2, 2, 0; in 2 then 2 parts it is 2, 1, 2, 1.
  EXPECT_EQ(pathText(mesh, {6, 8}, whole, half), "all_gather \"tp\" @0, slice \"tp\":(1)2 @0");
  EXPECT_EQ(pathText(mesh, {8, 8}, whole, {{{major}, {minor}}, {}}), "all_to_all \"tp\":(2)2 @1");
}

TEST(Reshard, TimeIsSlicedOnly) {
  Mesh mesh({{"mb", 2}, {"dp", 2}});
  AxisRef mb = mesh.axis("mb"), dp = mesh.axis("dp");
  EXPECT_EQ(pathText(mesh, {8}, {{{}}, {}}, {{{dp, mb}}, {}}), "slice \"dp\" \"mb\" @0");
  EXPECT_EQ(pathText(mesh, {8}, {{{mb}}, {}}, {{{}}, {}}), "none");
  EXPECT_EQ(pathText(mesh, {8}, {{{}}, {{mb, ReduceKind::Sum}}}, {{{}}, {}}), "none");
  EXPECT_EQ(pathText(mesh, {8}, {{{}}, {}}, {{{}}, {{dp, ReduceKind::Sum}}}), "none");
  EXPECT_EQ(
      pathText(mesh, {8}, {{{}}, {{mb, ReduceKind::Sum}, {dp, ReduceKind::Sum}}}, {{{}}, {{mb, ReduceKind::Sum}}}),
      "all_reduce \"dp\"");
}

TEST(Reshard, StepsThatAreRefused) {
  Mesh mesh({{"mb", 2}, {"tp", 2}});
  AxisRef tp = mesh.axis("tp"), mb = mesh.axis("mb");
  TensorSharding whole{{{}}, {}}, rows{{{tp}}, {}};
  EXPECT_NE(applyStep(mesh, rows, {ReshardStep::Kind::Slice, {tp}, 0}).error, "");
  EXPECT_NE(applyStep(mesh, whole, {ReshardStep::Kind::AllGather, {tp}, 0}).error, "");
  EXPECT_NE(applyStep(mesh, whole, {ReshardStep::Kind::AllReduce, {tp}}).error, "");
  EXPECT_NE(applyStep(mesh, {{{}}, {{tp, ReduceKind::Max}}}, {ReshardStep::Kind::AllReduce, {tp}}).error, "");
  EXPECT_NE(applyStep(mesh, {{{}}, {{mb, ReduceKind::Sum}}}, {ReshardStep::Kind::AllReduce, {mb}}).error, "");
  EXPECT_NE(applyStep(mesh, rows, {ReshardStep::Kind::AllToAll, {tp}, 0, 0}).error, "");
  EXPECT_NE(applyStep(mesh, rows, {ReshardStep::Kind::AllGather, {tp}, 1}).error, "");
  EXPECT_NE(applyStep(mesh, rows, {ReshardStep::Kind::AllGather, {}, 0}).error, "");
}

//===----------------------------------------------------------------------===//
// Oracle: breadth-first by collectives over every sharding of two axes
//===----------------------------------------------------------------------===//

/// Every sharding of a matrix over two axes.
std::vector<TensorSharding> allShardings(const Mesh &mesh) {
  AxisRef a = mesh.axis("a"), b = mesh.axis("b");
  std::vector<TensorSharding> all;
  auto place = [](TensorSharding &sharding, int where, const AxisRef &axis) {
    if (where < 2)
      sharding.dims[where].push_back(axis);
    if (where == 2)
      sharding.partial.push_back({axis, ReduceKind::Sum});
  };
  for (int first = 0; first < 4; ++first)
    for (int second = 0; second < 4; ++second) {
      TensorSharding sharding{{{}, {}}, {}};
      place(sharding, first, a);
      place(sharding, second, b);
      all.push_back(sharding);
      if (first == second && first < 2) {
        std::swap(sharding.dims[first][0], sharding.dims[first][1]);
        all.push_back(sharding);
      }
    }
  return all;
}

/// Whether a data movement that keeps values and needs no collective leads from one to the other.
bool isLocal(const Mesh &mesh, const TensorSharding &from, const TensorSharding &to) {
  return from.partial == to.partial && [&] {
    for (size_t d = 0; d < from.dims.size(); ++d)
      if (from.dims[d].size() > to.dims[d].size() ||
          !std::equal(from.dims[d].begin(), from.dims[d].end(), to.dims[d].begin()))
        return false;
    return true;
  }();
}

TEST(Reshard, PartsOnTheirWayRoundARingStayThere) {
  Mesh mesh({{"cp", 4}, {"tp", 2}});
  AxisRef moved = mesh.axis("cp");
  moved.shift = 1;
  TensorSharding home{{{mesh.axis("cp")}, {}}, {}}, away{{{moved}, {}}, {}}, whole = TensorSharding::replicated(2);
  for (const auto &[from, to] : {std::pair{home, away}, {away, home}, {away, whole}, {whole, away}}) {
    ReshardPath path = findReshardPath(mesh, {8, 8}, from, to);
    EXPECT_TRUE(path.steps.empty());
    EXPECT_NE(path.error.find(R"(over "cp"+1 parts are on their way round a ring)"), std::string::npos) << path.error;
  }
  EXPECT_EQ(findReshardPath(mesh, {8, 8}, away, away).error, "");
}

/// Fewest collectives between all pairs, by relaxing a table (Floyd-Warshall) over steps that are checked by their
/// definition, not generated by the search.
/// Minor axes come and go; the order stays.
TEST(Reshard, ASequenceThatIsDealtOutStaysSo) {
  Mesh mesh({{"cp", 2}, {"tp", 2}});
  AxisRef cp = mesh.axis("cp"), tp = mesh.axis("tp"), balanced = cp;
  balanced.balanced = true;
  TensorSharding stored{{{balanced}, {}}, {}}, minor{{{balanced, tp}, {}}, {}}, natural{{{cp}, {}}, {}},
      whole = TensorSharding::replicated(2);
  ReshardPath path = findReshardPath(mesh, {8, 8}, minor, stored);
  ASSERT_EQ(path.error, "");
  ASSERT_EQ(path.steps.size(), 1u);
  EXPECT_EQ(path.steps[0].kind, ReshardStep::Kind::AllGather);
  EXPECT_EQ(findReshardPath(mesh, {8, 8}, {{{balanced}, {}}, {{tp, ReduceKind::Sum}}}, minor).error, "");
  EXPECT_EQ(
      findReshardPath(mesh, {8, 8}, stored, natural).error,
      R"(no path from [{"cp"*}, {}] to [{"cp"}, {}]: dimension 0 is dealt out over "cp"* and in its natural order)");
  EXPECT_EQ(findReshardPath(mesh, {8, 8}, stored, whole).error,
            R"(no path from [{"cp"*}, {}] to [{}, {}]: dimension 0 is dealt out over "cp"* and in its natural order)");
  EXPECT_EQ(findReshardPath(mesh, {8, 8}, whole, stored).error,
            R"(no path from [{}, {}] to [{"cp"*}, {}]: dimension 0 is in its natural order and dealt out over "cp"*)");
  EXPECT_NE(findReshardPath(mesh, {8, 8}, stored, {{{}, {balanced}}, {}}).error, "");
  EXPECT_EQ(applyStep(mesh, stored, {ReshardStep::Kind::AllGather, {balanced}, 0}).error,
            R"(a sequence that is dealt out over "cp"* stays so in [{"cp"*}, {}])");
  EXPECT_EQ(applyStep(mesh, whole, {ReshardStep::Kind::Slice, {balanced}, 0}).error,
            R"(a sequence that is dealt out over "cp"* stays so in [{}, {}])");
  EXPECT_NE(applyStep(mesh, stored, {ReshardStep::Kind::AllGather, {cp}, 0}).error, "");
}

TEST(Reshard, AgreesWithAnExhaustiveTable) {
  Mesh mesh({{"a", 2}, {"b", 3}});
  std::vector<TensorSharding> all = allShardings(mesh);
  size_t n = all.size();
  constexpr int far = 1000;
  std::vector<std::vector<int>> cost(n, std::vector<int>(n, far));
  std::vector<std::vector<AxisRef>> lists;
  AxisRef a = mesh.axis("a"), b = mesh.axis("b");
  lists = {{a}, {b}, {a, b}, {b, a}};
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) {
      if (isLocal(mesh, all[i], all[j]))
        cost[i][j] = 0;
      for (const auto &axes : lists)
        for (int kind = 1; kind < 5; ++kind)
          for (int d = 0; d < 2; ++d) {
            ReshardStep step{static_cast<ReshardStep::Kind>(kind), axes, d, 1 - d};
            StepOutcome outcome = applyStep(mesh, all[i], step);
            if (outcome.sharding && *outcome.sharding == all[j])
              cost[i][j] = std::min(cost[i][j], 1);
          }
    }
  for (size_t k = 0; k < n; ++k)
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        cost[i][j] = std::min(cost[i][j], cost[i][k] + cost[k][j]);

  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j) {
      ReshardPath path = findReshardPath(mesh, {12, 12}, all[i], all[j]);
      std::string pair = toString(all[i]) + " to " + toString(all[j]);
      if (cost[i][j] >= far) {
        EXPECT_NE(path.error, "") << pair;
        continue;
      }
      ASSERT_EQ(path.error, "") << pair;
      int collectives = 0;
      TensorSharding state = all[i];
      for (const ReshardStep &step : path.steps) {
        collectives += step.isCollective();
        StepOutcome outcome = applyStep(mesh, state, step);
        ASSERT_TRUE(outcome.sharding) << pair << ": " << outcome.error;
        EXPECT_EQ(*outcome.sharding, step.result) << pair;
        state = step.result;
      }
      EXPECT_EQ(state, all[j]) << pair;
      EXPECT_EQ(collectives, cost[i][j]) << pair;
    }
}

} // namespace
} // namespace modelpar::sharding
