//===- Exchange.cpp - exchanges between stages, bound to a rank -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/Exchange.h"

#include "runtime/executor/Binding.h"

#include <charconv>
#include <set>

using namespace modelpar;
using namespace modelpar::runtime;
using planformat::Channel;

/// Collectives' groups have their stream as the tag.
constexpr int64_t kExchangeTag = -1;

Status Exchanges::load(Binding &binding) {
  const planformat::Plan &plan = binding.plan;
  bool any = false;
  for (const planformat::Stage &stage : plan.stages)
    any |= !stage.channels.empty();
  if (!any)
    return {};
  if (!binding.communicator.canExchange())
    return Status::unavailable("the plan's stages send to each other, which communicator \"" +
                               std::string(binding.communicator.kind()) + "\" cannot do");
  MODELPAR_RETURN_IF_ERROR(binding.checkHostCommunication());
  const sharding::AxisRef axis = plan.mesh.axis(sharding::kStageAxis);
  return binding.communicator.createGroup(sharding::groupOf(plan.mesh, binding.communicator.rank(), {axis}), axis.name,
                                          kExchangeTag, group_);
}

Status Exchanges::bind(Binding &binding, const planformat::ScheduleEntry &entry, BoundExchange &exchange) {
  const planformat::Stage &stage = *binding.stage;
  const std::string widest = std::to_string(binding.plan.mesh.numMicroBatches());
  std::set<int32_t> peers;
  for (size_t i = 0; i < entry.exchange.size(); ++i) {
    const planformat::Transfer &each = entry.exchange[i];
    const Channel &channel = stage.channels[static_cast<size_t>(each.channel)];
    const bool sends = channel.direction == Channel::Direction::Send;
    peers.insert(channel.peer);
    for (planformat::BufferId id : channel.buffers) {
      const planformat::Buffer &buffer = stage.buffers[static_cast<size_t>(id)];
      const BoundExchange::Part &part = exchange.parts.emplace_back(
          BoundExchange::Part{.transfer = i,
                              .type = buffer.type,
                              .before = std::string(sends ? "send " : "receive ") + buffer.name + " of micro-batch ",
                              .after = (sends ? " to stage " : " from stage ") + std::to_string(channel.peer)});
      Transfer &transfer = exchange.transfers.emplace_back(
          Transfer{.direction = sends ? Transfer::Direction::Send : Transfer::Direction::Receive,
                   .peer = channel.peer,
                   .data = binding.address(buffer, each.microBatch)});
      transfer.label.reserve(part.before.size() + widest.size() + part.after.size());
    }
  }
  exchange.label = "exchange with stage";
  for (int32_t peer : peers)
    exchange.label += (peer == *peers.begin() ? " " : " and ") + std::to_string(peer);
  if (before_)
    return {};
  MODELPAR_RETURN_IF_ERROR(binding.device.createEvent(before_));
  return binding.device.createEvent(after_);
}

void Exchanges::issue(Binding &binding, size_t entry) const {
  constexpr Task::Function task = [](void *context, int64_t entry, void *nativeStream) {
    auto *binding = static_cast<Binding *>(context);
    return binding->exchanges.run(*binding, static_cast<size_t>(entry), nativeStream);
  };
  // Programs end joined on stream 0, so it stands for all that came before.
  Stream &compute = *binding.streams[0], &communication = *binding.streams[kExchangeStream];
  compute.record(*before_);
  communication.wait(*before_);
  communication.enqueue({task, &binding, static_cast<int64_t>(entry)});
  communication.record(*after_);
  compute.wait(*after_);
}

/// Sizes and labels of this entry's micro-batches. Exchanges run one after the other, so nobody else uses them now.
/// Does not allocate: the labels have their room.
static void fillIn(const Binding &binding, const planformat::ScheduleEntry &entry, BoundExchange &exchange) {
  for (size_t i = 0; i < exchange.transfers.size(); ++i) {
    const BoundExchange::Part &part = exchange.parts[i];
    const int64_t microBatch = entry.exchange[part.transfer].microBatch;
    const TensorView view = binding.views.view(part.type, microBatch);
    Transfer &transfer = exchange.transfers[i];
    transfer.bytes = view.numElements() * planformat::byteSize(view.dtype);
    char number[24];
    const char *end = std::to_chars(number, number + sizeof(number), microBatch).ptr;
    transfer.label = part.before;
    transfer.label.append(number, static_cast<size_t>(end - number)).append(part.after);
  }
}

Status Exchanges::run(Binding &binding, size_t entry, void *nativeStream) const {
  const int64_t begin = binding.recorder ? RankTrace::now() : 0;
  BoundExchange &exchange = *binding.schedule[entry].exchange;
  fillIn(binding, binding.stage->schedule[entry], exchange);
  Status status = binding.stopped() ? Status::invalid("stopped as asked")
                                    : binding.communicator.exchange(*group_, exchange.transfers, nativeStream);
  if (binding.recorder)
    binding.recordExchange(entry, begin);
  if (status.ok())
    return status;
  status = status.in("rank " + std::to_string(binding.communicator.rank()) + ", step " + std::to_string(binding.step) +
                     ", " + exchange.label);
  binding.communicator.abort(status); // Peers may be waiting for this rank: they must not wait for the end of the step.
  return status;
}
