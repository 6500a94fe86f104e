package dataset

import (
	"fmt"
	"io"
	"path"
	"slices"
	"sort"
	"strings"
)

// tree is a folder of images, or a zip of one.
type tree struct {
	name   string
	files  []leaf
	dirs   map[string]int // files that are neither hidden nor images, by folder; 0: none
	left   map[string]int // files left out, by reason
	sample map[string]string
	tables []string // files of rows
	named  []folderRole
}

// tableHint says how a table beside images is read.
func (t *tree) tableHint() string {
	if len(t.tables) == 0 {
		return ""
	}
	return fmt.Sprintf(" (a table that names images, and what belongs to each, is read by table:FILE, such as table:%s)", t.tables[0])
}

// leaf is an image.
type leaf struct {
	path []string // folders and name
	show string   // for messages
	size int64
	open func() (io.ReadCloser, error)
	read func() ([]byte, error) // all of it
}

func newTree(name string) *tree {
	return &tree{name: name, dirs: map[string]int{}, left: map[string]int{}, sample: map[string]string{}}
}

// other counts a file that is no image.
func (t *tree) other(file, folder string) {
	t.skip(unknown, file)
	t.dirs[folder]++
	switch strings.ToLower(path.Ext(file)) {
	case ".csv", ".tsv":
		t.tables = append(t.tables, file)
	}
}

// skip counts a file that is left out.
func (t *tree) skip(reason, file string) {
	if t.left[reason]++; t.left[reason] == 1 {
		t.sample[reason] = file
	}
}

// leftOut tells what was left out; empty: nothing.
func (t *tree) leftOut() string {
	var out []string
	for reason, n := range t.left {
		out = append(out, fmt.Sprintf("%d %s (such as %s)", n, reason, clip(t.sample[reason], 100)))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

const (
	hidden    = "hidden, or of macOS or Windows"
	unknown   = "that are no " + formats + " images"
	nowhere   = "links that lead nowhere"
	irregular = "neither files nor folders"
	loose     = "images outside the folders of classes"
	outside   = "outside the archive's own folders"
)

// isHidden tells files and folders that systems leave behind.
func isHidden(name string) bool {
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information":
		return true
	}
	return strings.HasPrefix(name, ".")
}

func isImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff":
		return true
	}
	return false
}

// partNames are the folders of a set's parts.
var partNames = map[string]string{
	"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test", "testing": "test",
}

func partOf(name string) string { return partNames[strings.ToLower(name)] }

// roles are folders of pictures that belong to each other, not of classes: of
// the pictures themselves (true), and of what is said about them.
var roles = map[string]bool{}

func init() {
	for _, n := range strings.Fields("image images img imgs jpegimages picture pictures pics input inputs data") {
		roles[n] = true
	}
	for _, n := range strings.Fields("mask masks label labels annotation annotations annots gt ground_truth groundtruth segmentation segmentations segmentationclass segmentationobject target targets output outputs depth edges") {
		roles[n] = false
	}
}

// paired says whether folders are of pictures and of what is said about them.
func paired(folders []string) bool {
	var seen [2]bool
	for _, n := range folders {
		if pictures, ok := roles[strings.ToLower(n)]; ok {
			seen[map[bool]int{true: 1}[pictures]] = true
		}
	}
	return seen[0] && seen[1]
}

// isRole says whether a folder is named by what its pictures are for.
func isRole(name string) bool {
	_, ok := roles[strings.ToLower(name)]
	return ok
}

// part is the images of a set, or of a part of it.
type part struct {
	pictures
	name   string
	leaves []leaf
	labels []int32
	names  []string
	number map[string]int32 // of a class
	at     int              // which of the folders around a picture is its class
	kept   []leaf           // those that became samples
}

func (p *part) class(name string) int32 {
	k, ok := p.number[name]
	if !ok {
		k = int32(len(p.names))
		p.number[name] = k
		p.names = append(p.names, name)
	}
	return k
}

// parts finds the folders of classes. Folders around all of them are passed
// over; parts are those named train, val and test; what lies deeper in a class
// belongs to it.
func (t *tree) parts(d *Data) (map[string]*part, error) {
	var in []leaf
	for _, f := range t.files {
		if len(f.path) < 2 {
			t.skip(loose, f.show)
			continue
		}
		in = append(in, f)
	}
	depth, around := 0, ""
	for len(in) > 0 && partOf(in[0].path[depth]) == "" && !slices.ContainsFunc(in, func(f leaf) bool {
		return len(f.path) < depth+3 || f.path[depth] != in[0].path[depth]
	}) {
		around += in[0].path[depth] + "/"
		depth++
	}
	split := false
	var all, deep []string // folders at the top; those with folders of classes
	for _, f := range in {
		if n := f.path[depth]; !slices.Contains(all, n) {
			all = append(all, n)
		}
		if n := f.path[depth]; len(f.path) > depth+2 && partOf(n) != "" && !slices.Contains(deep, n) {
			deep = append(deep, n)
			split = split || partOf(n) != "val"
		}
	}
	if onlyParts := !slices.ContainsFunc(all, func(n string) bool { return partOf(n) == "" }); onlyParts && len(all) > 0 {
		if split = true; len(deep) == 0 {
			return nil, fmt.Errorf("%s: %s hold images but no folder for each class: put each image into a folder named by its class, such as %s/cat, or read them without labels by labels=none", t.name, few(all), all[0])
		}
	} else if err := t.inverted(in, depth); err != nil && !split {
		return nil, err
	}
	if around != "" {
		d.note("%s: all images lie in %s, where the classes are looked for", t.name, around)
	}
	out, err := t.assign(in, depth, split)
	if err != nil {
		return nil, err
	}
	t.empty(d, out, around, split)
	for _, p := range out {
		switch {
		case len(p.leaves) == 0:
		case paired(p.names):
			return nil, fmt.Errorf("%s: the folders %s are not named by classes but by what their images are for: pictures with a mask for each are read by pairs:DIR", t.name, few(p.names))
		case !slices.ContainsFunc(p.names, func(n string) bool { return !isRole(n) }):
			return nil, fmt.Errorf("%s: the folders %s are not named by classes but by what their images are for: give the folder in which there is one for each class%s", t.name, few(p.names), t.tableHint())
		}
	}
	return out, nil
}

// inverted refuses parts inside of classes.
func (t *tree) inverted(in []leaf, depth int) error {
	for _, f := range in {
		if len(f.path) < depth+3 || partOf(f.path[depth+1]) == "" {
			return nil
		}
	}
	if len(in) == 0 {
		return nil
	}
	return fmt.Errorf("%s: folders of parts (%s) lie inside folders of classes (%s): train/ and test/ must be outermost", t.name, in[0].path[depth+1], in[0].path[depth])
}

// assign puts every image into its part and class.
func (t *tree) assign(in []leaf, depth int, split bool) (map[string]*part, error) {
	out := map[string]*part{}
	for _, f := range in {
		name, folder, at := "train", "", depth
		if split {
			folder = f.path[depth]
			if name, at = partOf(folder), depth+1; name == "" || len(f.path) < depth+3 {
				t.skip(loose, f.show)
				continue
			}
		}
		p := out[name]
		if p == nil {
			p = &part{name: folder, number: map[string]int32{}, at: at}
			out[name] = p
		}
		if p.name != folder {
			return nil, fmt.Errorf("%s: folders %s and %s are both for one part", t.name, p.name, folder)
		}
		p.leaves = append(p.leaves, f)
		p.labels = append(p.labels, p.class(f.path[at]))
		p.file += f.size
	}
	return out, nil
}

// empty looks for folders of classes without images. An empty one is a class
// all the same; one with other files is none.
func (t *tree) empty(d *Data, out map[string]*part, around string, split bool) {
	content := map[string]int{} // of folders and those in them
	for dir, n := range t.dirs {
		for ; dir != "."; dir = path.Dir(dir) {
			content[dir] += n
		}
	}
	var dirs []string
	for dir := range content {
		dirs = append(dirs, dir)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		rest, ok := strings.CutPrefix(dir, around)
		w := strings.Split(rest, "/")
		p := out["train"]
		if split && len(w) > 0 {
			if p = out[partOf(w[0])]; p != nil && p.name == w[0] {
				w = w[1:]
			} else {
				p = nil
			}
		}
		if !ok || p == nil || len(w) != 1 {
			continue
		}
		if _, is := p.number[w[0]]; is {
			continue
		}
		if content[dir] > 0 {
			d.note("%s: folder %s holds %d files but no images: it is no class", t.name, dir, content[dir])
			continue
		}
		p.class(w[0])
		d.note("%s: the folder %s is empty: it is a class without samples", t.name, dir)
	}
}

// bare says whether all images lie in no folder.
func (t *tree) bare() bool {
	return len(t.files) > 0 && !slices.ContainsFunc(t.files, func(f leaf) bool { return len(f.path) > 1 })
}
