package tokenizer

import (
	"encoding/binary"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// precompiled is a table of replacements as SentencePiece writes it
// (https://github.com/google/sentencepiece, src/normalizer.cc): a double array of
// Darts (https://github.com/s-yata/darts-clone) that leads from texts to places among
// replacements, each of which ends with a zero.
type precompiled struct {
	units []uint32
	to    string
}

func readPrecompiled(b []byte) (*precompiled, error) {
	if len(b) < 4 {
		return nil, errors.New("the tokenizer's normalizer Precompiled has no table")
	}
	n := int(binary.LittleEndian.Uint32(b))
	if n%4 != 0 || n > len(b)-4 {
		return nil, errors.New("the tokenizer's normalizer Precompiled has a table that is cut off")
	}
	p := &precompiled{units: make([]uint32, n/4), to: string(b[4+n:])}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	if !utf8.ValidString(p.to) {
		return nil, errors.New("the tokenizer's normalizer Precompiled has replacements that are not UTF-8")
	}
	return p, nil
}

// transform is what takes the place of a text: the replacement of its shortest
// beginning that has one, as in tokenizers.
func (p *precompiled) transform(s string) (string, bool) {
	offset := func(u uint32) uint32 { return u >> 10 << (u >> 6 & 8) }
	at := uint32(0)
	unit := func() (uint32, bool) {
		if uint64(at) >= uint64(len(p.units)) {
			return 0, false
		}
		return p.units[at], true
	}
	u, ok := unit()
	if !ok {
		return "", false
	}
	at ^= offset(u)
	for i := range len(s) {
		c := s[i]
		if c == 0 {
			return "", false
		}
		at ^= uint32(c)
		if u, ok = unit(); !ok || u&(1<<31|0xff) != uint32(c) {
			return "", false
		}
		at ^= offset(u)
		if u>>8&1 == 0 {
			continue
		}
		if u, ok = unit(); !ok {
			return "", false
		}
		from := int(u &^ (1 << 31))
		if from >= len(p.to) || !utf8.RuneStart(p.to[from]) {
			return "", false
		}
		to, _, _ := strings.Cut(p.to[from:], "\x00")
		return to, true
	}
	return "", false
}

// normalize replaces what the table has: short clusters of characters that are seen as
// one, or else each character.
func (p *precompiled) normalize(s string) string {
	var b strings.Builder
	state := -1
	for s != "" {
		var cluster string
		cluster, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		if len(cluster) < 6 {
			if to, ok := p.transform(cluster); ok {
				b.WriteString(to)
				continue
			}
		}
		for at := 0; at < len(cluster); {
			n := runeLen(cluster[at:])
			part := cluster[at : at+n]
			if to, ok := p.transform(part); ok {
				part = to
			}
			b.WriteString(part)
			at += n
		}
	}
	return b.String()
}

// nmt is what SentencePiece's rules for translation do first: control characters go,
// and others become spaces.
func nmt(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 1 && r <= 8, r == 0xb, r >= 0xe && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
			return -1
		case r == '\t', r == '\n', r == 0xc, r == '\r', r == 0x1680, r >= 0x200b && r <= 0x200f, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
			return ' '
		}
		return r
	}, s)
}
