package dataset

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// pair are the places of a picture and of what belongs to it, among the files of a
// tree.
type pair struct{ picture, mask int }

// maskSuffixes end the names of masks in sets that name them so.
var maskSuffixes = []string{"_mask", "-mask", "_label", "_labelids", "_gtfine_labelids", "_seg", "_gt", "_segmentation"}

// pairs finds, below one folder of pictures and one of masks (see roles), the files
// of the same name but for its ending, in the same folder below them; masks may end
// in a usual suffix. It gives them by part ("train", "val", "test"), of folders
// around or below the two, in the order of the pictures' names; "" where there are
// none. Pictures and masks without the other are refused.
func (t *tree) pairs() (map[string][]pair, error) {
	type key struct{ part, name string }
	pictures, masks := map[key]int{}, map[key]int{}
	for i, f := range t.files {
		folders, file := f.path[:len(f.path)-1], f.path[len(f.path)-1]
		role := slices.IndexFunc(folders, t.isRole)
		if role < 0 {
			t.skip("outside folders of pictures and masks", f.show)
			continue
		}
		k := key{name: strings.TrimSuffix(file, path.Ext(file))}
		into := pictures
		if !t.ofPictures(folders[role]) {
			into = masks
			for _, s := range maskSuffixes {
				if n := len(k.name) - len(s); n > 0 && strings.EqualFold(k.name[n:], s) {
					k.name = k.name[:n]
					break
				}
			}
		}
		var rest []string
		for j, n := range folders {
			if p := partOf(n); p != "" && k.part == "" && j != role {
				k.part = p
			} else if j > role {
				rest = append(rest, n)
			}
		}
		k.name = strings.Join(append(rest, k.name), "/")
		if other, twice := into[k]; twice {
			return nil, fmt.Errorf("%s: %s and %s are both for %s: one of a name is needed", t.name, t.files[other].show, f.show, k.name)
		}
		into[k] = i
	}
	if len(pictures) == 0 || len(masks) == 0 {
		return nil, fmt.Errorf("%s: a folder of pictures (images/) and one of masks (masks/) beside it are needed; there are %d pictures and %d masks", t.name, len(pictures), len(masks))
	}
	out := map[string][]pair{}
	var lone []string
	for k, i := range pictures {
		j, ok := masks[k]
		if !ok {
			lone = append(lone, t.files[i].show)
			continue
		}
		out[k.part] = append(out[k.part], pair{i, j})
	}
	for k, j := range masks {
		if _, ok := pictures[k]; !ok {
			lone = append(lone, t.files[j].show)
		}
	}
	if len(lone) > 0 {
		slices.Sort(lone)
		return nil, fmt.Errorf("%s: %d files have no other of their name among the masks or the pictures, such as %s", t.name, len(lone), few(lone[:1]))
	}
	for _, ps := range out {
		slices.SortFunc(ps, func(a, b pair) int { return slices.Compare(t.files[a.picture].path, t.files[b.picture].path) })
	}
	return out, nil
}

// folderRole is what a folder is for, where that is said.
type folderRole struct {
	name     string
	pictures bool
}

// isRole says whether a folder is one of pictures, or of what belongs to them: those
// that are named as such, or else those of usual names.
func (t *tree) isRole(folder string) bool {
	return t.role(folder) != nil
}

func (t *tree) ofPictures(folder string) bool { return t.role(folder).pictures }

func (t *tree) role(folder string) *folderRole {
	name := strings.ToLower(folder)
	var said [2]bool
	for i, r := range t.named {
		if r.name == name {
			return &t.named[i]
		}
		said[map[bool]int{true: 1}[r.pictures]] = true
	}
	if pictures, ok := roles[name]; ok && !said[map[bool]int{true: 1}[pictures]] {
		return &folderRole{name, pictures}
	}
	return nil
}

// rowFiles finds the column of a table that names files, and the file of each row:
// by its path below the tree, by its name alone where that is of one file, and
// without its ending where the table leaves that out. A row whose file is not there
// is refused.
func (t *tree) rowFiles(rows [][]string) (column int, files []int, err error) {
	if len(rows) == 0 {
		return 0, nil, fmt.Errorf("%s: the table has no rows", t.name)
	}
	const twice = -1
	at := map[string]int{}
	put := func(name string, i int) {
		if have, ok := at[name]; ok && have != i {
			i = twice
		}
		at[name] = i
	}
	for i, f := range t.files {
		for j := range f.path {
			name := strings.Join(f.path[j:], "/")
			put(name, i)
			put(strings.TrimSuffix(name, path.Ext(name)), i)
		}
	}
	find := func(cell string) (int, bool) {
		i, ok := at[strings.TrimPrefix(path.Clean(strings.ReplaceAll(strings.TrimSpace(cell), "\\", "/")), "/")]
		return i, ok
	}
	best, most := -1, 0
	for c := range rows[0] {
		n := 0
		for _, r := range rows {
			if c < len(r) {
				if _, ok := find(r[c]); ok {
					n++
				}
			}
		}
		if n > most {
			best, most = c, n
		}
	}
	if best < 0 {
		return 0, nil, fmt.Errorf("%s: no column of the table names its images: such as %q", t.name, clip(strings.Join(rows[0], ","), 80))
	}
	for k, r := range rows {
		cell := ""
		if best < len(r) {
			cell = r[best]
		}
		switch i, ok := find(cell); {
		case !ok:
			return 0, nil, fmt.Errorf("%s: row %d names %q, which is not there (%d of %d rows are)", t.name, k, clip(cell, 80), most, len(rows))
		case i == twice:
			return 0, nil, fmt.Errorf("%s: row %d names %q, and more than one file is called so: its folder is needed", t.name, k, clip(cell, 80))
		default:
			files = append(files, i)
		}
	}
	return best, files, nil
}
