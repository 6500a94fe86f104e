package dataset

import "fmt"

// readCIFAR reads files of the official binary version; hundred selects the
// second label byte of CIFAR-100.
func readCIFAR(paths []string, hundred bool) (*Set, error) {
	head, classes := 1, 10
	if hundred {
		head, classes = 2, 100
	}
	s := &Set{Shape: []int{3, 32, 32}, Classes: classes}
	for _, p := range paths {
		b, err := readAll(p)
		if err == nil {
			err = s.addCIFAR(b, head)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return s, nil
}

// addCIFAR appends records of a head, whose last byte is the label, and an
// image.
func (s *Set) addCIFAR(b []byte, head int) error {
	record := head + s.Size()
	n := len(b) / record
	if n == 0 || len(b)%record != 0 {
		return fmt.Errorf("%d bytes are not records of %d: not a CIFAR-%d file, or cut short", len(b), record, s.Classes)
	}
	for i := range n {
		if l := b[i*record+head-1]; int(l) >= s.Classes {
			return fmt.Errorf("label %d is outside the %d classes", l, s.Classes)
		}
	}
	at := len(s.Bytes)
	s.Bytes = append(s.Bytes, make([]byte, n*s.Size())...)
	for ; len(b) > 0; b = b[record:] {
		s.Labels = append(s.Labels, int32(b[head-1]))
		at += copy(s.Bytes[at:], b[head:record])
	}
	return nil
}
