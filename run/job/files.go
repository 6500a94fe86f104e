package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ids are those of jobs, and names those of their files.
var ids = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// IsID says whether a word may be a job's ID.
func IsID(id string) bool { return ids.MatchString(id) }

// mostParts is how many files a folder may have.
const mostParts = 1 << 20

// FileOf describes a file, or a folder with all below it, by what is in it. Entries of a
// folder whose names begin with a dot are left out, and links are followed to files.
func FileOf(name, path string) (*File, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f := &File{Name: name, Path: abs, Base: filepath.Base(abs)}
	st, err := os.Stat(abs)
	if err != nil {
		return nil, err
	}
	if st.Mode().IsRegular() {
		f.Bytes, f.SHA256, err = digest(abs)
		return f, err
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("%s is neither a file nor a folder", path)
	}
	f.Folder = true
	err = filepath.WalkDir(abs, func(at string, d fs.DirEntry, err error) error {
		if err != nil || at == abs {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		st, err := os.Stat(at)
		if err != nil || !st.Mode().IsRegular() {
			return err
		}
		below, err := filepath.Rel(abs, at)
		if err != nil {
			return err
		}
		p := Part{Path: filepath.ToSlash(below)}
		if p.Bytes, p.SHA256, err = digest(at); err != nil {
			return err
		}
		if f.Parts = append(f.Parts, p); len(f.Parts) > mostParts {
			return fmt.Errorf("%s holds more than %d files", path, mostParts)
		}
		f.Bytes += p.Bytes
		return nil
	})
	if err == nil && len(f.Parts) == 0 {
		err = fmt.Errorf("there is no file in the folder %s", path)
	}
	sum := sha256.Sum256(List(f.Parts))
	f.SHA256 = hex.EncodeToString(sum[:])
	return f, err
}

// digest is the size and the SHA-256 of a file.
func digest(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// List is the list of a folder's files, as sha256sum writes it, whose SHA-256 is the folder's.
func List(ps []Part) []byte {
	var b bytes.Buffer
	for _, p := range ps {
		fmt.Fprintf(&b, "%s  %s\n", p.SHA256, p.Path)
	}
	return b.Bytes()
}
