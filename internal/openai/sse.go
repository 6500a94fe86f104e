package openai

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Done ends a stream.
const Done = "[DONE]"

// mostEvent is the most bytes of a line of a stream.
const mostEvent = 8 << 20

// Events reads the data of server-sent events
// (https://html.spec.whatwg.org/multipage/server-sent-events.html) until Done. A
// stream that ends without it was broken off: [io.ErrUnexpectedEOF].
func Events(r io.Reader, each func(data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), mostEvent)
	var data []byte
	for lines.Scan() {
		line := lines.Bytes()
		if part, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if len(data) > 0 {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(part, []byte(" "))...)
			if len(data) > mostEvent {
				return fmt.Errorf("an event has more than %d bytes", mostEvent)
			}
			continue
		}
		if len(line) > 0 || len(data) == 0 { // a comment, another field, or no event
			continue
		}
		if string(data) == Done {
			return nil
		}
		if err := each(data); err != nil {
			return err
		}
		data = data[:0]
	}
	if string(data) == Done {
		return nil
	}
	if err := lines.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return fmt.Errorf("an event has more than %d bytes", mostEvent)
		}
		return err
	}
	return io.ErrUnexpectedEOF
}

// Event writes an event.
func Event(w io.Writer, data []byte) error {
	_, err := fmt.Fprintf(w, "data: %s\n\n", data)
	return err
}
