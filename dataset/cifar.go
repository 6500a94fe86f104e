package dataset

import "fmt"

// readCIFAR reads files of the official binary version; hundred selects the
// second label byte of CIFAR-100.
func readCIFAR(paths []string, hundred bool) (*Set, error) {
	if hundred {
		return readRecords(paths, 2, 1, 100)
	}
	return readRecords(paths, 1, 0, 10)
}

// readCoarse reads CIFAR-100 with its first label byte.
func readCoarse(paths []string) (*Set, error) { return readRecords(paths, 2, 0, 20) }

func readRecords(paths []string, head, label, classes int) (*Set, error) {
	s := classified(Field{Shape: []int{3, 32, 32}})
	s.y().Classes = classes
	for _, p := range paths {
		b, err := readAll(p)
		if err == nil {
			err = s.addCIFAR(b, head, label)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
	}
	return s, nil
}

// addCIFAR appends records of a head, a byte of which is the label, and an
// image.
func (s *Set) addCIFAR(b []byte, head, label int) error {
	record := head + s.X().Size()
	n := len(b) / record
	if n == 0 || len(b)%record != 0 {
		return fmt.Errorf("%d bytes are not records of %d: not a CIFAR file of that kind, or cut short", len(b), record)
	}
	for i := range n {
		if l := b[i*record+label]; int(l) >= s.y().Classes {
			return fmt.Errorf("label %d is outside the %d classes", l, s.y().Classes)
		}
	}
	at := len(s.X().Bytes)
	s.X().Bytes = append(s.X().Bytes, make([]byte, n*s.X().Size())...)
	for ; len(b) > 0; b = b[record:] {
		s.y().Ints = append(s.y().Ints, int32(b[label]))
		at += copy(s.X().Bytes[at:], b[head:record])
	}
	return nil
}
