//===- Exchange.cpp - exchanges between stages, bound to a rank -----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/executor/Exchange.h"

#include "runtime/executor/Binding.h"

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

Status Exchanges::bind(Binding &binding, size_t index, BoundExchange &exchange) {
  const planformat::Stage &stage = *binding.stage;
  const planformat::ScheduleEntry &entry = stage.schedule[index];
  exchange.binding = &binding;
  exchange.microBatch = trace::microBatchOf(entry);
  if (binding.options.trace)
    exchange.traceSource =
        binding.options.trace->rank(binding.communicator.rank()).addSource(trace::exchangeSource(stage, index));
  std::set<int32_t> peers;
  for (const planformat::Transfer &each : entry.exchange) {
    const Channel &channel = stage.channels[static_cast<size_t>(each.channel)];
    const bool sends = channel.direction == Channel::Direction::Send;
    peers.insert(channel.peer);
    for (planformat::BufferId id : channel.buffers) {
      const planformat::Buffer &buffer = stage.buffers[static_cast<size_t>(id)];
      const TensorView view = binding.views.view(buffer.type, each.microBatch);
      exchange.transfers.push_back({.direction = sends ? Transfer::Direction::Send : Transfer::Direction::Receive,
                                    .peer = channel.peer,
                                    .data = binding.address(buffer, each.microBatch),
                                    .bytes = view.numElements() * planformat::byteSize(view.dtype),
                                    .label = std::string(sends ? "send " : "receive ") + buffer.name +
                                             " of micro-batch " + std::to_string(each.microBatch) +
                                             (sends ? " to stage " : " from stage ") + std::to_string(channel.peer)});
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

void Exchanges::issue(Binding &binding, BoundExchange &exchange) const {
  constexpr Task::Function task = [](void *context, int64_t, void *nativeStream) {
    auto *exchange = static_cast<BoundExchange *>(context);
    return exchange->binding->exchanges.run(*exchange, nativeStream);
  };
  // Programs end joined on stream 0, so it stands for all that came before.
  Stream &compute = *binding.streams[0], &communication = *binding.streams[kExchangeStream];
  compute.record(*before_);
  communication.wait(*before_);
  communication.enqueue({task, &exchange, 0});
  communication.record(*after_);
  compute.wait(*after_);
}

Status Exchanges::run(BoundExchange &exchange, void *nativeStream) const {
  Binding &binding = *exchange.binding;
  const int64_t begin = binding.recorder ? RankTrace::now() : 0;
  Status status = binding.stopped() ? Status::invalid("stopped as asked")
                                    : binding.communicator.exchange(*group_, exchange.transfers, nativeStream);
  if (binding.recorder)
    binding.recordExchange(exchange, begin);
  if (status.ok())
    return status;
  status = status.in("rank " + std::to_string(binding.communicator.rank()) + ", step " + std::to_string(binding.step) +
                     ", " + exchange.label);
  binding.communicator.abort(status); // Peers may be waiting for this rank: they must not wait for the end of the step.
  return status;
}
