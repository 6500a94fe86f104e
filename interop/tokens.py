"""Trains tokenizers of several kinds on the lines of a job with Hugging Face's
tokenizers, writes each as KIND.json, and answers with the numbers that it gives the
lines to encode."""

import json
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = pre_tokenizers.ByteLevel.alphabet()


def wordpiece(lines):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=3000, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t


def cased(lines):
    t = wordpiece(lines)
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def bytelevel(lines, prefix=False):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=3000, show_progress=False, special_tokens=["<|endoftext|>"], initial_alphabet=BYTES))
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    return t


def roberta(lines):
    t = bytelevel(lines, True)
    t.add_special_tokens(["<s>", "</s>", "<pad>", AddedToken("<mask>", lstrip=True)])
    t.post_processor = processors.RobertaProcessing(("</s>", t.token_to_id("</s>")), ("<s>", t.token_to_id("<s>")))
    return t


def split(lines):
    t = Tokenizer(models.BPE())
    t.normalizer = normalizers.NFC()
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(QWEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=3000, show_progress=False, special_tokens=["<|endoftext|>"], initial_alphabet=BYTES))
    return t


def fallback(lines):
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    t.train_from_iterator(lines[:500], trainers.BpeTrainer(vocab_size=2000, show_progress=False, special_tokens=special, max_token_length=8))
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return t


def unigram(lines):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("``", '"'), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=3000, show_progress=False, special_tokens=["<unk>", "<pad>", "</s>"], unk_token="<unk>"))
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    return t


def punctuation(lines):
    t = unigram(lines)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="first"), pre_tokenizers.Punctuation("merged_with_previous")])
    t.add_special_tokens(["[MASK]"])
    return t


def words(lines):
    t = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    t.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(individual_digits=True)])
    t.train_from_iterator(lines, trainers.WordLevelTrainer(vocab_size=3000, show_progress=False, special_tokens=["[UNK]"]))
    t.add_tokens([AddedToken("tokens", single_word=True), AddedToken("we", lstrip=True, rstrip=True), AddedToken("Emoji")])
    return t


KINDS = [wordpiece, cased, bytelevel, roberta, split, fallback, unigram, punctuation, words]

folder = os.path.dirname(sys.argv[1])
with open(sys.argv[1], encoding="utf8") as f:
    jobs = json.load(f)
answers = []
for job in jobs:
    out = {}
    for kind in KINDS:
        t = kind(job["train"])
        t.save(os.path.join(folder, kind.__name__ + ".json"))
        e = [t.encode(x) for x in job["lines"]]
        n = job["cut"]
        t.enable_truncation(n)
        c = [t.encode(a, b) for a, b in zip(job["lines"], job["lines"][1:])] if kind is not words else []
        out[kind.__name__] = {"ids": [x.ids for x in e], "pairs": [x.ids for x in c], "types": [x.type_ids for x in c]}
    answers.append(out)
with open(os.path.join(folder, "RESULT.json"), "w", encoding="utf8") as f:
    json.dump(answers, f)
