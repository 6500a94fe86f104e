"""Encodes lines with Hugging Face's tokenizers by the files KIND.reduced.json of a folder."""

import glob
import json
import os
import sys

from tokenizers import Tokenizer


def main():
    folder = os.path.dirname(sys.argv[1])
    with open(sys.argv[1], encoding="utf8") as f:
        jobs = json.load(f)
    answers = []
    for job in jobs:
        out = {}
        for path in glob.glob(os.path.join(folder, "*.reduced.json")):
            t = Tokenizer.from_file(path)
            out[os.path.basename(path).removesuffix(".reduced.json")] = [t.encode(x).ids for x in job["lines"]]
        answers.append(out)
    with open(os.path.join(folder, "RESULT.json"), "w", encoding="utf8") as f:
        json.dump(answers, f)


if __name__ == "__main__":
    main()
