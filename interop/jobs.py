"""Runs the jobs of a test: a JSON list in a file, an answer for each in RESULT.json next to it."""

import json
import os
import sys


def serve(run):
    """Answers every job of the file that the command line names with run(job)."""
    jobs = json.load(open(sys.argv[1]))
    results = []
    for job in jobs:
        try:
            results.append(run(job))
        except Exception as e:  # every failure is the test's to report
            results.append({"error": f"{type(e).__name__}: {e}"})
    out = os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json")
    json.dump(results, open(out, "w"))
