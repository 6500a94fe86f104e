//go:build !unix

package mapped

import (
	"errors"
	"os"
)

// private refuses: files are read piece by piece.
func private(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmap([]byte) error { return nil }
