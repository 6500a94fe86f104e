"""Trains tokenizers of several kinds on the lines of a job with Hugging Face's
tokenizers, writes each as KIND.json, and answers with the numbers that it gives the
lines to encode, and with the texts that it makes of numbers."""

import base64
import io
import json
import os
import sys
import time

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

QWEN2 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT4O = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+")
BYTES = pre_tokenizers.ByteLevel.alphabet()


def wordpiece(lines):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(lowercase=True)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=3000, show_progress=False, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    t.decoder = decoders.WordPiece()
    t.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return t


def cased(lines):
    t = wordpiece(lines)
    t.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=True)
    t.decoder = decoders.WordPiece(cleanup=False)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return t


def bytelevel(lines, prefix=False):
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=3000, show_progress=False, special_tokens=["<|endoftext|>"], initial_alphabet=BYTES))
    t.decoder = decoders.ByteLevel()
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


def llama3(lines, regex=None):
    t = Tokenizer(models.BPE(ignore_merges=True))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex or QWEN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    t.train_from_iterator(lines, trainers.BpeTrainer(vocab_size=4000, show_progress=False, initial_alphabet=BYTES))
    t.add_special_tokens(["<|begin_of_text|>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"])
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", special_tokens=[("<|begin_of_text|>", t.token_to_id("<|begin_of_text|>"))])])
    return t


def qwen2(lines):
    t = llama3(lines, QWEN2)
    t.normalizer = normalizers.NFC()
    return t


def gpt4o(lines):
    return llama3(lines, GPT4O)


def smollm(lines):
    t = llama3(lines)
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return t


def mistral(lines):
    t = fallback(lines)
    t.normalizer = None
    t.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return t


def gemma(lines):
    t = fallback(lines)
    t.normalizer = normalizers.Replace(" ", "\u2581")
    t.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return t


def original(lines):
    t = Tokenizer(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"))
    t.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.NFKD()])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation("contiguous")])
    t.train_from_iterator(lines[:300], trainers.BpeTrainer(vocab_size=1500, show_progress=False, special_tokens=["<unk>"], end_of_word_suffix="</w>"))
    t.decoder = decoders.BPEDecoder()
    return t


def speech(lines):
    t = Tokenizer(models.WordLevel(unk_token="<unk>"))
    t.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    t.train_from_iterator(lines, trainers.WordLevelTrainer(vocab_size=300, show_progress=False, special_tokens=["<pad>", "<unk>", "|"]))
    t.decoder = decoders.CTC()
    return t


def fallback(lines):
    t = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]
    t.train_from_iterator(lines[:500], trainers.BpeTrainer(vocab_size=2000, show_progress=False, special_tokens=special, max_token_length=8))
    t.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    t.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return t


def unigram(lines):
    t = Tokenizer(models.Unigram())
    t.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace("``", '"'), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.train_from_iterator(lines, trainers.UnigramTrainer(vocab_size=3000, show_progress=False, special_tokens=["<unk>", "<pad>", "</s>"], unk_token="<unk>"))
    t.decoder = decoders.Metaspace()
    t.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 2)])
    return t


def t5(lines):
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines[:400]), model_writer=model, vocab_size=1000, model_type="unigram", minloglevel=2, character_coverage=1.0, byte_fallback=True)
    from sentencepiece import sentencepiece_model_pb2 as pb

    m = pb.ModelProto.FromString(model.getvalue())
    t = Tokenizer(models.Unigram([(p.piece, p.score) for p in m.pieces], 0, True))
    t.normalizer = normalizers.Sequence([normalizers.Precompiled(m.normalizer_spec.precompiled_charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace()
    t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    t.add_special_tokens(["</s>"])
    return t


def albert(lines):
    t = unigram(lines)
    t.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")])
    return t


def punctuation(lines):
    t = unigram(lines)
    t.decoder = decoders.Metaspace(prepend_scheme="never")
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


KINDS = [wordpiece, cased, bytelevel, roberta, split, llama3, qwen2, gpt4o, smollm, fallback, mistral, gemma, original, unigram, t5, albert, punctuation, words, speech]


def main():
    folder = os.path.dirname(sys.argv[1])
    with open(sys.argv[1], encoding="utf8") as f:
        jobs = json.load(f)
    answers = []
    for job in jobs:
        out = {}
        lines = job["lines"] + [base64.b64decode(x).decode("utf8", "replace") for x in job["raw"] or []]
        for kind in KINDS:
            try:
                t = kind(job["train"])
            except ImportError as e:
                print("left out:", kind.__name__, e)
                continue
            path = os.path.join(folder, kind.__name__ + ".json")
            t.save(path)
            t = Tokenizer.from_file(path)
            began = time.thread_time()
            e = [t.encode(x).ids for x in lines]
            took = time.thread_time() - began
            ids = e[-job["pairs"] :] + [[i % t.get_vocab_size() for i in x] for x in job["ids"]]
            d = {"ids": e, "seconds": took, "texts": [t.decode(x) for x in ids], "whole": [t.decode(x, skip_special_tokens=False) for x in ids], "size": t.get_vocab_size()}
            t.encode_special_tokens = True
            d["plain"] = [t.encode(x, add_special_tokens=False).ids for x in lines[: job["pairs"]]]
            t.encode_special_tokens = False
            t.enable_truncation(job["cut"])
            c = [t.encode(a, b) for a, b in zip(lines[: job["pairs"]], lines[1 : job["pairs"]])] if t.post_processor else []
            d["pairs"], d["types"] = [x.ids for x in c], [x.type_ids for x in c]
            out[kind.__name__] = d
        answers.append(out)
    with open(os.path.join(folder, "RESULT.json"), "w", encoding="utf8") as f:
        json.dump(answers, f)


if __name__ == "__main__":
    main()
