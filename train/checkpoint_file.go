package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"pare/safetensors"
	"pare/tensor"

	"github.com/google/renameio/v2"
)

// A checkpoint file is
//
//	"PARECKP5", the SHA-256 of what follows the next 8 bytes, its uint64 length
//	a safetensors file: weights, optimiser state, statistics and states of the
//	hooks as tensors named PART/NUMBER/NAME, the past epochs and what the loop
//	watches as numbers, the states that may be gone back to as files of their own
//	in bytes, and the facts of the run as metadata
const checkpointMagic = "PARECKP"

// CheckpointFormat is the version of checkpoints. It rises where an older file would
// be gone on with to other bytes, too: where a method, the loop or the facts change.
const CheckpointFormat = 5

// save writes the state beside the file, syncs and renames it.
func (r *Run) save(path string) error {
	c, err := r.state(nil, true)
	if err != nil {
		return err
	}
	c.Key, c.Peak, c.Tested, c.Factor, c.Backs = r.Key, r.Peak, r.Tested, r.factor, r.Backs
	c.Good, c.Best, c.Chosen = r.good, r.best, r.chosen
	b, err := encode(c)
	if err == nil {
		err = renameio.WriteFile(path, b, 0o644, renameio.WithTempDir(filepath.Dir(path)))
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	r.saved = r.Step
	return nil
}

// label is a name as text; one that is not UTF-8 is quoted.
func label(s string) string {
	if utf8.ValidString(s) && !strings.HasPrefix(s, `"`) {
		return s
	}
	return strconv.QuoteToASCII(s)
}

func unlabel(s string) (string, error) {
	if !strings.HasPrefix(s, `"`) {
		return s, nil
	}
	return strconv.Unquote(s)
}

// numbers of an epoch.
func (e Epoch) numbers() []float64 {
	return []float64{float64(e.Epoch), float64(e.Step), e.Loss, e.Rate, e.ValLoss, e.Score.Value}
}

func epochOf(x []float64) Epoch {
	return Epoch{int(x[0]), int(x[1]), x[2], x[3], x[4], Score{Value: x[5]}, 0}
}

func encode(c *checkpoint) ([]byte, error) {
	f := &safetensors.File{Tensors: map[string]*tensor.Tensor{}, Meta: map[string]string{"step": strconv.Itoa(c.Step), "epoch": strconv.Itoa(c.Epoch)}}
	add := func(part string, i int, name string, t *tensor.Tensor) {
		name = fmt.Sprintf("%s/%d/%s", part, i, label(name))
		f.Names, f.Tensors[name] = append(f.Names, name), t
	}
	for i, name := range c.Names {
		add("weight", i, name, tensor.Vector(c.Weights[i]...))
		for k, s := range c.State[i] {
			add("state", i, strconv.Itoa(k), tensor.Vector(s...))
		}
	}
	for i, name := range c.StatNames {
		add("statistic", i, name, tensor.Vector(c.Stats[i]...))
	}
	for i, name := range slices.Sorted(maps.Keys(c.Hooks)) {
		add("hook", i, name, tensor.Vector(c.Hooks[name]...))
	}
	past := []float64{c.Sum}
	for _, e := range c.Past {
		past = append(past, e.numbers()...)
	}
	add("past", 0, "", tensor.Vector(past...))
	if len(c.Past) > 0 { // all epochs are judged by one metric
		s := c.Past[0].Score
		f.Meta["metric"] = label(fmt.Sprintf("%t %s\n%s", s.Higher, s.Metric, s.Unit))
	}
	add("loop", 0, "", tensor.Vector(c.loop()...))
	for i, k := range []*checkpoint{c.Good, c.Best} {
		if k == nil {
			continue
		}
		b, err := encode(k)
		if err != nil {
			return nil, err
		}
		add("kept", i, "", tensor.Vector(b...))
	}
	for i, k := range c.Key {
		f.Meta["key/"+strconv.Itoa(i)] = label(k)
	}
	body, err := safetensors.Encode(f)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	out := fmt.Appendf(nil, "%s%d", checkpointMagic, CheckpointFormat)
	out = append(out, sum[:]...)
	out = binary.LittleEndian.AppendUint64(out, uint64(len(body)))
	return append(out, body...), nil
}

func decode(b []byte) (*checkpoint, error) { return decodeWithin(b, 0) }

// decodeWithin reads a state that stands within so many others.
func decodeWithin(b []byte, within int) (*checkpoint, error) {
	magic := len(checkpointMagic) + 1
	head := magic + sha256.Size + 8
	if len(b) < head || string(b[:len(checkpointMagic)]) != checkpointMagic {
		return nil, errors.New("it is no checkpoint of Pare")
	}
	if is := b[magic-1]; is != '0'+CheckpointFormat {
		return nil, fmt.Errorf("it has format %q, this version of Pare reads %d: end the run with the version that began it, or remove the checkpoint", is, CheckpointFormat)
	}
	sum := b[magic : head-8]
	n := binary.LittleEndian.Uint64(b[head-8:])
	body := b[head:]
	if n > math.MaxInt64 || uint64(len(body)) != n {
		return nil, fmt.Errorf("truncated: %d bytes of %d", len(body), n)
	}
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, errors.New("its checksum is wrong: the file is damaged")
	}
	f, err := safetensors.Decode(body)
	if err != nil {
		return nil, err
	}
	return checkpointOf(f, within)
}

// loop is what the loop watches, as numbers.
func (c *checkpoint) loop() []float64 {
	out := []float64{c.Watch.smooth, c.Watch.best, float64(c.Watch.seen), float64(c.Watch.over), float64(c.Watch.long), c.Norms.mean, float64(c.Norms.seen), c.Peak, float64(c.Tested), c.Factor, c.Chosen.top}
	out = append(out, c.Chosen.numbers()...)
	for _, b := range c.Backs {
		out = append(out, float64(b.At), float64(b.To), b.Rate)
	}
	return out
}

// setLoop takes what loop has written.
func (c *checkpoint) setLoop(x []float64) error {
	n := len((&checkpoint{}).loop())
	if len(x) < n || (len(x)-n)%3 != 0 {
		return fmt.Errorf("damaged: %d numbers of the loop", len(x))
	}
	c.Watch = watch{x[0], x[1], int(x[2]), int(x[3]), int(x[4])}
	c.Norms = norms{x[5], int(x[6])}
	c.Peak, c.Tested, c.Factor = x[7], int(x[8]), x[9]
	c.Chosen = chosen{epochOf(x[11:]), x[10]}
	for x = x[n:]; len(x) > 0; x = x[3:] {
		c.Backs = append(c.Backs, Back{int(x[0]), int(x[1]), x[2]})
	}
	return nil
}

// setKept takes a state that may be gone back to, which holds none itself.
func (c *checkpoint) setKept(i int, b []byte) error {
	k, err := decodeWithin(b, 1)
	switch {
	case err != nil:
		return err
	case i == 0:
		c.Good = k
	case i == 1:
		c.Best = k
	}
	return nil
}

// checkpointOf takes the parts of a checkpoint from the tensors of a file, which
// stands within so many others.
func checkpointOf(f *safetensors.File, within int) (*checkpoint, error) {
	c := &checkpoint{Hooks: map[string][]byte{}}
	count := map[string]int{}
	for name := range f.Tensors {
		part, _, _ := strings.Cut(name, "/")
		count[part]++
	}
	c.Names, c.Weights = make([]string, count["weight"]), make([][]float32, count["weight"])
	c.State = make([][][]float32, count["weight"])
	c.StatNames, c.Stats = make([]string, count["statistic"]), make([][]float32, count["statistic"])
	for _, full := range f.Names { // states of a weight come one after another
		p := strings.SplitN(full, "/", 3)
		bad := fmt.Errorf("damaged: it holds %.80q", full)
		if len(p) != 3 {
			return nil, bad
		}
		i, err := strconv.Atoi(p[1])
		name, e := unlabel(p[2])
		if err != nil || e != nil || i < 0 {
			return nil, bad
		}
		t := f.Tensors[full]
		x := t.F32()
		switch {
		case p[0] == "hook" && t.DType == tensor.Uint8:
			c.Hooks[name] = tensor.Of[uint8](t)
		case p[0] == "past" && t.DType == tensor.Float64:
			if err := c.setPast(tensor.Of[float64](t)); err != nil {
				return nil, err
			}
		case p[0] == "loop" && t.DType == tensor.Float64:
			if err := c.setLoop(tensor.Of[float64](t)); err != nil {
				return nil, err
			}
		case p[0] == "kept" && t.DType == tensor.Uint8 && within == 0:
			if err := c.setKept(i, tensor.Of[uint8](t)); err != nil {
				return nil, err
			}
		case x == nil:
			return nil, bad
		case p[0] == "weight" && i < len(c.Names):
			c.Names[i], c.Weights[i] = name, x
		case p[0] == "state" && i < len(c.Names) && name == strconv.Itoa(len(c.State[i])):
			c.State[i] = append(c.State[i], x)
		case p[0] == "statistic" && i < len(c.Stats):
			c.StatNames[i], c.Stats[i] = name, x
		default:
			return nil, bad
		}
	}
	var err, e error
	c.Step, err = strconv.Atoi(f.Meta["step"])
	c.Epoch, e = strconv.Atoi(f.Meta["epoch"])
	if err != nil || e != nil {
		return nil, errors.New("damaged: it does not say at which step it stands")
	}
	if err := c.setMetric(f.Meta["metric"]); err != nil {
		return nil, err
	}
	for i := 0; ; i++ {
		k, ok := f.Meta["key/"+strconv.Itoa(i)]
		if !ok {
			return c, nil
		}
		if k, err = unlabel(k); err != nil {
			return nil, err
		}
		c.Key = append(c.Key, k)
	}
}

// setMetric says what the epochs were judged by.
func (c *checkpoint) setMetric(text string) error {
	text, err := unlabel(text)
	higher, rest, _ := strings.Cut(text, " ")
	name, unit, _ := strings.Cut(rest, "\n")
	of := func(s *Score) { s.Metric, s.Unit, s.Higher = name, unit, higher == "true" }
	for i := range c.Past {
		of(&c.Past[i].Score)
	}
	if c.Chosen.Epoch.Epoch > 0 {
		of(&c.Chosen.Score)
	}
	return err
}

// setPast takes the sum of this epoch's losses and the epochs before it.
func (c *checkpoint) setPast(x []float64) error {
	per := len(Epoch{}.numbers())
	if len(x)%per != 1 {
		return fmt.Errorf("damaged: %d numbers of the past epochs", len(x))
	}
	c.Sum = x[0]
	for x = x[1:]; len(x) > 0; x = x[per:] {
		c.Past = append(c.Past, epochOf(x))
	}
	return nil
}
