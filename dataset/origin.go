package dataset

import "slices"

// Origin says from which files the samples of a set were read: what stays of them can be
// written to files of the same kind (see [Data.WriteKept]).
type Origin struct {
	Kind  string   // of the specification: csv, jsonl, parquet …
	Files []string // in the order of their samples; of idx and two arrays the samples and the labels

	csv     csvOptions
	label   string              // the column of classes in Parquet files of pictures; "": it is named as the field
	record  records             // of the official files of CIFAR
	arrays  map[string][]string // of .npz files, by file: the arrays of the set
	leaves  []leaf              // pictures, in the order of the samples
	level   int                 // which of the folders around them is the class; -1: none
	folders []string            // of the classes
}

// from is the origin of the set of a part.
func (d *Data) from(part string) *Origin {
	if d.origins == nil {
		d.origins = map[string]*Origin{}
	}
	o := d.origins[part]
	if o == nil {
		o = &Origin{level: -1}
		d.origins[part] = o
	}
	return o
}

// arraysOf notes arrays of an .npz file that hold samples of a part.
func (d *Data) arraysOf(part, file string, names ...string) {
	o := d.from(part)
	if o.arrays == nil {
		o.arrays = map[string][]string{}
	}
	o.arrays[file] = names
	if !slices.Contains(o.Files, file) {
		o.Files = append(o.Files, file)
	}
}

// originate says of each set where it is from, as far as the files are of the kind.
func (d *Data) originate(kind string) {
	for _, part := range partOrder {
		s := *d.part(part)
		if s == nil {
			continue
		}
		o := d.from(part)
		if o.Kind = kind; len(o.Files) == 0 {
			o.Files = d.found[part]
		}
		o.csv, o.label = d.columns, d.classes
		s.Origin = o
	}
}
