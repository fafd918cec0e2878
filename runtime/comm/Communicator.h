//===- Communicator.h - collectives between ranks -------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One interface for ranks that are threads (`local`), processes (`mpi`) or GPUs (`nccl`). A collective is described
// once, at load, by the geometry of every member's shard; a call gives the pointers. Sums are computed in rank order in
// fp32 (f64 for f64) by the owner of each chunk, whatever the timing, so bits repeat.
//
//===----------------------------------------------------------------------===//

#ifndef MODELPAR_RUNTIME_COMM_COMMUNICATOR_H
#define MODELPAR_RUNTIME_COMM_COMMUNICATOR_H

#include "modelpar/PlanFormat/Plan.h"
#include "runtime/base/Status.h"

#include <memory>
#include <span>

namespace modelpar::runtime {

/// Some ranks that communicate, in an order (ncclComm_t from ncclCommSplit; MPI_Comm from MPI_Comm_create_group). Calls
/// on one group are matched by their order, so each stream that communicates has groups of its own.
class Group {
public:
  virtual ~Group() = default;
  const std::string &name() const { return name_; } ///< For messages: `{"tp"} on stream 1`.
  const std::vector<int64_t> &ranks() const { return ranks_; }
  int64_t size() const { return static_cast<int64_t>(ranks_.size()); }
  int64_t index() const { return index_; } ///< This rank's place in `ranks`.

protected:
  Group(std::string name, std::vector<int64_t> ranks, int64_t index)
      : name_(std::move(name)), ranks_(std::move(ranks)), index_(index) {}

private:
  std::string name_;
  std::vector<int64_t> ranks_;
  int64_t index_;
};

enum class CollectiveKind {
  AllReduce,        ///< ncclAllReduce, MPI_Allreduce. Output may be the bytes of the input.
  AllGather,        ///< ncclAllGather along any dimension, uneven: MPI_Allgatherv with types.
  ReduceScatter,    ///< ncclReduceScatter along any dimension, uneven.
  AllToAll,         ///< ncclAlltoAll; MPI_Alltoallw: one dimension becomes whole, another sharded.
  Broadcast,        ///< ncclBroadcast, MPI_Bcast from member `root`. Output may be the bytes of the input.
  CollectivePermute ///< Grouped ncclSend and ncclRecv, MPI_Sendrecv: to the member `shift` places on, round the group.
};
std::string_view name(CollectiveKind kind); ///< "all_reduce", ...

/// One tensor of a collective: what each member holds, as dense row-major [outer, split, inner].
struct CollectivePart {
  planformat::DType dtype = planformat::DType::F32;
  int64_t outer = 1, inner = 1;
  /// Extent of the split dimension per member, in group order, contiguous: AllGather: of its input; ReduceScatter and
  /// AllToAll: of its output. AllReduce and Broadcast: empty, and every member holds outer·inner elements.
  /// CollectivePermute: of its input, which goes on as it is, so members may differ in any dimension.
  std::vector<int64_t> extents;
  /// AllToAll alone. A tensor is [outer, A, middle, B, inner]; the split dimension is A when `splitFirst`, else B, and
  /// the other one is gathered: its extent in each member's input, which becomes whole in every output.
  int64_t middle = 1;
  std::vector<int64_t> gathered;
  bool splitFirst = true;
  bool operator==(const CollectivePart &) const = default;
};

/// A collective as every member of the group describes it. Several tensors are one grouped call (ncclGroupStart/End).
struct Collective {
  CollectiveKind kind = CollectiveKind::AllReduce;
  sharding::ReduceKind reduce =
      sharding::ReduceKind::Sum; ///< AllReduce, ReduceScatter: f32, f64, and bf16 summed in fp32.
  int64_t root = 0;              ///< Broadcast: index in the group.
  int64_t shift = 0;             ///< CollectivePermute: 0 <= shift < size of the group.
  std::vector<CollectivePart> parts;
  std::string label; ///< The instruction, for messages. Members may differ in it.
  bool operator==(const Collective &) const = default;
};
/// Internal, saying what is wrong with the description for this group; Ok when nothing is.
Status validate(const Collective &collective, const Group &group);
/// Bytes of a part of the collective that this member reads (input) and writes (output).
int64_t inputBytes(const Collective &collective, const CollectivePart &part, int64_t member);
int64_t outputBytes(const Collective &collective, const CollectivePart &part, int64_t member);
/// CollectivePermute: the member whose tensors `member` of a group of `size` receives.
int64_t permuteSource(const Collective &collective, int64_t member, int64_t size);
/// Bytes this rank sends if the group is a ring: all_reduce 2(n-1)/n·N, broadcast (n-1)/n·N, the others (n-1)/n·N, with
/// N the bytes of the whole tensor (all_to_all: of a member's shard), rounded down; collective_permute: its input, if
/// it goes to another member.
int64_t ringBytes(const Collective &collective, const Group &group);

/// One tensor between this member of a group and another one, in an exchange. Dense bytes; the pointer to none may be
/// null.
struct Transfer {
  enum class Direction : uint8_t { Send, Receive };
  Direction direction = Direction::Send;
  int64_t peer = 0; ///< Index in the group.
  void *data = nullptr;
  int64_t bytes = 0;
  std::string label; ///< "send act.3 of micro-batch 4 to stage 1", for messages.
  /// The communicator's mark during a call (as an MPI_Request).
  enum class State : uint8_t { Idle, Posted, Moving, Done };
  State state = State::Idle;
};

/// Bytes sent so far by this rank over the groups of some mesh axes.
struct Traffic {
  std::string axes; ///< "tp", "dp,cp", ...
  int64_t bytes = 0;
};

/// One rank's end. Calls are blocking in the calling thread (a stream's worker) on host memory; with NCCL they enqueue
/// on `nativeStream`. Different groups may be used by different threads at the same time; one group by one at a time.
///
/// Nothing is buffered beyond the members' own tensors: a call returns when every member has arrived and all data moved
/// (a rendezvous, as NCCL's kernels). It gives up after the timeout (message: rank, instruction, group, who has not
/// arrived) or when any rank aborts (StatusCode::Aborted), in bounded time; the communicator is then dead.
class Communicator {
public:
  virtual ~Communicator() = default;
  virtual std::string_view kind() const = 0; ///< "local", "mpi", "nccl"
  virtual int64_t rank() const = 0;
  virtual int64_t worldSize() const = 0;

  /// Collective over the members with NCCL and MPI: every rank creates the groups it is in, in one order. `axes` is the
  /// key of the traffic counter, `tag` tells groups of equal members apart (the stream). This rank must be a member.
  virtual Status createGroup(const std::vector<int64_t> &ranks, const std::string &axes, int64_t tag,
                             std::unique_ptr<Group> &group) = 0;
  /// Runs a collective that passed validate(). inputs[i] and outputs[i] belong to parts[i]; pointers to empty shards
  /// may be null. Does not allocate, except for errors.
  virtual Status run(Group &group, const Collective &collective, std::span<void *const> inputs,
                     std::span<void *const> outputs, void *nativeStream = nullptr) = 0;
  /// True when exchange() is there.
  virtual bool canExchange() const { return false; }
  /// Between pairs of members (grouped ncclSend and ncclRecv; MPI_Issend, MPI_Irecv, MPI_Waitall): all transfers begin
  /// together, and the call returns when all have ended. A transfer ends when both sides have posted it and its bytes
  /// have moved: a send waits for its receive. Between two members the n-th send meets the n-th receive, whatever calls
  /// they are in. What is received lies apart from everything else in the call. Sent bytes count for the group's axes.
  /// Does not allocate, except for errors.
  virtual Status exchange(Group &group, std::span<Transfer> transfers, void *nativeStream = nullptr);
  /// Over all ranks (MPI_Barrier).
  virtual Status barrier(std::string_view what) = 0;
  /// Over all ranks: InvalidInput naming two ranks if they do not all give the same value. Ranks with different plans
  /// never begin.
  virtual Status agree(uint64_t value, std::string_view what) = 0;
  /// This rank failed: every call of every rank returns Aborted within bounded time (ncclCommAbort, MPI_Abort). Any
  /// thread.
  virtual void abort(const Status &reason) = 0;

  virtual std::vector<Traffic> traffic() const = 0; ///< Sorted by axes. Any thread.
};

} // namespace modelpar::runtime

#endif // MODELPAR_RUNTIME_COMM_COMMUNICATOR_H
