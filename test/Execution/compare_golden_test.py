#!/usr/bin/env python3
#===- compare_golden_test.py - the comparison finds what it must find ---------===#
#
# Part of modelpar, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===----------------------------------------------------------------------===#
"""A made-up fixture with one small and one sketched gradient; each test spoils one thing."""
import array
import contextlib
import io
import json
import math
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare_golden  # noqa: E402
import hashed  # noqa: E402

BUCKETS = 256


class CompareGolden(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.small = hashed.hashed_tensor("small", 100, 0, 1)
        self.large = hashed.hashed_tensor("large", 10000, 0, 1)
        self.metrics = [{"step": n, "loss": 1.9 / n, "grad_norm": 2.0 / n} for n in (1, 2, 3)]
        self.logits = hashed.hashed_tensor("logits", 6 * 10, 0, 1)  # Two samples, three positions, ten classes.
        golden = {"logit_positions": [[0, 2], [1, 1]], "losses": [m["loss"] for m in self.metrics], "grad_norms": [m["grad_norm"] for m in self.metrics],
                  "sketch_buckets": BUCKETS,
                  "gradient_norms": {n: math.sqrt(sum(v * v for v in t)) for n, t in (("small", self.small), ("large", self.large))}}
        with open(self.path("golden.json"), "w") as file:
            json.dump(golden, file)
        hashed.write_safetensors(self.path("gradients.safetensors"), {
            "small": ([100], self.small),
            "large#sketch": ([BUCKETS], array.array("f", hashed.sketch("large", self.large, BUCKETS))),
            "large#elements": ([50], self.large[::200])})
        rows = [self.logits[10 * r:10 * r + 10] for r in range(6)]
        hashed.write_safetensors(self.path("logits.safetensors"), {
            "rows": ([2, 10], rows[2] + rows[4]), "norms": ([2, 3], array.array("f", [math.hypot(*r) for r in rows])),
            "sketch": ([BUCKETS], array.array("f", hashed.sketch("logits", self.logits, BUCKETS)))})

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def compare(self, **gradients):
        os.makedirs(self.path("dump"), exist_ok=True)
        os.makedirs(self.path("outputs"), exist_ok=True)
        logits = gradients.pop("logits", ([2, 3, 10], self.logits))
        hashed.write_safetensors(self.path("outputs/outputs.safetensors"), {"logits": logits} if logits else {})
        with open(self.path("metrics.jsonl"), "w") as file:
            file.writelines(json.dumps(line) + "\n" for line in self.metrics)
        dump = {"small": self.small, "large": self.large, **gradients}
        hashed.write_safetensors(self.path("dump/g.safetensors"), {n: ([len(t)], t) for n, t in dump.items() if t is not None})
        err = io.StringIO()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
            code = compare_golden.compare(self.folder.name, self.path("metrics.jsonl"), self.path("dump"),
                                          self.path("outputs"))
        return code, err.getvalue()

    def spoiled(self, text, **gradients):
        code, message = self.compare(**gradients)
        self.assertEqual(code, 1)
        self.assertIn(text, message)

    def test_equal(self):
        self.assertEqual(self.compare(), (0, ""))

    def test_rounding_is_allowed(self):
        noisy = array.array("f", [v * (1 + 2e-5 * (-1) ** i) for i, v in enumerate(self.large)])
        self.metrics[0]["loss"] += 1.8e-5
        self.metrics[2]["loss"] += 1.8e-5
        self.assertEqual(self.compare(large=noisy), (0, ""))

    def test_loss(self):
        self.metrics[1]["loss"] += 1e-4
        self.spoiled("step 2: loss")

    def test_first_loss(self):
        self.metrics[0]["loss"] += 1.95e-5  # Above 1e-5 of it.
        self.spoiled("step 1: loss")

    def test_logits(self):
        for index, text in ((25, "sample 0, position 2: differ"), (37, "sample 1, position 0: norm"), (0, "all logits: differ")):
            wrong = self.logits[:]
            wrong[index] += 1e-3
            self.spoiled(text, logits=([2, 3, 10], wrong))

    def test_logits_of_other_positions(self):
        self.spoiled("all logits: differ", logits=([2, 3, 10], self.logits[10:20] + self.logits[:10] + self.logits[20:]))

    def test_logits_that_are_not_numbers(self):
        self.spoiled("sample 1, position 2: norm nan", logits=([2, 3, 10], self.logits[:-1] + array.array("f", [math.nan])))

    def test_logits_of_another_shape(self):
        self.spoiled("logits have shape [2, 3, 9]", logits=([2, 3, 9], self.logits[:54]))

    def test_no_logits(self):
        self.spoiled("the outputs have no logits", logits=None)

    def test_loss_that_is_not_a_number(self):
        self.metrics[1]["loss"] = math.nan
        self.spoiled("step 2: loss nan")

    def test_grad_norm(self):
        self.metrics[0]["grad_norm"] *= 1.001
        self.spoiled("step 1: grad_norm")

    def test_missing_step(self):
        del self.metrics[2]
        self.spoiled("2 steps, expected 3")

    def test_doubled_gradient(self):
        self.spoiled("gradient 'large'", large=array.array("f", [2 * v for v in self.large]))

    def test_one_wrong_element_between_the_stored_ones(self):
        wrong = self.large[:]
        wrong[777] += 0.05
        self.spoiled("gradient 'large'", large=wrong)

    def test_exchanged_elements(self):
        wrong = self.large[:]
        wrong[1], wrong[2] = wrong[2], wrong[1]
        self.spoiled("gradient 'large'", large=wrong)

    def test_small_gradient(self):
        wrong = self.small[:]
        wrong[99] += 0.01
        self.spoiled("element 99", small=wrong)

    def test_missing_gradient(self):
        self.spoiled("gradient 'small' is not in the dump", small=None)

    def test_gradient_of_nothing(self):
        self.spoiled("gradient 'other' is not in the fixture", other=self.small)


if __name__ == "__main__":
    unittest.main()
