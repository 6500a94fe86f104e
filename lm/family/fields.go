package family

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// fields reads the entries of a JSON object and remembers which were asked for. The
// first error sticks. An entry that is null counts as one that is not there.
type fields struct {
	raw  map[string]json.RawMessage
	seen map[string]bool
	err  error
}

func newFields(raw map[string]json.RawMessage) *fields {
	return &fields{raw: raw, seen: map[string]bool{}}
}

func (f *fields) fail(format string, a ...any) {
	if f.err == nil {
		f.err = fmt.Errorf(format, a...)
	}
}

// has says whether an entry is there and not null.
func (f *fields) has(name string) bool {
	f.seen[name] = true
	v, ok := f.raw[name]
	return ok && !bytes.Equal(v, []byte("null"))
}

// get decodes an entry into a value, which it leaves alone where there is none.
func (f *fields) get(name string, into any) bool {
	if !f.has(name) {
		return false
	}
	if err := json.Unmarshal(f.raw[name], into); err != nil {
		f.fail("%q: %v", name, err)
		return false
	}
	return true
}

// most bounds every size that a config may state.
const most = 1 << 26

// size is a positive whole number; with def 0 it must be there.
func (f *fields) size(name string, def int) int {
	var x float64
	switch {
	case !f.get(name, &x):
		if def == 0 {
			f.fail("%q is missing", name)
		}
		return max(def, 1)
	case x != math.Trunc(x) || x < 1 || x > most:
		f.fail("%q is %v, and must be a whole number from 1 to %d", name, x, most)
		return 1
	}
	return int(x)
}

func (f *fields) number(name string, def float64) float64 {
	f.get(name, &def)
	return def
}

// positive is a number above 0.
func (f *fields) positive(name string, def float64) float64 {
	if def = f.number(name, def); !(def > 0) || math.IsInf(def, 0) {
		f.fail("%q is %v, and must be positive", name, def)
		return 1
	}
	return def
}

func (f *fields) flag(name string, def bool) bool {
	f.get(name, &def)
	return def
}

func (f *fields) text(name, def string) string {
	f.get(name, &def)
	return def
}

// refuse returns an error where a feature that is not understood is on.
func (f *fields) refuse(name string, off ...string) {
	if f.has(name) && !slices.Contains(append(off, "false"), string(f.raw[name])) {
		f.fail("%q: %s is not understood", name, f.raw[name])
	}
}

// object is an entry that is an object.
func (f *fields) object(name string) *fields {
	var raw map[string]json.RawMessage
	if !f.get(name, &raw) || len(raw) == 0 {
		return nil
	}
	return newFields(raw)
}

// harmless are entries that change nothing of what a trained model computes: how it is
// trained, generates or is saved, and what tokens mean.
var harmless = strings.Fields(`_name_or_path architectures transformers_version torch_dtype dtype _attn_implementation
	_attn_implementation_autoset auto_map use_cache initializer_range init_std layerdrop dropout attention_dropout attn_pdrop
	embd_pdrop resid_pdrop hidden_dropout hidden_dropout_prob attention_probs_dropout_prob classifier_dropout activation_dropout
	bos_token_id eos_token_id pad_token_id sep_token_id decoder_start_token_id unk_token_id cls_token_id mask_token_id
	id2label label2id num_labels problem_type finetuning_task task_specific_params tokenizer_class prefix
	return_dict output_hidden_states output_attentions torchscript use_bfloat16 chunk_size_feed_forward gradient_checkpointing
	max_length min_length do_sample early_stopping num_beams num_beam_groups diversity_penalty temperature top_k top_p typical_p
	repetition_penalty length_penalty no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences
	output_scores return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values
	exponential_decay_length_penalty suppress_tokens begin_suppress_tokens pretraining_tp cache_implementation unsloth_version
	transformers.js_config is_llama_config summary_activation summary_first_dropout summary_proj_to_labels summary_type
	summary_use_proj n_ctx reorder_and_upcast_attn tie_encoder_decoder directionality pooler_fc_size pooler_num_attention_heads
	pooler_num_fc_layers pooler_size_per_head pooler_type`)

// finish returns the first error, or one that names the entries which nobody asked for.
func (f *fields) finish() error {
	if f.err != nil {
		return f.err
	}
	var unknown []string
	for name, v := range f.raw {
		if !f.seen[name] && !slices.Contains(harmless, name) && string(v) != "null" {
			unknown = append(unknown, fmt.Sprintf("%q: %.40s", name, v))
		}
	}
	if unknown != nil {
		slices.Sort(unknown)
		return fmt.Errorf("what these entries change is not known: %s; take out those that change nothing of what the model computes", strings.Join(unknown, ", "))
	}
	return nil
}
