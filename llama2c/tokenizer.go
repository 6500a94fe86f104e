package llama2c

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

// Piece is a token: its text, with a blank where SentencePiece has ▁, and how good merging it is;
// byte-pair encoding merges the neighbours that make the piece of the highest score.
type Piece struct {
	Text  string
	Score float32
}

// Tokenizer is the vocabulary of a tokenizer.bin, in the order of the tokens. The special
// tokens are 0 unknown, 1 the beginning and 2 the end of a text; 3 to 258 are the bytes, as
// <0x00> to <0xFF>.
type Tokenizer struct {
	Longest int // bytes of the longest piece
	Pieces  []Piece
}

// maxTokenizer bounds a tokenizer.bin, in bytes.
const maxTokenizer = 1 << 28

// OpenTokenizer reads a tokenizer.bin. The file does not say how many pieces it has: they must be
// as many as the model's Vocab, which is for the caller to see.
func OpenTokenizer(path string) (*Tokenizer, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxTokenizer {
		err = fmt.Errorf("%s: %d bytes are more than a tokenizer has", path, info.Size())
	}
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	t, err := DecodeTokenizer(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// DecodeTokenizer reads the bytes of a tokenizer.bin: uint32 bytes of the longest piece, then of each
// piece float32 its score, uint32 its length, and its text.
func DecodeTokenizer(b []byte) (*Tokenizer, error) {
	if len(b) < 4 {
		return nil, errors.New("not a tokenizer of llama2.c: it is shorter than 4 bytes")
	}
	longest := binary.LittleEndian.Uint32(b)
	if uint64(longest) > uint64(len(b)) {
		return nil, fmt.Errorf("not a tokenizer of llama2.c: a piece of %d bytes in %d", longest, len(b))
	}
	t := &Tokenizer{Longest: int(longest)}
	for b = b[4:]; len(b) > 0; {
		if len(b) < 8 {
			return nil, fmt.Errorf("piece %d is cut short", len(t.Pieces))
		}
		score, n := math.Float32frombits(binary.LittleEndian.Uint32(b)), binary.LittleEndian.Uint32(b[4:])
		if n > longest || uint64(n) > uint64(len(b)-8) {
			return nil, fmt.Errorf("piece %d has %d bytes, where %d are left and the longest has %d", len(t.Pieces), n, len(b)-8, longest)
		}
		t.Pieces = append(t.Pieces, Piece{string(b[8 : 8+n]), score})
		b = b[8+n:]
	}
	return t, nil
}
