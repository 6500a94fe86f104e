package npy

import (
	"encoding/binary"
	"errors"
	"regexp"
	"strconv"
)

var firstAxis = regexp.MustCompile(`('shape': \()[0-9]+L?`)

// Rows is a header (its bytes, from the start of the file) with another length of the first axis; the type and the order of
// the elements stay as they are.
func Rows(header []byte, n int) ([]byte, error) {
	off := 10
	if len(header) > 6 && header[6] >= 2 {
		off = 12
	}
	if len(header) < off || !firstAxis.Match(header[off:]) {
		return nil, errors.New("the NumPy header has no axis")
	}
	text := firstAxis.ReplaceAll(header[off:], []byte("${1}"+strconv.Itoa(n)))
	for len(text) > 0 && (text[len(text)-1] == ' ' || text[len(text)-1] == '\n') {
		text = text[:len(text)-1]
	}
	for (off+len(text)+1)%64 != 0 {
		text = append(text, ' ')
	}
	text = append(text, '\n')
	out := append([]byte{}, header[:8]...)
	if off == 12 {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
	} else {
		out = binary.LittleEndian.AppendUint16(out, uint16(len(text)))
	}
	return append(out, text...), nil
}
