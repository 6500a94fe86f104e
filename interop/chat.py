"""Renders templates with Jinja2 as transformers sets it up for conversations, and
answers with the texts, or with what was refused."""

import datetime
import json
import os
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_write"), [], [], body).set_lineno(line)

    def _write(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
env.filters["tojson"] = tojson
env.globals["raise_exception"] = raise_exception

with open(sys.argv[1], encoding="utf8") as f:
    jobs = json.load(f)
answers = []
for job in jobs:
    env.globals["strftime_now"] = lambda fmt: datetime.datetime.fromisoformat(job["now"]).strftime(fmt)
    try:
        text = env.from_string(job["template"]).render(**job["values"])
        answers.append({"text": text, "refused": ""})
    except Exception as e:
        answers.append({"text": "", "refused": type(e).__name__ + ": " + str(e)})
with open(os.path.join(os.path.dirname(sys.argv[1]), "RESULT.json"), "w", encoding="utf8") as f:
    json.dump(answers, f)
