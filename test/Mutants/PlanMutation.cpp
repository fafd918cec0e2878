//===- PlanMutation.cpp - plans that mean something else ------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Changes of text hardly ever leave a plan that reads well and reduces something else. These do: what tensors are
// partial over, and what collectives work on.
//
//===----------------------------------------------------------------------===//

#include "Mutation.h"

#include "modelpar/PlanFormat/Reader.h"
#include "modelpar/PlanFormat/Writer.h"

using namespace modelpar;
using namespace modelpar::test;
using planformat::Instruction;
using planformat::Plan;
using planformat::TensorType;

namespace {

class PlanMutator {
public:
  PlanMutator(Plan &plan, Random &random) : plan_(plan), random_(random) {
    for (planformat::Body &block : plan.blocks)
      bodies_.push_back(&block);
    for (planformat::Stage &stage : plan.stages)
      for (planformat::Program &program : stage.programs)
        bodies_.push_back(&program.body);
  }

  std::string run() {
    switch (random_.below(4)) {
    case 0:
      return type();
    case 1:
      return value();
    case 2:
      return everywhere();
    default:
      return collective();
    }
  }

private:
  sharding::AxisRef anyAxis() {
    return plan_.mesh.axis(plan_.mesh.axes()[random_.below(plan_.mesh.axes().size())].name);
  }
  sharding::ReduceKind anyKind() { return static_cast<sharding::ReduceKind>(random_.below(3)); }

  /// Partial over an axis less, over one more, or by another kind.
  std::string change(TensorType &type) {
    auto &partial = type.sharding.partial;
    const std::string before = sharding::toString(type.sharding);
    if (partial.empty() || random_.oneIn(3))
      partial.push_back({anyAxis(), anyKind()});
    else if (random_.oneIn(2))
      partial.erase(partial.begin() + static_cast<std::ptrdiff_t>(random_.below(partial.size())));
    else
      partial[random_.below(partial.size())].kind = anyKind();
    sharding::sortPartials(plan_.mesh, partial);
    return before + " becomes " + sharding::toString(type.sharding);
  }

  std::string type() {
    const size_t id = random_.below(plan_.types.size());
    return "type " + std::to_string(id) + ": " + change(plan_.types[id]);
  }

  std::string value() {
    planformat::Body &body = *bodies_[random_.below(bodies_.size())];
    if (body.values.empty())
      return {};
    const size_t id = random_.below(body.values.size());
    TensorType other = plan_.types[static_cast<size_t>(body.values[id].type)];
    const std::string what = change(other);
    plan_.types.push_back(std::move(other));
    body.values[id].type = static_cast<planformat::TypeId>(plan_.types.size()) - 1;
    return "value " + std::to_string(id) + " of " + body.name + ": " + what;
  }

  /// An axis that nothing is partial over any more: types fit each other, and sums are missing.
  std::string everywhere() {
    const sharding::AxisRef axis = anyAxis();
    for (TensorType &type : plan_.types)
      std::erase_if(type.sharding.partial, [&](const auto &entry) { return entry.axis.name == axis.name; });
    return "nothing is partial over " + axis.name;
  }

  std::string collective() {
    std::vector<std::pair<planformat::Body *, Instruction *>> all;
    for (planformat::Body *body : bodies_)
      for (Instruction &instruction : body->instructions)
        if (instruction.kind == Instruction::Kind::Collective)
          all.emplace_back(body, &instruction);
    if (all.empty())
      return {};
    auto [body, instruction] = all[random_.below(all.size())];
    const std::string what = instruction->op + " of " + body->name + ": ";
    constexpr const char *ops[] = {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "collective_permute"};
    switch (random_.below(5)) {
    case 0:
      instruction->axes[random_.below(instruction->axes.size())] = anyAxis();
      return what + "another axis";
    case 1:
      instruction->axes.push_back(anyAxis());
      return what + "one more axis";
    case 2:
      instruction->reduce = anyKind();
      return what + std::string(sharding::name(instruction->reduce));
    case 3:
      instruction->dim = static_cast<int32_t>(random_.below(4)) - 1;
      return what + "dim " + std::to_string(instruction->dim);
    default:
      instruction->op = ops[random_.below(std::size(ops))];
      return what + "becomes " + instruction->op;
    }
  }

  Plan &plan_;
  Random &random_;
  std::vector<planformat::Body *> bodies_;
};

} // namespace

std::string modelpar::test::mutateSums(std::string &text, Random &random) {
  Plan plan;
  if (std::string error; !planformat::readPlan(text, plan, error) || plan.mesh.axes().empty())
    return {};
  const std::string what = PlanMutator(plan, random).run(), mutant = planformat::writePlan(plan);
  if (mutant == text)
    return {}; // The axis or kind that it had.
  text = mutant;
  return what;
}
