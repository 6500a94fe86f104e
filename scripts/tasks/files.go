package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/renameio/v2"
	"github.com/parquet-go/parquet-go"

	"pare/npy"
	"pare/tensor"
)

// writeNPZ writes a split as one file of arrays.
func writeNPZ(_ context.Context, dir string, sp split) error {
	b, err := npy.EncodeAll(sp.arrays)
	if err != nil {
		return err
	}
	return renameio.WriteFile(filepath.Join(dir, sp.name+".npz"), b, 0o644)
}

// writeStored writes arrays as an .npz file that is not compressed, as numpy.savez
// does.
func writeStored(path string, arrays []npy.Array) error {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, a := range arrays {
		b, err := npy.Encode(a.Tensor)
		if err != nil {
			return err
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: a.Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return renameio.WriteFile(path, out.Bytes(), 0o644)
}

// writeCSV writes a split of float32 columns and matrices whose columns have
// names.
func writeCSV(columns map[string][]string) func(ctx context.Context, dir string, sp split) error {
	return func(_ context.Context, dir string, sp split) error {
		var b bytes.Buffer
		w := csv.NewWriter(&b)
		var head []string
		for _, a := range sp.arrays {
			head = append(head, columns[a.Name]...)
		}
		w.Write(head) //nolint:errcheck // Error says it
		for i := range sp.size() {
			var row []string
			for _, a := range sp.arrays {
				n := a.Len() / sp.size()
				for _, v := range a.F32()[i*n : (i+1)*n] {
					row = append(row, strconv.FormatFloat(float64(v), 'g', -1, 32))
				}
			}
			w.Write(row) //nolint:errcheck // Error says it
		}
		w.Flush()
		if err := w.Error(); err != nil {
			return err
		}
		return renameio.WriteFile(filepath.Join(dir, sp.name+".csv"), b.Bytes(), 0o644)
	}
}

// writeParquet writes rows whose columns are the tagged fields of a struct.
func writeParquet[Row any](path string, rows []Row) error {
	var b bytes.Buffer
	w := parquet.NewGenericWriter[Row](&b, parquet.Compression(&parquet.Zstd), parquet.CreatedBy("pare", "1", "tasks"))
	if _, err := w.Write(rows); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return renameio.WriteFile(path, b.Bytes(), 0o644)
}

// writePictures writes images [N 3 H W] and masks [N H W] as PNG files of the
// same names in two folders.
func writePictures(dir string, images, masks *tensor.Tensor) error {
	for _, d := range []string{"images", "masks"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	n, h, w := images.Shape[0], images.Shape[2], images.Shape[3]
	x, y := tensor.Of[uint8](images), tensor.Of[uint8](masks)
	for i := range n {
		color, gray := image.NewNRGBA(image.Rect(0, 0, w, h)), image.NewGray(image.Rect(0, 0, w, h))
		for p := range h * w {
			for c := range 3 {
				color.Pix[4*p+c] = x[(3*i+c)*h*w+p]
			}
			color.Pix[4*p+3] = 255
			gray.Pix[p] = y[i*h*w+p]
		}
		name := fmt.Sprintf("%05d.png", i)
		if err := writePNG(filepath.Join(dir, "images", name), color); err != nil {
			return err
		}
		if err := writePNG(filepath.Join(dir, "masks", name), gray); err != nil {
			return err
		}
	}
	return nil
}

func writePNG(path string, m image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}
