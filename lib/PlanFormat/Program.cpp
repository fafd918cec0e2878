//===- Program.cpp - order, races and liveness inside a program ----------===//
//
// Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program is walked with its calls expanded, so every access has its bytes in
// the arena. Happens-before is a clock per instruction: how many instructions of
// each stream are known to be done before it starts. Bytes are kept as a map of
// segments (last writer, last readers per stream); since every access is compared
// with the segments it touches only, the walk is n·log n.
//
//===----------------------------------------------------------------------===//

#include "lib/PlanFormat/Checks.h"
#include "lib/PlanFormat/Names.h"

#include <algorithm>
#include <array>

namespace modelpar::planformat {
namespace {

using Use = ProgramEffects::Use;
constexpr size_t kMaxStreams = 8; // checkStructure refuses more.
/// Blocks that call blocks could expand without bound.
constexpr size_t kMaxExpanded = size_t{1} << 22;
using Clock = std::array<int32_t, kMaxStreams>;

void merge(Clock &into, const Clock &from) {
  for (size_t s = 0; s < kMaxStreams; ++s)
    into[s] = std::max(into[s], from[s]);
}

/// A value in one expansion of a body. Bytes belong to the identity that wrote them last. Aliases of one value, and the
/// values of one buffer, are a family: the same bytes for several tensors in turn. A member that has content of its own
/// (written, or found there by a read) may be read only as long as no other member was written: an in-place result ends
/// the life of what it was made from. An alias has no content until it is written. Values of one buffer that were not
/// written are views of what another of them left.
struct Identity {
  int32_t root = -1;    ///< The family.
  BufferId buffer = -1; ///< The buffer this is, if any.
  int32_t frame = -1;
  ValueId value = -1;
  bool hasContent = false;
  bool isAlias = false;
};

struct Place {
  int64_t begin = 0, end = 0;
  int32_t identity = -1;
  TypeId type = 0;
};

struct Frame {
  const Body *body = nullptr;
  std::string where; ///< "stage 0, program forward, block layer.forward"
  int64_t base = 0;
  std::vector<Place> places;
  std::vector<Clock> events;
  std::vector<int32_t> recorders; ///< Instruction index per event, or -1.
};

struct Node {
  int32_t frame = 0, instruction = 0, stream = 0, position = 0;
  Clock before{};
};

/// Bytes from the map's key to `end`.
struct Segment {
  int64_t end = 0;
  int32_t writer = -1, identity = -1;
  std::array<int32_t, kMaxStreams> readers; ///< Last reading node per stream since the write, or -1.
};

class ProgramChecker {
public:
  ProgramChecker(const Plan &plan, const Stage &stage, Findings &findings)
      : plan_(plan), stage_(stage), findings_(findings) {
    for (const TensorType &type : plan.types)
      typeBytes_.push_back(maxShardBytes(type));
  }

  ProgramEffects check(const Program &program, const std::string &where) {
    for (size_t s = 0; s < kMaxStreams; ++s)
      last_[s] = -1;
    walk(program.body, where, stage_.transientOffset, {});
    return std::move(effects_);
  }

private:
  //===--------------------------------------------------------------------===//
  // Bodies
  //===--------------------------------------------------------------------===//

  void walk(const Body &body, const std::string &where, int64_t base, std::vector<Place> bound) {
    int32_t id = static_cast<int32_t>(frames_.size());
    frames_.push_back(
        {&body, where, base, {}, std::vector<Clock>(body.numEvents), std::vector<int32_t>(body.numEvents, -1)});
    placeValues(id, bound);
    // The fork at the start: of the streams that the body itself uses. Those of its calls fork there.
    const Clock start = tails_[0];
    for (const Instruction &instruction : body.instructions)
      if (instruction.stream != 0)
        merge(tails_[instruction.stream], start);
    Clock countsBefore = counts_;
    for (size_t i = 0; i < body.instructions.size() && !findings_.full(); ++i)
      issue(id, static_cast<int32_t>(i));
    // The join at the end.
    for (size_t s = 1; s < kMaxStreams; ++s) {
      if (counts_[s] == countsBefore[s] || tails_[0][s] >= counts_[s])
        continue;
      findings_.add(where, "ends while " + nodeText(last_[s]) + " may still run: no wait on stream 0 covers it");
      merge(tails_[0], tails_[s]);
    }
  }

  void placeValues(int32_t id, const std::vector<Place> &bound) {
    const Body &body = *frames_[id].body;
    std::vector<Place> places(body.values.size());
    auto place = [&](auto &self, size_t v) -> void {
      const Value &value = body.values[v];
      Place &p = places[v];
      if (p.identity >= 0)
        return;
      Identity identity{-1, -1, id, static_cast<ValueId>(v), false, value.storage == Value::Storage::Alias};
      switch (value.storage) {
      case Value::Storage::Argument:
        p = bound[value.index];
        p.end = p.begin + typeBytes_[value.type];
        p.type = value.type;
        return;
      case Value::Storage::Buffer:
        p.begin = stage_.buffers[value.index].offset;
        identity.buffer = value.index;
        identity.root = bufferRoots_.try_emplace(value.index, static_cast<int32_t>(identities_.size())).first->second;
        break;
      case Value::Storage::Local:
        p.begin = frames_[id].base + value.offset;
        break;
      case Value::Storage::Alias:
        self(self, value.index);
        p.begin = places[value.index].begin;
        identity.root = identities_[places[value.index].identity].root;
        identity.buffer = identities_[places[value.index].identity].buffer;
        break;
      }
      p.end = p.begin + typeBytes_[value.type];
      p.type = value.type;
      p.identity = static_cast<int32_t>(identities_.size());
      if (identity.root < 0)
        identity.root = p.identity;
      identities_.push_back(identity);
    };
    for (size_t v = 0; v < body.values.size(); ++v)
      place(place, v);
    frames_[id].places = std::move(places);
  }

  void issue(int32_t frame, int32_t index) {
    const Body &body = *frames_[frame].body;
    const Instruction &i = body.instructions[index];
    if (nodes_.size() + frames_.size() > kMaxExpanded)
      return findings_.add(frames_[0].where, "expands to more than " + std::to_string(kMaxExpanded) + " instructions");
    for (int32_t event : i.waits) {
      if (frames_[frame].recorders[event] < 0)
        findings_.add(at(frame, index), "waits for event " + std::to_string(event) + ", " + whoRecords(body, event));
      else
        merge(tails_[i.stream], frames_[frame].events[event]);
    }
    if (i.kind == Instruction::Kind::Call)
      call(frame, i);
    else
      run(frame, index, i);
    if (i.record >= 0) {
      int32_t &recorder = frames_[frame].recorders[i.record];
      if (recorder >= 0)
        findings_.add(at(frame, index), "records event " + std::to_string(i.record) + " a second time, after " +
                                            describe(body, recorder));
      recorder = index;
      frames_[frame].events[i.record] = tails_[i.stream];
    }
  }

  static std::string whoRecords(const Body &body, int32_t event) {
    for (size_t i = 0; i < body.instructions.size(); ++i)
      if (body.instructions[i].record == event)
        return "which only " + describe(body, i) + " records, not before it";
    return "which no instruction records";
  }

  void call(int32_t frame, const Instruction &i) {
    const Body &callee = plan_.blocks[i.block];
    std::vector<Place> bound;
    for (const std::vector<ValueId> *list : {&i.inputs, &i.outputs})
      for (ValueId id : *list)
        bound.push_back(frames_[frame].places[id]);
    walk(callee, frames_[0].where + ", block " + callee.name, frames_[frame].base + i.frame, std::move(bound));
  }

  void run(int32_t frame, int32_t index, const Instruction &i) {
    int32_t id = static_cast<int32_t>(nodes_.size());
    nodes_.push_back({frame, index, i.stream, counts_[i.stream], tails_[i.stream]});
    tails_[i.stream][i.stream] = ++counts_[i.stream];
    last_[i.stream] = id;
    if (i.kind == Instruction::Kind::Collective)
      collectiveOrder(id, i);
    selfOverlap(frame, index, i);
    const std::vector<Place> &places = frames_[frame].places;
    for (ValueId v : i.inputs)
      read(id, places[v], Use::Plain);
    Use use = Use::Plain;
    if (i.kind == Instruction::Kind::Accumulate) {
      use = isFirst(i) ? Use::Sum : Use::Add;
      if (use == Use::Sum)
        beginsOnce(id, places[i.outputs[0]]);
      read(id, places[i.outputs[0]], use);
    }
    for (ValueId v : i.outputs)
      write(id, places[v], use);
    if (i.workspace >= 0)
      write(id, scratch(frame, i), Use::Plain);
  }

  //===--------------------------------------------------------------------===//
  // Collectives
  //===--------------------------------------------------------------------===//

  /// All ranks of a stage run one list, so a communicator's calls are in one order everywhere exactly when they are
  /// ordered here.
  void collectiveOrder(int32_t node, const Instruction &i) {
    std::vector<sharding::AxisRef> axes = i.axes;
    std::sort(axes.begin(), axes.end());
    std::string group;
    for (const sharding::AxisRef &axis : axes)
      group += toText(plan_.mesh, axis) + " ";
    auto [it, isNew] = lastOfGroup_.try_emplace(group, node);
    if (!isNew && !happensBefore(it->second, node))
      findings_.add(nodeText(node), "uses the group over " + group + "unordered with " + nodeText(it->second) +
                                        ": ranks may enter the two in different orders");
    it->second = node;
  }

  //===--------------------------------------------------------------------===//
  // Memory
  //===--------------------------------------------------------------------===//

  bool happensBefore(int32_t a, int32_t b) const {
    return a == b || nodes_[b].before[nodes_[a].stream] > nodes_[a].position;
  }

  /// Within one instruction an output may have an input's place where it is declared as its alias (in place), in a
  /// collective that of its own input of an all_reduce; nothing else overlaps.
  void selfOverlap(int32_t frame, int32_t index, const Instruction &i) {
    struct Access {
      Place place;
      bool write;
      size_t index;
    };
    std::vector<Access> accesses;
    const std::vector<Place> &places = frames_[frame].places;
    for (size_t n = 0; n < i.inputs.size(); ++n)
      accesses.push_back({places[i.inputs[n]], false, n});
    for (size_t n = 0; n < i.outputs.size(); ++n)
      accesses.push_back({places[i.outputs[n]], true, n});
    if (i.workspace >= 0)
      accesses.push_back({scratch(frame, i), true, 0});
    std::erase_if(accesses, [](const Access &a) { return a.place.begin == a.place.end; });
    std::sort(accesses.begin(), accesses.end(),
              [](const Access &a, const Access &b) { return a.place.begin < b.place.begin; });
    for (size_t a = 0; a < accesses.size(); ++a)
      for (size_t b = a + 1; b < accesses.size() && accesses[b].place.begin < accesses[a].place.end; ++b) {
        const Access &x = accesses[a], &y = accesses[b];
        const Place &in = x.write ? y.place : x.place, &out = x.write ? x.place : y.place;
        const bool pairs = i.kind != Instruction::Kind::Collective || (i.op == "all_reduce" && x.index == y.index);
        bool inPlace = pairs && x.write != y.write && in.begin == out.begin && sameFamily(in.identity, out.identity);
        if ((x.write || y.write) && !inPlace)
          findings_.add(at(frame, index), "an output or the workspace (" + valueText(out.identity) +
                                              ") overlaps another operand (" + valueText(in.identity) +
                                              ") and is not its alias");
      }
  }

  Place scratch(int32_t frame, const Instruction &i) const {
    Place place = frames_[frame].places[i.workspace];
    place.end = place.begin + frames_[frame].body->values[i.workspace].bytes;
    return place;
  }

  /// Cuts the map so that no segment crosses `at`.
  void cut(int64_t at) {
    auto it = segments_.upper_bound(at);
    if (it == segments_.begin())
      return;
    --it;
    if (it->first == at || it->second.end <= at)
      return;
    Segment rest = it->second;
    it->second.end = at;
    segments_.emplace_hint(std::next(it), at, rest);
  }

  void read(int32_t node, const Place &place, Use use) {
    if (place.begin == place.end)
      return;
    cut(place.begin);
    cut(place.end);
    int64_t at = place.begin;
    auto it = segments_.lower_bound(at);
    while (at < place.end) {
      if (it == segments_.end() || it->first > at) {
        // Not touched yet by this program: content from before it.
        Segment fresh;
        fresh.end = it == segments_.end() ? place.end : std::min(place.end, it->first);
        fresh.readers.fill(-1);
        it = segments_.emplace_hint(it, at, fresh);
      }
      Segment &segment = it->second;
      if (segment.writer < 0)
        exposed(node, place, use);
      else if (!happensBefore(segment.writer, node))
        race(node, "reads", place, "writes", segment.writer);
      else if (!mayRead(place.identity, segment.identity))
        overwritten(node, place, segment);
      else if (const TypeId left = typeOf(segment.identity); !samePartial(left, place.type))
        findings_.add(nodeText(node), "reads " + valueText(place.identity) + " as " +
                                          describe(plan_.types[place.type]) + ", but " + nodeText(segment.writer) +
                                          " has left it as " + describe(plan_.types[left]) +
                                          ": a reduction is missing or misplaced");
      segment.readers[nodes_[node].stream] = node;
      at = segment.end;
      ++it;
    }
  }

  void write(int32_t node, const Place &place, Use use) {
    if (place.begin == place.end)
      return;
    cut(place.begin);
    cut(place.end);
    auto first = segments_.lower_bound(place.begin), it = first;
    for (; it != segments_.end() && it->first < place.end; ++it) {
      if (it->second.writer >= 0 && !happensBefore(it->second.writer, node))
        race(node, "writes", place, "writes", it->second.writer);
      for (int32_t reader : it->second.readers)
        if (reader >= 0 && !happensBefore(reader, node))
          race(node, "writes", place, "reads", reader);
    }
    segments_.erase(first, it);
    Segment fresh{place.end, node, place.identity, {}};
    fresh.readers.fill(-1);
    segments_.emplace(place.begin, fresh);
    identities_[place.identity].hasContent = true;
    if (BufferId buffer = identities_[place.identity].buffer; buffer >= 0) {
      ProgramEffects::BufferUse &effect = effects_.buffers[buffer];
      effect.write = std::max(effect.write, use);
      effect.left = place.type;
      effect.intermediate = identities_[place.identity].isAlias ? nodeText(node) : std::string();
    }
  }

  static bool isFirst(const Instruction &i) {
    auto it = i.attributes.find("first");
    const bool *first = it == i.attributes.end() ? nullptr : std::get_if<bool>(&it->second);
    return first && *first;
  }

  /// An accumulation that micro-batch 0 begins with a write must be the first of its program, or it drops what was
  /// added.
  void beginsOnce(int32_t node, const Place &place) {
    auto it = segments_.lower_bound(place.begin);
    if (it != segments_.end() && it->first < place.end && it->second.writer >= 0)
      findings_.add(nodeText(node), "begins the sum in " + valueText(place.identity) + ", which " +
                                        nodeText(it->second.writer) + " has written before");
  }

  bool sameFamily(int32_t a, int32_t b) const { return identities_[a].root == identities_[b].root; }

  TypeId typeOf(int32_t identity) const {
    const Identity &i = identities_[identity];
    return frames_[i.frame].body->values[i.value].type;
  }
  bool samePartial(TypeId a, TypeId b) const {
    return a == b || plan_.types[a].sharding.partial == plan_.types[b].sharding.partial;
  }

  bool mayRead(int32_t reader, int32_t written) const {
    if (reader == written)
      return true;
    auto isBuffer = [&](int32_t id) { return identities_[id].buffer >= 0 && !identities_[id].isAlias; };
    return sameFamily(reader, written) && isBuffer(reader) && isBuffer(written) && !identities_[reader].hasContent;
  }

  void exposed(int32_t node, const Place &place, Use use) {
    BufferId buffer = identities_[place.identity].buffer;
    if (buffer < 0 || identities_[place.identity].isAlias)
      return findings_.add(nodeText(node),
                           "reads " + valueText(place.identity) + ", which no instruction before it has written");
    identities_[place.identity].hasContent = true;
    ProgramEffects::BufferUse &effect = effects_.buffers[buffer];
    if (effect.read == Use::None)
      effect.readAs = place.type;
    else if (!samePartial(effect.readAs, place.type))
      findings_.add(nodeText(node), "reads " + valueText(place.identity) + " as " + describe(plan_.types[place.type]) +
                                        ", but " + effect.reader + " reads the same as " +
                                        describe(plan_.types[effect.readAs]));
    if (effect.read < use)
      effect.reader = nodeText(node);
    effect.read = std::max(effect.read, use);
  }

  //===--------------------------------------------------------------------===//
  // Messages
  //===--------------------------------------------------------------------===//

  std::string at(int32_t frame, int32_t index) const {
    return frames_[frame].where + ", " + describe(*frames_[frame].body, index);
  }
  std::string nodeText(int32_t node) const { return at(nodes_[node].frame, nodes_[node].instruction); }

  std::string valueText(int32_t identity) const {
    const Identity &i = identities_[identity];
    std::string text = "value " + std::to_string(i.value) + " of " + frames_[i.frame].body->name;
    if (i.buffer >= 0)
      text += " (buffer " + stage_.buffers[i.buffer].name + ")";
    return text;
  }

  void race(int32_t node, std::string_view does, const Place &place, std::string_view otherDoes, int32_t other) {
    findings_.add(nodeText(node), std::string(does) + " " + valueText(place.identity) + " while " + nodeText(other) +
                                      " " + std::string(otherDoes) + " the same bytes: no event or stream orders them");
  }

  void overwritten(int32_t node, const Place &place, const Segment &segment) {
    if (!identities_[place.identity].hasContent)
      return findings_.add(nodeText(node), "reads " + valueText(place.identity) +
                                               ", which no instruction before it has written: its bytes hold " +
                                               valueText(segment.identity) + " of " + nodeText(segment.writer));
    findings_.add(nodeText(node), "reads " + valueText(place.identity) + ", whose bytes " + nodeText(segment.writer) +
                                      " has overwritten with " + valueText(segment.identity));
  }

  const Plan &plan_;
  const Stage &stage_;
  Findings &findings_;
  std::vector<int64_t> typeBytes_;
  std::vector<Frame> frames_;
  std::vector<Identity> identities_;
  std::vector<Node> nodes_;
  std::array<Clock, kMaxStreams> tails_{};  ///< What is done when the next instruction of a stream starts.
  Clock counts_{};                          ///< Instructions issued per stream.
  std::array<int32_t, kMaxStreams> last_{}; ///< Last node per stream.
  std::map<BufferId, int32_t> bufferRoots_;
  std::map<int64_t, Segment> segments_;
  std::map<std::string, int32_t> lastOfGroup_;
  ProgramEffects effects_;
};

} // namespace

ProgramEffects checkProgram(const Plan &plan, const Stage &stage, const Program &program, const std::string &where,
                            Findings &findings) {
  return ProgramChecker(plan, stage, findings).check(program, where);
}

} // namespace modelpar::planformat
