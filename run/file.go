package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Files of more bytes than wholeFile are known by blocks of blockBytes that lie evenly in
// them: to read all of a large model takes longer than many a cut.
const (
	wholeFile  = 1 << 30
	blockBytes = 1 << 20
	blocks     = 256
)

// FileDigest is the size of a file, or of the files of a folder, and the SHA-256 of what
// is in it: 64 hexadecimal digits. Of a file above 1 GiB it is that of its size and of
// 256 blocks of 1 MiB spread over it, the first and the last among them; of a folder,
// that of the names and digests of its files, without those of folders below.
func FileDigest(path string) (int64, string, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	switch {
	case st.IsDir():
		es, err := os.ReadDir(path)
		if err != nil {
			return 0, "", err
		}
		var all int64
		for _, e := range es {
			if !e.Type().IsRegular() && e.Type() != fs.ModeSymlink || e.Name()[0] == '.' {
				continue
			}
			at := filepath.Join(path, e.Name())
			if below, err := os.Stat(at); err != nil || !below.Mode().IsRegular() {
				continue
			}
			n, sum, err := FileDigest(at)
			if err != nil {
				return 0, "", err
			}
			all += n
			io.WriteString(h, sum+" "+e.Name()+"\n") //nolint:errcheck // a hash does not fail
		}
		return all, hex.EncodeToString(h.Sum(nil)), nil
	case !st.Mode().IsRegular():
		return 0, "", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum, err := DigestOf(f, st.Size())
	return st.Size(), sum, err
}

// DigestOf is FileDigest of a plain file that is open, of so many bytes; where it is read
// next does not matter, and stays.
func DigestOf(f io.ReaderAt, size int64) (string, error) {
	h := sha256.New()
	if size <= wholeFile {
		_, err := io.Copy(h, io.NewSectionReader(f, 0, size))
		return hex.EncodeToString(h.Sum(nil)), err
	}
	binary.Write(h, binary.LittleEndian, size) //nolint:errcheck // a hash does not fail
	b := make([]byte, blockBytes)
	for i := range int64(blocks) {
		if _, err := f.ReadAt(b, (size-blockBytes)/(blocks-1)*i); err != nil && err != io.EOF {
			return "", err
		}
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// SizeOf is the bytes of all files in a folder and below it; links are not followed.
func SizeOf(dir string) (n int64) {
	filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error { //nolint:errcheck // what cannot be read counts nothing
		if err == nil && d.Type().IsRegular() {
			if st, err := d.Info(); err == nil {
				n += st.Size()
			}
		}
		return nil
	})
	return n
}
