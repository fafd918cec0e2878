//===- Phases.h - the named phases of a compilation -----------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The order of passes, in one place. A phase is a state of the module that can be printed, edited and resumed
// (docs/Pipeline.md).
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PIPELINES_PHASES_H
#define MODELPAR_PIPELINES_PHASES_H

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mlir {
class DialectRegistry;
class OpPassManager;
} // namespace mlir

namespace modelpar::pipelines {

enum class Phase { Import, Differentiated, Sharded, Partitioned, Staged, Scheduled, Plan };
inline constexpr std::array kPhases{Phase::Import, Phase::Differentiated, Phase::Sharded, Phase::Partitioned,
                                    Phase::Staged, Phase::Scheduled,      Phase::Plan};
std::string_view name(Phase phase); ///< "import", "differentiated", ...
std::optional<Phase> parsePhase(std::string_view name);

/// What the passes between phases need to know. A resumed module has most of it as attributes.
struct PhaseOptions {
  int64_t pp = 1, dp = 1, cp = 1, tp = 1; ///< Mesh sizes.
  bool sequenceParallel = false;
  std::string schedule = "1f1b";
  double flopsPerByte =
      100; ///< Operations of a device in the time of one byte of its memory: what the cut into stages weighs.
  int64_t numMicroBatches = 1;
  std::vector<std::string> pins; ///< PATTERN:SHARDING
  std::string gradSync = "all_reduce";
  bool verify = true; ///< Run the verify-* pass after each phase.
};

/// Adds the passes that lead from the phase before `phase` to `phase` (none for Import and Plan).
void addPhasePasses(mlir::OpPassManager &manager, Phase phase, const PhaseOptions &options);
/// Adds the check of what must hold at the end of `phase`, where there is one: for a module that did not come out of
/// its passes.
void addPhaseVerifier(mlir::OpPassManager &manager, Phase phase);

/// Dialects and passes of modelpar-opt.
void registerModelparDialects(mlir::DialectRegistry &registry);
void registerModelparPasses();

} // namespace modelpar::pipelines

#endif // MODELPAR_PIPELINES_PHASES_H
