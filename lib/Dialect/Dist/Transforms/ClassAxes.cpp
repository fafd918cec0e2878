//===- ClassAxes.cpp - which axes a factor class has so far ---===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ClassAxes.h"

using namespace modelpar;
using namespace modelpar::dist;
using sharding::AxisRef;

std::string ClassAxes::whyConflict(int id) const {
  for (int other = 0; other < classes.numClasses(); ++other) {
    if (other == id || axes[other].empty())
      continue;
    for (const AxisRef &a : axes[id])
      for (const AxisRef &b : axes[other])
        if (sharding::overlap(a, b))
          if (std::string why = classes.whyConflict(id, other); !why.empty())
            return why + " (the other has it by " + origins[other] + ")";
  }
  return "";
}
