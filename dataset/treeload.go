package dataset

import "fmt"

// load reads the images into the sets of d.
func (t *tree) load(d *Data, o pictureOptions, labels bool) error {
	if t.bare() || !labels {
		if labels {
			d.note("%s: the images lie in no folder of a class: they are samples without labels%s", t.name, t.tableHint())
		}
		return t.unlabelled(d, o)
	}
	d.byClass = true
	parts, err := t.parts(d)
	if err != nil {
		return err
	}
	return t.each(d, parts, o, "a folder with "+formats+" images for each class is needed", func(s *Set, p *part) { s.y().spelled = p.names })
}

// each reads the images of the parts into the sets of d, and gives each set to done. What
// is left out is said; where there is nothing, need says what there should be.
func (t *tree) each(d *Data, parts map[string]*part, o pictureOptions, need string, done func(*Set, *part)) error {
	left := t.leftOut()
	if left != "" {
		d.note("%s: left out: %s", t.name, left)
	}
	if len(parts) == 0 {
		if left == "" {
			left = "there are no files"
		}
		return fmt.Errorf("%s: no samples were found: %s; %s%s", t.name, need, left, t.tableHint())
	}
	if err := t.large(d, parts, o); err != nil {
		return err
	}
	for _, name := range partOrder {
		p := parts[name]
		if p == nil || len(p.leaves) == 0 {
			continue
		}
		p.pictureOptions, p.count, p.train = o, len(p.leaves), name == "train"
		s, err := p.load(d, t.name)
		if err != nil {
			return err
		}
		from := d.from(name)
		from.leaves, from.folders, from.level = p.kept, p.names, -1
		if p.names != nil {
			from.level = p.at
		}
		done(s, p)
		*d.part(name) = s
	}
	return nil
}

// load reads the images of a part.
func (p *part) load(d *Data, tree string) (*Set, error) {
	what := tree
	if p.name != "" {
		what += ", " + p.name
	}
	read := p.read
	if d.cache != nil {
		read = func(func(add adder) error) (*Set, error) { return p.stream(d.bound) }
	}
	s, err := read(func(add adder) error {
		for i, f := range p.leaves {
			b, err := f.read()
			if err != nil {
				p.cannot(f.show, err)
				continue
			}
			bad := p.spoilt
			if err := add(f.show, b, p.labels[i]); err != nil {
				return err
			}
			if p.spoilt == bad && !p.again {
				p.kept = append(p.kept, f)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	p.say(d, what)
	return s, nil
}

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
	return t.each(d, parts, o, "there are no "+formats+" images", func(s *Set, _ *part) { s.Fields = s.Fields[:1] })
}
