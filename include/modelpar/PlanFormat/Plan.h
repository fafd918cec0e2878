//===- Plan.h - the plan file in memory -----------------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the compiler writes and the runtime executes. Nothing here grows with the
// number of ranks: programs are shared by all ranks of a stage, and extents,
// offsets and neighbours are functions of a rank's coordinates (Sharding/Mesh.h).
// docs/PlanFormat.md describes the JSON form.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_PLANFORMAT_PLAN_H
#define MODELPAR_PLANFORMAT_PLAN_H

#include "modelpar/Sharding/ShardingRule.h"

#include <variant>

namespace modelpar::planformat {

/// Raised on every change of meaning or layout; a reader refuses other versions.
inline constexpr int64_t kFormatVersion = 2;
/// Offsets of buffers and frames are multiples of this (bytes; a cache line, and enough for any vector load).
inline constexpr int64_t kAlignment = 64;

enum class DType { F32, F64, BF16, F16, I32, I64 };
std::string_view name(DType type); ///< "f32", ...
std::optional<DType> parseDType(std::string_view);
int64_t byteSize(DType type);

/// A sharded tensor: global shape, and where it lives.
struct TensorType {
  DType dtype = DType::F32;
  std::vector<int64_t> shape; ///< Global extents.
  sharding::TensorSharding sharding;
  bool operator==(const TensorType &) const = default;
};
/// Bytes of the largest shard over all ranks and micro-batches, not rounded.
int64_t maxShardBytes(const TensorType &type);

/// Index into Plan::types.
using TypeId = int32_t;
/// Index into Body::values.
using ValueId = int32_t;
/// Index into Stage::buffers.
using BufferId = int32_t;

/// A tensor in memory, as seen by one body.
struct Value {
  enum class Storage {
    Argument, ///< `index`-th argument of a block: the caller's buffer.
    Buffer,   ///< `index` into Stage::buffers, in a program.
    Local,    ///< `offset` bytes after the frame (block) or the arena (program): lives inside this body only.
    Alias     ///< The bytes of value `index` of this body for another tensor: an in-place result, written before it is
              ///< read.
  };
  TypeId type = 0;
  Storage storage = Storage::Local;
  int32_t index = 0;
  int64_t offset = 0;
  int64_t bytes = 0; ///< Size reserved: maxShardBytes of the type, rounded up to kAlignment.
};

/// Attributes of an instruction: what the kernel needs beside its tensors.
using Attribute = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;
using Attributes = std::map<std::string, Attribute>;

/// One step of a body. Instructions are issued in list order to their stream; streams run in order, and across streams
/// only events order. A waiting instruction's stream waits before it, a recording one's records after it.
struct Instruction {
  enum class Kind {
    Kernel,     ///< `op` is a kernel name ("matmul", "layer_norm", ...).
    Collective, ///< `op` is "all_reduce", "all_gather", "reduce_scatter", "all_to_all" or "collective_permute"; see
                ///< `axes`, `reduce`, `dim`, `shift`.
    Call,       ///< `block` with inputs then outputs bound to its arguments, `frame` for its locals.
    Accumulate, ///< outputs[0] += inputs[0] for fp32 sums over micro-batches; zeroed by the first micro-batch (`first`
                ///< writes).
    Load,       ///< Fill outputs[0] with this micro-batch of input `op` (index into Plan::inputs by name).
    Wait        ///< Nothing but its waits (joins streams at the end of a body).
  };
  Kind kind = Kind::Kernel;
  std::string op;
  std::vector<ValueId> inputs, outputs;
  Attributes attributes;
  int32_t stream = 0;         ///< 0: compute; 1: communication.
  std::vector<int32_t> waits; ///< Events of this body.
  int32_t record = -1;        ///< Event of this body, or -1.
  ValueId workspace = -1;     ///< Scratch bytes from the arena, or -1.
  // Collective: several tensors are one grouped launch; outputs[i] belongs to inputs[i] and may be the same bytes.
  std::vector<sharding::AxisRef> axes;
  sharding::ReduceKind reduce = sharding::ReduceKind::Sum;
  int32_t dim = -1; ///< Gathered (all_gather) or scattered (reduce_scatter) dimension; target dimension of all_to_all.
  int32_t sourceDim = -1; ///< all_to_all: the dimension that becomes whole.
  int64_t shift =
      0; ///< collective_permute: a tensor goes to the member of the group this many places on, round the ring.
  // Call:
  int32_t block = -1;   ///< Index into Plan::blocks.
  int64_t frame = 0;    ///< Byte offset of the callee's frame, like Value::offset.
  int64_t instance = 0; ///< Which call this is (the layer): keys dropout.
  // The IR location or op name this came from, for messages.
  std::string origin;
};

/// Instructions over values: a block or a program.
///
/// A body starts with a fork and ends joined: at its start each other stream that its own instructions use (not those
/// of its calls) waits for stream 0, for all that was issued there before; at its end stream 0 has waited for every
/// stream that the body used (a Wait, written out). Other streams run on beside it. Events never leave their body; each
/// is recorded by one instruction, before (in the list) any that waits for it. Calls are issued to stream 0.
struct Body {
  std::string name;
  std::vector<Value> values;
  std::vector<ValueId> arguments; ///< Blocks: inputs then outputs, in the order a Call binds them.
  int32_t numInputs = 0;          ///< How many of `arguments` are inputs (read); the rest are outputs (written).
  std::vector<Instruction> instructions;
  int32_t numEvents = 0;
  int64_t frameBytes = 0; ///< Bytes of Local values and callees' frames (programs: transient part of the arena).
};

/// A buffer that lives across programs. Its bytes are at offset + slot·slotStride, slot = micro-batch mod slots.
struct Buffer {
  enum class Kind { Parameter, Gradient, OptimizerState, Activation, Input, Output, Scalars };
  std::string name;
  Kind kind = Kind::Activation;
  TypeId type = 0;
  int64_t offset = 0, bytes = 0;
  int32_t slots = 1;
  int64_t slotStride = 0;
};

struct Program {
  enum class Kind { Forward, BackwardInput, BackwardWeight, Backward, Update };
  Kind kind = Kind::Forward;
  Body body;
};

/// What a stage sends to another one, or receives from it, for one micro-batch: always the same buffers, in the order
/// of the peer's channel. Rank and peer have equal coordinates along all axes but "pp".
struct Channel {
  enum class Direction { Send, Receive };
  Direction direction = Direction::Send;
  int32_t peer = 0; ///< Stage.
  std::vector<BufferId> buffers;
};

/// One micro-batch through a channel.
struct Transfer {
  int32_t channel = 0; ///< Index into Stage::channels.
  int32_t microBatch = 0;
};

/// Either a program run on a micro-batch (Update has microBatch 0), or an exchange with other stages: one grouped
/// launch of all its transfers, on stream 1, after everything before it and before everything after it. Transfers
/// between two stages are matched by their order.
struct ScheduleEntry {
  int32_t program = 0; ///< -1: an exchange.
  int32_t microBatch = 0;
  std::vector<Transfer> exchange = {};
  bool isExchange() const { return program == -1; }
};

struct MemoryItem {
  std::string name; ///< "parameters", "gradients", "optimizer state", "activations", "temporaries", "workspace", ...
  int64_t bytes = 0;
};

struct Stage {
  std::vector<Buffer> buffers;
  std::vector<Program> programs;
  std::vector<Channel> channels;       ///< At most one per direction and peer.
  std::vector<ScheduleEntry> schedule; ///< One step, in order.
  int64_t arenaBytes = 0;              ///< Exact; buffers first, then the transient part shared by the programs.
  int64_t transientOffset = 0;         ///< Where the programs' Local offsets start.
  std::vector<MemoryItem> memory;      ///< Parts of the arena; they add up to arenaBytes.
  std::vector<MemoryItem> reserved;    ///< Outside the arena (communicator buffers, ...).
};

/// What fills an input: fields of the synthetic generator and of the checks on real data.
struct Input {
  std::string name;
  TypeId type = 0;                    ///< Sharded over batch axes, the time axis included.
  std::string role;                   ///< "tokens", "targets", "positions", "scalars" or "data".
  double rangeLow = 0, rangeHigh = 1; ///< Values: integers in [low, high), reals in [low, high].
  std::vector<std::string> dimNames;
  int32_t batchDim = -1; ///< The dimension that counts samples, or -1: the same values in every sample.
};

/// How a parameter starts, a function of seed, name and global element index alone.
struct Initializer {
  std::string kind = "zeros"; ///< "zeros", "ones", "constant", "normal", "uniform"
  double a = 0, b = 0;        ///< constant: value; normal: mean, standard deviation; uniform: low, high
};

/// A copy of a parameter on a stage that uses it beside its owner (tied weights): gradients are summed over all copies,
/// and each is updated alike.
struct Replica {
  int32_t stage = 0;
  BufferId value = -1, gradient = -1; ///< Buffers of that stage.
  std::vector<std::pair<std::string, BufferId>> state;
};

struct Parameter {
  std::string name;
  std::string checkpointName;           ///< Name in a Hugging Face checkpoint.
  std::vector<int64_t> checkpointShape; ///< Shape there: a row-major reshape of `type`.
  TypeId type = 0;
  Initializer init;
  bool weightDecay = true;
  int32_t stage = 0;                                   ///< Owner.
  BufferId value = -1, gradient = -1;                  ///< Buffers of the owner stage.
  std::vector<std::pair<std::string, BufferId>> state; ///< "exp_avg", "exp_avg_sq" for AdamW.
  std::vector<Replica> replicas;
  std::vector<std::string> aliases; ///< Names in checkpoints that lack `checkpointName`.
  int64_t zeroRow = -1;             ///< Of the first dimension: starts as zeros. -1: none.
};
/// The owner's buffers, then those of the replicas.
std::vector<Replica> copiesOf(const Parameter &parameter);

/// What a rank of the stage takes of its device: the arena and what is reserved beside it. Saturates.
int64_t bytesPerRank(const Stage &stage);

/// Where the "scalars" input keeps what changes per step (f64 each). Update: 1 + the updates applied so far, AdamW's
/// exponent; a step whose update is skipped does not raise it.
enum class Scalar {
  Step,
  LearningRate,
  LabelCount,
  SeedLow,
  SeedHigh,
  Clip,
  Beta1,
  Beta2,
  Epsilon,
  WeightDecay,
  Update
};
inline constexpr int64_t kNumScalars = 16;
/// The op whose output 1 scales the gradients of a step's update; 0 skips the update. Every rank computes it, from the
/// same bits.
inline constexpr const char *kUpdateScaleOp = "clip_scale";

struct Plan {
  std::string tool;    ///< "modelpar-opt <version>"
  std::string command; ///< The compile command.
  std::string modelName, modelText, clusterText;
  std::string deviceKind = "cpu";
  std::string optimizer = "adamw"; ///< "adamw" or "sgd"
  sharding::Mesh mesh;
  int64_t globalBatch = 0, sequence = 0;
  std::vector<TensorType> types;
  std::vector<Input> inputs;
  std::vector<Parameter> parameters;
  std::vector<Body> blocks;
  std::vector<Stage> stages;
  /// Named results in the last stage's buffers: "loss", "grad_norm".
  std::vector<std::pair<std::string, BufferId>> outputs;
  std::string summary; ///< The --summary object as JSON text, for --dry-run and reports.
};

} // namespace modelpar::planformat

#endif // MODELPAR_PLANFORMAT_PLAN_H
