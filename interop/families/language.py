"""Transformers of text, speech and both, of the library transformers."""
import transformers as tf
from torch import nn

from .common import ATTENTION, BOTH, Input, Net

V, T = 64, 10  # vocabulary and length


class First(nn.Module):
    """A model called by its inputs' names, of which one output is taken."""

    def __init__(self, model, names, output):
        super().__init__()
        self.model, self.names, self.output = model, names, output

    def forward(self, first, second=None):
        given = {n: x for n, x in zip(self.names, (first, second)) if x is not None}
        return getattr(self.model(**given, return_dict=True), self.output)


def text(model, output="last_hidden_state", mask=False, decoder=False):
    dyn = {0: "batch", 1: "time"}
    inputs = [Input("input_ids", (2, T), V, dynamic=dyn)]
    if mask or decoder:
        inputs.append(Input("attention_mask", (2, T), 2, int(decoder), dyn))
    if decoder:
        model.config.use_cache = False
    return Net(First(model.eval(), [i.name for i in inputs], output), inputs)


def encoder(config, model, mask=True, output="last_hidden_state", attn="sdpa", **kw):
    c = dict(vocab_size=V, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
             max_position_embeddings=64)
    return text(model(config(**(c | kw), attn_implementation=attn)), output, mask)


def decoder(config, model, attn="sdpa", **kw):
    c = dict(vocab_size=V, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    return text(model(config(**(c | kw), attn_implementation=attn)), "logits", decoder=True)


def gpt2(attn="sdpa"):
    c = tf.GPT2Config(vocab_size=V, n_positions=64, n_embd=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2, attn_implementation=attn)
    return text(tf.GPT2LMHeadModel(c), "logits", decoder=True)


def distilbert():
    c = tf.DistilBertConfig(vocab_size=V, dim=32, n_layers=2, n_heads=4, hidden_dim=64, max_position_embeddings=64)
    return text(tf.DistilBertForSequenceClassification(c), "logits", mask=True)


def t5():
    c = tf.T5Config(vocab_size=V, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu")
    return text(tf.T5EncoderModel(c), mask=True)


def clip():
    t = dict(vocab_size=V, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
             max_position_embeddings=T, bos_token_id=1, eos_token_id=2, pad_token_id=0)
    v = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8)
    m = tf.CLIPModel(tf.CLIPConfig(text_config=t, vision_config=v, projection_dim=24))
    inputs = [Input("input_ids", (2, T), V, dynamic={0: "texts"}), Input("pixel_values", (2, 3, 32, 32), dynamic={0: "images"})]
    return Net(First(m, [i.name for i in inputs], "logits_per_image"), inputs)


def pixels(config, model, output="logits", size=32, **kw):
    c = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=size, patch_size=8, num_labels=10)
    return Net(First(model(config(**(c | kw))), ["pixel_values"], output), [Input("pixel_values", (2, 3, size, size))])


def whisper():
    c = tf.WhisperConfig(vocab_size=V, d_model=32, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64,
                         decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=64, num_mel_bins=16,
                         max_source_positions=40, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
    m = tf.WhisperModel(c).encoder
    return Net(First(m, ["input_features"], "last_hidden_state"), [Input("input_features", (2, 16, 80))])


def wav2vec2():
    c = tf.Wav2Vec2Config(vocab_size=V, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64,
                          conv_dim=(16, 16, 16), conv_stride=(5, 2, 2), conv_kernel=(10, 3, 3),
                          num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
    return Net(First(tf.Wav2Vec2ForCTC(c), ["input_values"], "logits"), [Input("input_values", (2, 800))])


def segformer():
    c = tf.SegformerConfig(num_encoder_blocks=2, depths=[1, 1], sr_ratios=[2, 1], hidden_sizes=[16, 32], patch_sizes=[7, 3],
                           strides=[4, 2], num_attention_heads=[1, 2], mlp_ratios=[2, 2], decoder_hidden_size=32, num_labels=10)
    return Net(First(tf.SegformerForSemanticSegmentation(c), ["pixel_values"], "logits"), [Input("pixel_values", (2, 3, 64, 64))])


BERT = tf.BertConfig, tf.BertForSequenceClassification
GQA = dict(num_key_value_heads=2)

NETS = {
    "bert": ("BERT", lambda: encoder(*BERT, output="logits", num_labels=10), ATTENTION),
    "bert_eager": ("BERT", lambda: encoder(*BERT, output="logits", num_labels=10, attn="eager"), BOTH),
    "bert_mlm": ("BERT", lambda: encoder(tf.BertConfig, tf.BertForMaskedLM, output="logits"), BOTH),
    "roberta": ("BERT", lambda: encoder(tf.RobertaConfig, tf.RobertaModel), BOTH),
    "albert": ("ALBERT", lambda: encoder(tf.AlbertConfig, tf.AlbertModel, embedding_size=16), BOTH),
    "electra": ("ELECTRA", lambda: encoder(tf.ElectraConfig, tf.ElectraModel, embedding_size=16), BOTH),
    "distilbert": ("DistilBERT", distilbert, BOTH),
    "deberta": ("DeBERTa", lambda: encoder(tf.DebertaV2Config, tf.DebertaV2Model, attn="eager", relative_attention=True, pos_att_type=["c2p", "p2c"]), BOTH),
    "gpt2": ("GPT-2", gpt2, ATTENTION),
    "gpt2_eager": ("GPT-2", lambda: gpt2("eager"), BOTH),
    "gpt_neox": ("GPT-NeoX", lambda: decoder(tf.GPTNeoXConfig, tf.GPTNeoXForCausalLM), BOTH),
    "opt": ("OPT", lambda: decoder(tf.OPTConfig, tf.OPTForCausalLM, ffn_dim=64, word_embed_proj_dim=32), BOTH),
    "bloom": ("BLOOM", lambda: decoder(tf.BloomConfig, tf.BloomForCausalLM, "eager", n_layer=2, n_head=4), BOTH),
    "llama": ("Llama", lambda: decoder(tf.LlamaConfig, tf.LlamaForCausalLM, **GQA), ATTENTION),
    "llama_eager": ("Llama", lambda: decoder(tf.LlamaConfig, tf.LlamaForCausalLM, "eager", tie_word_embeddings=True, **GQA), BOTH),
    "qwen2": ("Qwen", lambda: decoder(tf.Qwen2Config, tf.Qwen2ForCausalLM, **GQA), BOTH),
    "qwen3": ("Qwen", lambda: decoder(tf.Qwen3Config, tf.Qwen3ForCausalLM, head_dim=8, **GQA), BOTH),
    "mistral": ("Mistral", lambda: decoder(tf.MistralConfig, tf.MistralForCausalLM, **GQA), BOTH),
    "gemma": ("Gemma", lambda: decoder(tf.GemmaConfig, tf.GemmaForCausalLM, head_dim=8, **GQA), BOTH),
    "phi": ("Phi", lambda: decoder(tf.PhiConfig, tf.PhiForCausalLM), BOTH),
    "t5_encoder": ("T5", t5, BOTH),
    "clip": ("CLIP", clip, BOTH),
    "whisper_encoder": ("Whisper", whisper, BOTH),
    "wav2vec2": ("wav2vec 2", wav2vec2, BOTH),
    "hf_vit": ("ViT", lambda: pixels(tf.ViTConfig, tf.ViTForImageClassification), BOTH),
    "dinov2": ("DINOv2", lambda: pixels(tf.Dinov2Config, tf.Dinov2ForImageClassification, mlp_ratio=2), BOTH),
    "segformer": ("SegFormer", segformer, BOTH),
}
