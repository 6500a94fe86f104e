package dataset

import "fmt"

// unlabelled reads all images without labels; parts are folders named train, val and
// test, wherever they are.
func (t *tree) unlabelled(d *Data, o pictureOptions) error {
	parts := map[string]*part{}
	for _, f := range t.files {
		name, folder := "train", ""
		for _, n := range f.path[:len(f.path)-1] {
			if p := partOf(n); p != "" {
				name, folder = p, n
				break
			}
		}
		p := parts[name]
		if p == nil {
			p = &part{name: folder}
			parts[name] = p
		}
		p.leaves, p.labels = append(p.leaves, f), append(p.labels, 0)
		p.file += f.size
	}
	left := t.leftOut()
	if left != "" {
		d.note("%s: left out: %s", t.name, left)
	}
	if len(parts) == 0 {
		if left == "" {
			left = "there are no files"
		}
		return fmt.Errorf("%s: no samples were found: there are no "+formats+" images; %s%s", t.name, left, t.tableHint())
	}
	for _, name := range partOrder {
		p := parts[name]
		if p == nil {
			continue
		}
		p.pictureOptions, p.count, p.train = o, len(p.leaves), name == "train"
		s, err := p.load(d, t.name)
		if err != nil {
			return err
		}
		s.Fields = s.Fields[:1]
		*d.part(name) = s
	}
	return nil
}
