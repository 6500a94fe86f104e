package onnx

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"pare/onnx/onnxpb"
)

// Temporary files are named .OUTPUT.HOST-PROCESS-RANDOM.pare-tmp, and files of weights
// OUTPUT.DIGEST.data.
const (
	tempEnding = ".pare-tmp"
	dataEnding = ".data"
)

// mine are the temporary files of this process.
var mine sync.Map

var host = sync.OnceValue(func() string {
	h := fnv.New32a()
	name, _ := os.Hostname()
	io.WriteString(h, name) //nolint:errcheck // it never fails
	return fmt.Sprintf("%08x", h.Sum32())
})

// tempPrefix begins the names of the temporary files of an output.
func tempPrefix(path string) string { return tempStem(path) + host() + "-" }

func tempStem(path string) string {
	base := filepath.Base(path)
	if len(base) > 150 { // names have at most 255 bytes
		s := sha256.Sum256([]byte(base))
		base = base[:100] + hex.EncodeToString(s[:8])
	}
	return "." + base + "."
}

// abandoned is the age at which a temporary file of another machine counts as left.
const abandoned = 24 * time.Hour

// tidy removes what runs that were killed have left of the output, and gives the names
// of the weights' files that the model there has now.
func (f *output) tidy() (named []string, err error) {
	dir, base := filepath.Split(f.path)
	if dir == "" {
		dir = "."
	}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("output folder: %w", err)
	}
	busy, stem := false, tempStem(f.path)
	data := regexp.MustCompile("^" + regexp.QuoteMeta(base) + `\.(?:([0-9a-f]{8}|[0-9a-f]{16}|[0-9a-f]{32}|[0-9a-f]{64})\.)?data$`)
	var candidates []string
	for _, e := range found {
		name := e.Name()
		switch {
		case !e.Type().IsRegular():
		case strings.HasPrefix(name, stem) && strings.HasSuffix(name, tempEnding):
			if inUse(filepath.Join(dir, name), strings.TrimSuffix(strings.TrimPrefix(name, stem), tempEnding), e) {
				busy = true
			} else if err := f.do("remove leftover", func() error { return os.Remove(filepath.Join(dir, name)) }); err != nil && f.dead {
				return nil, err
			}
		case data.MatchString(name):
			candidates = append(candidates, name)
		}
	}
	if len(candidates) == 0 {
		return nil, nil
	}
	has := locationsOf(f.path)
	for _, name := range candidates {
		digest := data.FindStringSubmatch(name)[1]
		switch {
		case slices.Contains(has, name):
			named = append(named, name)
		case digest == "" || busy || namedElsewhere(f.path, name):
		default: // it was written for a model that never came: its name is its contents'
			if is, err := digestOf(filepath.Join(dir, name)); err != nil || !strings.HasPrefix(is, digest) {
				continue
			}
			if err := f.do("remove leftover data", func() error { return os.Remove(filepath.Join(dir, name)) }); err != nil && f.dead {
				return nil, err
			}
		}
	}
	return named, nil
}

// inUse says whether a temporary file belongs to a process that lives; id is what its
// name says of that.
func inUse(path, id string, e fs.DirEntry) bool {
	if _, ok := mine.Load(path); ok {
		return true
	}
	parts := strings.Split(id, "-")
	pid, err := 0, error(nil)
	if len(parts) == 3 {
		pid, err = strconv.Atoi(parts[1])
	}
	if err != nil || pid <= 0 {
		return true // not one of ours
	}
	if parts[0] != host() {
		st, err := e.Info()
		return err != nil || time.Since(st.ModTime()) < abandoned
	}
	if pid == os.Getpid() {
		return false // of an earlier process of the same number
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	err = p.Signal(syscall.Signal(0))
	return err == nil || errors.Is(err, fs.ErrPermission)
}

// locationsOf lists the files of weights that a model names; none where it cannot be read.
func locationsOf(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return nil
	}
	m := &onnxpb.ModelProto{}
	if _, err := outline(context.Background(), f, st.Size(), m); err != nil {
		return nil
	}
	var out []string
	for _, t := range m.GetGraph().GetInitializer() {
		for _, e := range t.ExternalData {
			if e.GetKey() == "location" && !slices.Contains(out, e.GetValue()) {
				out = append(out, e.GetValue())
			}
		}
	}
	return out
}

// namedElsewhere says whether another model of the folder may name a file.
func namedElsewhere(path, name string) bool {
	dir := filepath.Dir(path)
	found, err := os.ReadDir(dir)
	if err != nil {
		return true
	}
	for _, e := range found {
		if !strings.EqualFold(filepath.Ext(e.Name()), ".onnx") || e.Name() == filepath.Base(path) {
			continue
		}
		st, err := os.Stat(filepath.Join(dir, e.Name()))
		switch {
		case err != nil || !st.Mode().IsRegular():
			continue
		case st.Size() > 256<<20: // it is not looked into
			return true
		}
		if b, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || bytes.Contains(b, []byte(name)) {
			return true
		}
	}
	return false
}

func digestOf(path string) (string, error) {
	st, err := os.Lstat(path)
	if err != nil || !st.Mode().IsRegular() {
		return "", fs.ErrInvalid
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}
