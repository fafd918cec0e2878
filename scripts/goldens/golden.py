#===- golden.py - what transformers computes for a small model ---------------===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""Makes a fixture test/Execution/goldens/<model>: losses, gradient norms, gradients and logits of a model of transformers (eager
attention, float32, CPU), trained as modelpar-run trains: AdamW, weight decay on tensors of two or more dimensions, clipping by global norm,
mean loss over the targets that are not ignored. The weights are those of hashed.py. The scripts beside this one name the models; run
them from a virtual environment outside the tree that has torch and transformers. The tests that use the fixtures need neither."""
import array
import json
import math
import os

import torch
import transformers

import hashed

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BATCH, SEQUENCE, BATCHES, STEPS = 8, 64, 16, 60
HYPER = {"lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8, "weight_decay": 0.1, "clip": 1.0}
# Gradients of up to this many elements are stored whole; of the others a sketch and some elements.
WHOLE, BUCKETS, SAMPLES = 384, 256, 64
LOGIT_POSITIONS = [[0, 0], [0, 63], [1, 8], [2, 31], [3, 17], [4, 32], [5, 48], [6, 15], [6, 16], [7, 40], [7, 62], [7, 63]]
WORDS = """the a one every no this model layer token weight gradient loss step batch rank device plan mesh axis is was becomes holds
sends reads adds splits gathers reduces and then while because before after with without over under of to from into large small whole partial
local global late early slow fast two three four many few""".split()


def text(length):
    """English-like bytes, a function of nothing but the length."""
    out, i = "", 0
    while len(out) < length:
        x = hashed.splitmix64(i)
        sentence = " ".join(WORDS[hashed.splitmix64(x + k) % len(WORDS)] for k in range(4 + x % 7))
        out += sentence.capitalize() + (". " if x % 3 else ".\n")
        i += 1
    return out[:length].encode()


def make_data():
    """Samples of consecutive bytes. The first targets of some samples are ignored, unevenly: in each batch samples 2 and 3 have none left, so
    that a rank may have no label at all."""
    count = BATCHES * BATCH
    data = text(count * SEQUENCE + 1)
    tokens, targets = array.array("B"), array.array("h")
    for sample in range(count):
        begin, place = sample * SEQUENCE, sample % BATCH
        ignored = SEQUENCE if place in (2, 3) else (5 * place if place > 3 else 0)
        tokens.extend(data[begin:begin + SEQUENCE])
        targets.extend([-100] * ignored + list(data[begin + 1 + ignored:begin + 1 + SEQUENCE]))
    return {"tokens": ([count, SEQUENCE], tokens), "targets": ([count, SEQUENCE], targets)}


def make_model(fields, config_class, model_class):
    """The model with the weights of hashed.py; a tied head is the embedding's and has no weights of its own."""
    model = model_class._from_config(config_class(**fields), attn_implementation="eager")
    weights = {name: torch.frombuffer(values, dtype=torch.float32).reshape(shape)
               for name, (shape, values) in hashed.weights(fields).items()}
    missing, unexpected = model.load_state_dict(weights, strict=False)
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert not unexpected and set(missing) == ({"lm_head.weight"} if tied else set()), (missing, unexpected)
    return model.train()


def forward(model, batch):
    tokens, targets = batch
    logits = model(input_ids=tokens).logits
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), ignore_index=-100)
    return logits, loss


def train(model, batches):
    parameters = dict(model.named_parameters())
    groups = [{"params": [p for p in parameters.values() if p.dim() >= 2], "weight_decay": HYPER["weight_decay"]},
              {"params": [p for p in parameters.values() if p.dim() < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=HYPER["lr"], betas=tuple(HYPER["betas"]), eps=HYPER["eps"], foreach=False)
    losses, norms, first = [], [], None
    for step in range(STEPS):
        optimizer.zero_grad()
        logits, loss = forward(model, batches[step % BATCHES])
        loss.backward()
        if first is None:
            first = (logits.detach().clone(), {name: p.grad.detach().clone() for name, p in parameters.items()})
        norm = math.sqrt(sum(float(p.grad.double().square().sum()) for p in parameters.values()))
        # clip_grad_norm_ would add 1e-6 to the norm.
        scale = min(1.0, HYPER["clip"] / norm)
        for p in parameters.values():
            p.grad.mul_(scale)
        optimizer.step()
        losses.append(float(loss))
        norms.append(norm)
        print(f"step {step + 1} loss {losses[-1]:.6f} grad_norm {norms[-1]:.6f}")
    return losses, norms, first


def store_gradients(gradients):
    """`name` whole, or `name#sketch` and `name#elements` (every count // SAMPLES-th); and the norms."""
    tensors, norms = {}, {}
    for name, gradient in gradients.items():
        values = array.array("f", gradient.reshape(-1).tolist())
        norms[name] = math.sqrt(sum(v * v for v in values))
        if len(values) <= WHOLE:
            tensors[name] = (list(gradient.shape), values)
            continue
        tensors[name + "#sketch"] = ([BUCKETS], array.array("f", hashed.sketch(name, values, BUCKETS)))
        tensors[name + "#elements"] = ([SAMPLES], values[::len(values) // SAMPLES][:SAMPLES])
    return tensors, norms


def store_logits(logits):
    """Of step 1: `rows`, the logits at LOGIT_POSITIONS; of all of them `norms` (by sample and position) and `sketch`."""
    values = array.array("f", logits.reshape(-1).tolist())
    return {"rows": ([len(LOGIT_POSITIONS), logits.shape[-1]], array.array("f", [v for b, s in LOGIT_POSITIONS for v in logits[b, s].tolist()])),
            "norms": (list(logits.shape[:-1]), array.array("f", logits.double().norm(dim=-1).reshape(-1).tolist())),
            "sketch": ([BUCKETS], array.array("f", hashed.sketch("logits", values, BUCKETS)))}


def make(script, name, config_class, model_class):
    """Writes the fixture of models/<name>.json."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out = os.path.join(ROOT, "test", "Execution", "goldens", name)
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(ROOT, "models", name + ".json")) as file:
        fields = json.load(file)
    model = make_model(fields, config_class, model_class)
    data = make_data()
    hashed.write_safetensors(os.path.join(out, "data.safetensors"), data)
    tensors = {key: torch.tensor(values.tolist()).reshape(BATCHES, BATCH, SEQUENCE) for key, (_, values) in data.items()}
    batches = list(zip(tensors["tokens"], tensors["targets"]))
    with torch.no_grad():  # transformers' own loss agrees with ours.
        theirs = model(input_ids=batches[0][0], labels=batches[0][0], shift_labels=batches[0][1]).loss
        assert abs(float(theirs) - float(forward(model, batches[0])[1])) < 1e-6

    losses, norms, (logits, gradients) = train(model, batches)
    stored, gradient_norms = store_gradients(gradients)
    hashed.write_safetensors(os.path.join(out, "gradients.safetensors"), stored)
    weights = os.path.join(out, "model.safetensors.tmp")
    hashed.write_safetensors(weights, hashed.weights(fields), {"format": "pt"})
    fixture = {
        "made_by": f"scripts/goldens/{script} with torch {torch.__version__.split('+')[0]}, transformers {transformers.__version__}",
        "model": f"models/{name}.json", "global_batch": BATCH, "sequence": SEQUENCE, "steps": STEPS, "optimizer": "adamw",
        **HYPER, "weights_sha256": hashed.sha256(weights), "data_sha256": hashed.sha256(os.path.join(out, "data.safetensors")),
        "sketch_buckets": BUCKETS, "losses": losses, "grad_norms": norms, "gradient_norms": gradient_norms,
        "logit_positions": LOGIT_POSITIONS}
    os.remove(weights)
    hashed.write_safetensors(os.path.join(out, "logits.safetensors"), store_logits(logits))
    with open(os.path.join(out, "golden.json"), "w") as file:
        file.write(json.dumps(fixture, indent=1) + "\n")
