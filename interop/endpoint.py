"""Asks an endpoint through OpenAI's own client, and writes down what it says."""

import json
import pathlib
import sys

import openai

jobs = json.loads(pathlib.Path(sys.argv[1]).read_text())
job = jobs[0]
client = openai.OpenAI(base_url=job["url"], api_key="none", max_retries=0)
model = job["model"]
chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Where is the 猫?"}]}]
out = {}


def choice(c):
    return {"text": c.message.content if hasattr(c, "message") else c.text, "finish": c.finish_reason}


def usage(u):
    return [u.prompt_tokens, u.completion_tokens, u.total_tokens]


out["models"] = [m.id for m in client.models.list()]
out["model"] = client.models.retrieve(model).id

r = client.chat.completions.create(model=model, messages=chat, n=3, temperature=1, seed=5, max_completion_tokens=8, logprobs=True, top_logprobs=2)
out["chat"] = {
    "choices": [choice(c) for c in r.choices],
    "usage": usage(r.usage),
    "tokens": [[t.token, t.logprob, len(t.top_logprobs)] for t in r.choices[1].logprobs.content],
    "bytes": "".join(bytes(t.bytes).decode() for t in r.choices[1].logprobs.content),
}

r = client.completions.create(model=model, prompt="the", max_tokens=10, temperature=0, stop=[" sat", "\n"], logprobs=2)
out["text"] = {"choices": [choice(c) for c in r.choices], "usage": usage(r.usage), "tokens": r.choices[0].logprobs.tokens, "tops": [len(t) for t in r.choices[0].logprobs.top_logprobs]}

r = client.completions.create(model=model, prompt=["the 猫 sat", "on"], max_tokens=0, echo=True, logprobs=1, temperature=0)
out["echo"] = [
    {"text": c.text, "tokens": c.logprobs.tokens, "logprobs": c.logprobs.token_logprobs, "offsets": c.logprobs.text_offset} for c in r.choices
]

pieces, last = ["", ""], None
for part in client.chat.completions.create(model=model, messages=chat, n=2, temperature=1, seed=5, max_tokens=8, stream=True, stream_options={"include_usage": True}):
    for c in part.choices:
        pieces[c.index] += c.delta.content or ""
    last = part
out["stream"] = {"pieces": pieces, "usage": usage(last.usage)}
with client.chat.completions.stream(model=model, messages=chat, temperature=1, seed=5, max_tokens=8) as s:
    out["helper"] = s.get_final_completion().choices[0].message.content
out["text stream"] = "".join(p.choices[0].text for p in client.completions.create(model=model, prompt="the", max_tokens=10, temperature=0, stream=True))

r = client.embeddings.create(model=model, input=["the cat", "on 42"])
plain = client.embeddings.create(model=model, input=["the cat", "on 42"], encoding_format="float")
out["embeddings"] = {"base64": [d.embedding for d in r.data], "float": [d.embedding for d in plain.data], "usage": r.usage.prompt_tokens}


def fails(**more):
    """The class of the error that a chat ends in, and what it says."""
    try:
        client.chat.completions.create(**({"model": model, "messages": chat, "max_tokens": 4} | more))
    except openai.APIStatusError as e:
        return {"class": type(e).__name__, "status": e.status_code, "code": e.code, "param": e.param, "message": e.message}
    return {"class": "none"}


out["errors"] = {
    "temperature": fails(temperature=-1),
    "tools": fails(tools=[{"type": "function", "function": {"name": "f"}}]),
    "image": fails(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
    "unknown field": fails(extra_body={"guided_choice": ["a"]}),
    "no such model": fails(model="another"),
    "too long": fails(max_tokens=100000),
    "over budget": fails(n=100, max_tokens=4000),
    "a number": fails(extra_body={"n": "two"}),
}
(pathlib.Path(sys.argv[1]).parent / "RESULT.json").write_text(json.dumps([out]))
