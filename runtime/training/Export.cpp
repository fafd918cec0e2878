//===- Export.cpp - whole tensors out of shards ---------------------------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/training/Export.h"

#include "runtime/checkpoint/Elements.h"

using namespace modelpar;
using namespace modelpar::runtime;

bool runtime::ownsShard(const sharding::Mesh &mesh, const sharding::TensorSharding &sharding, int64_t rank) {
  const sharding::Coordinates coordinates = sharding::coordinatesOf(mesh, rank);
  for (size_t i = 0; i < mesh.axes().size(); ++i) {
    const sharding::MeshAxis &axis = mesh.axes()[i];
    if (axis.isTime() || axis.name == "pp")
      continue;
    // The part of the coordinate that chooses a shard; what is left chooses among equals.
    int64_t left = coordinates.values[i];
    for (const sharding::DimSharding &dim : sharding.dims) {
      for (const sharding::AxisRef &ref : dim) {
        if (ref.name == axis.name)
          left -= sharding::coordinateAlong(mesh, coordinates, ref) * (axis.size / (ref.preSize * ref.size));
      }
    }
    if (left != 0)
      return false;
  }
  return true;
}

static planformat::BufferId bufferOf(const planformat::Parameter &parameter, ParameterFile::Content content) {
  return content == ParameterFile::Content::Weights ? parameter.value : parameter.gradient;
}

static const planformat::TensorType &typeOf(const planformat::Plan &plan, const planformat::Parameter &parameter,
                                            ParameterFile::Content content) {
  const planformat::Stage &stage = plan.stages[static_cast<size_t>(parameter.stage)];
  return plan.types[static_cast<size_t>(stage.buffers[static_cast<size_t>(bufferOf(parameter, content))].type)];
}

Status ParameterFile::create(const planformat::Plan &plan, Content content, const std::string &path,
                             ParameterFile &file) {
  std::vector<TensorSpec> tensors;
  for (const planformat::Parameter &parameter : plan.parameters) {
    if (bufferOf(parameter, content) < 0)
      return Status::invalid("the plan keeps no gradient of parameter '" + parameter.name + "'");
    // A gradient's buffer may have the type from before its reduction; after the update it holds the reduced values, in
    // the same shards.
    const planformat::TensorType &type = typeOf(plan, parameter, content);
    tensors.push_back({parameter.checkpointName, fileType(type.dtype), parameter.checkpointShape});
  }
  ParameterFile created;
  created.content_ = content;
  created.path_ = path;
  MODELPAR_RETURN_IF_ERROR(SafetensorsWriter::create(path, tensors, created.writer_));
  file = std::move(created);
  return {};
}

Status ParameterFile::write(Executor &executor) {
  const planformat::Plan &plan = executor.plan();
  for (const planformat::Parameter &parameter : plan.parameters) {
    if (parameter.stage != executor.stageIndex() ||
        !ownsShard(plan.mesh, typeOf(plan, parameter, content_).sharding, executor.rank()))
      continue;
    const planformat::BufferId buffer = bufferOf(parameter, content_);
    TensorView view = executor.bufferView(buffer);
    std::vector<std::byte> staging;
    if (plan.deviceKind != "cpu") {
      staging.resize(static_cast<size_t>(view.numElements() * planformat::byteSize(view.dtype)));
      MODELPAR_RETURN_IF_ERROR(executor.readBuffer(buffer, staging));
      view.data = staging.data();
    }
    MODELPAR_RETURN_IF_ERROR(writeSlice(view, writer_.bytes(*writer_.find(parameter.checkpointName)))
                                 .in("parameter '" + parameter.name + "'"));
  }
  MODELPAR_RETURN_IF_ERROR(executor.communicator().barrier("writing '" + path_ + "'"));
  if (executor.rank() == 0)
    MODELPAR_RETURN_IF_ERROR(writer_.finish());
  return {};
}
