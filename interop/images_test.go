package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pare/dataset"
)

type imageFile struct {
	Kind   string `json:"kind"`
	Height int    `json:"height"`
	Width  int    `json:"width"`
}

type imageTransform struct {
	Resize []int  `json:"resize"`
	Filter string `json:"filter"`
	Crop   []int  `json:"crop"`
}

type imageJob struct {
	Folder    string         `json:"folder"`
	Files     []imageFile    `json:"files"`
	Transform imageTransform `json:"transform"`
	Out       string         `json:"out"`

	Adjust  string  `json:"adjust"`
	Picture string  `json:"picture"`
	File    string  `json:"file"`
	Size    []int   `json:"size"`
	Most    float64 `json:"most"`

	name  string
	query string
	off   int // levels of 255 that are allowed
}

type imageAnswer struct {
	Error string `json:"error"`
	Off   int    `json:"off"`
}

// lossy are the kinds whose decoders may differ in how they round, and by how
// many levels of 255: the cosine transform, and the colours after it.
var lossy = map[string]int{"jpeg": 3, "webp": 1}

// Images are what Pillow and torchvision make of them: in every format, with
// every orientation, resized and cropped.
func TestImages(t *testing.T) {
	py := python(t, "numpy", "PIL", "torchvision")
	dir := t.TempDir()
	var jobs []imageJob
	add := func(name, query string, off int, tr imageTransform, files ...imageFile) {
		folder := filepath.Join(dir, fmt.Sprint("set", len(jobs)))
		jobs = append(jobs, imageJob{Folder: folder, Files: files, Transform: tr, Out: folder + ".out", name: name, query: query, off: off})
	}
	for _, kind := range strings.Split("png,png rgba,png gray,png gray alpha,png 1 bit,png 16 bit,png palette,png palette clear,png colour clear,apng,"+
		"jpeg 444,jpeg 422,jpeg 420,jpeg 440,jpeg poor,jpeg progressive,jpeg gray,jpeg cmyk,jpeg cmyk bare,jpeg rgb,"+
		"webp,webp poor,webp rgba,webp lossless,webp lossless rgba,webp palette,webp frames,webp lossy frames,"+
		"gif,gif clear,gif frames,bmp,bmp palette,bmp gray,bmp rgba,bmp 1 bit,tiff,tiff lzw,tiff deflate,tiff gray,tiff 16 bit,tiff palette,tiff rgba,"+
		"tiff turned,png turned,webp turned", ",") {
		first, _, _ := strings.Cut(kind, " ")
		off := lossy[first]
		if strings.Contains(kind, "lossless") || kind == "webp palette" || kind == "webp frames" || kind == "webp turned" {
			off = 0
		}
		add(kind, "", off, imageTransform{}, imageFile{kind, 47, 61}, imageFile{kind, 47, 61})
		add(kind+", narrow", "", off, imageTransform{}, imageFile{kind, 9, 3})
	}
	for o := 1; o <= 8; o++ {
		kind := fmt.Sprint("jpeg turned ", o)
		add(kind, "", lossy["jpeg"], imageTransform{}, imageFile{kind, 20, 31})
	}
	mixed := []imageFile{{"png", 60, 90}, {"png", 91, 40}, {"png", 33, 33}, {"png gray", 200, 171}, {"png", 17, 400}}
	add("shorter side", "resize=32&crop=24", 1, imageTransform{Resize: []int{32}, Crop: []int{24, 24}}, mixed...)
	add("bicubic", "resize=40&crop=32&filter=bicubic", 1, imageTransform{Resize: []int{40}, Filter: "bicubic", Crop: []int{32, 32}}, mixed...)
	add("nearest", "resize=37&crop=31&filter=nearest", 1, imageTransform{Resize: []int{37}, Filter: "nearest", Crop: []int{31, 31}}, mixed...)
	add("fixed", "resize=50x23", 1, imageTransform{Resize: []int{50, 23}}, mixed...)
	add("size", "size=19", 1, imageTransform{Resize: []int{19, 19}}, mixed...)
	add("crop alone, padded", "crop=41x52", 0, imageTransform{Crop: []int{41, 52}}, mixed...)

	src := &dataset.Picture{Channels: 3, Height: 24, Width: 30, Pix: make([]uint8, 3*24*30)}
	for i := range src.Pix {
		src.Pix[i] = uint8(i * i / 97)
	}
	path := filepath.Join(dir, "picture")
	if err := os.WriteFile(path, src.Pix, 0o644); err != nil {
		t.Fatal(err)
	}
	for what, j := range map[string]dataset.Jitter{"brightness": {Brightness: .4}, "contrast": {Contrast: .4}, "saturation": {Saturation: .4}, "hue": {Hue: .3}} {
		for draw := range 3 {
			p := dataset.Pipeline{Train: dataset.Train{Jitter: j}}
			out := make([]uint8, len(src.Pix))
			p.Fill(src, uint64(draw), true, out, new(dataset.Scratch))
			file := filepath.Join(dir, fmt.Sprint(what, draw))
			if err := os.WriteFile(file, out, 0o644); err != nil {
				t.Fatal(err)
			}
			jobs = append(jobs, imageJob{Adjust: what, Picture: path, File: file, Size: []int{3, 24, 30}, name: fmt.Sprint(what, " ", draw),
				Most: max(j.Brightness, j.Contrast, j.Saturation, j.Hue), off: 1})
		}
	}
	for i, a := range ask[imageJob, imageAnswer](t, py, "images.py", dir, jobs) {
		j := jobs[i]
		if a.Error != "" {
			t.Errorf("%s: %s", j.name, a.Error)
			continue
		}
		off := a.Off
		if j.Adjust == "" {
			d, err := dataset.Open("folder:" + j.Folder + "?channels=3&" + j.query)
			if err != nil {
				t.Errorf("%s: %v", j.name, err)
				continue
			}
			want, err := os.ReadFile(j.Out)
			if err != nil {
				t.Fatal(err)
			}
			if off = levels(d.Train.X().Bytes, want); off > j.off {
				t.Logf("%s: notes %q", j.name, d.Notes)
			}
		}
		if off > j.off {
			t.Errorf("%s is off by %d levels of 255, more than %d", j.name, off, j.off)
		}
	}
}

// levels is the largest difference of two pictures; 256 where their sizes differ.
func levels(a, b []uint8) int {
	if len(a) != len(b) {
		return 256
	}
	worst := 0
	for i, v := range a {
		worst = max(worst, int(v)-int(b[i]), int(b[i])-int(v))
	}
	return worst
}
