package dataset

import (
	"path/filepath"
	"testing"
)

// Columns become fields where it is said which.
func TestCSVRecords(t *testing.T) {
	const file = "user,item,age,city,a,b,c\n3,7,.5,Rome,1,2,3\n4,7,1.5,Bern,4,5,6.5\n"
	for _, c := range []struct {
		reads
		in, query string
	}{
		{reads{name: "targets", train: "x [3] floats: 3 7 0.5 4 7 1.5; target [3] floats: 1 2 3 4 5 6.5"}, file, "target=a,b,c&drop=city"},
		{reads{name: "a range", train: "x [3] floats: 3 7 0.5 4 7 1.5; target [3] floats: 1 2 3 4 5 6.5"}, file, "target=a..c&skip=city"},
		{reads{name: "recommender", train: "x [3] floats: 0.5 1 2 1.5 4 5; user [] ints: 3 4; item [] ints: 7 7; target [1] floats: 3 6.5"}, file, "ints=user,item&target=c&drop=city"},
		{reads{name: "named", train: "x [3] floats: 3 7 0.5 4 7 1.5; left [2] floats: 1 2 4 5; right [1] floats: 3 6.5"}, file, "field:left=a,b&field:right=c&drop=city"},
		{reads{name: "a word", train: "x [3] floats: 3 7 0.5 4 7 1.5; target [3] floats: 1 2 3 4 5 6.5; city [] of 2: 1 0", note: "0 Bern, 1 Rome"}, file, "target=a,b,c,city"},
		{reads{name: "and a class", train: "x [5] floats: 3 0.5 1 2 3 4; label [] of 8: 7 7; city [] of 2: 1 0"}, file, "label=item&class=city&target=city"},
		{reads{name: "columns", train: "user [] ints: 3 4; item [] ints: 7 7; age [] floats: 0.5 1.5; a [] ints: 1 4; b [] ints: 2 5; c [] floats: 3 6.5; city [] of 2: 1 0"}, file, "fields=columns"},
		{reads{name: "no label", train: "x [6] floats: 3 7 0.5 1 2 3"}, file, "label=none&drop=city"},
		{reads{name: "text", bad: `column "city" holds text: drop=city`}, file, "target=a"},
		{reads{name: "ints", bad: "not whole"}, file, "ints=age&drop=city"},
		{reads{name: "twice", bad: `column "a" is asked for by`}, file, "ints=a&target=a&drop=city"},
		{reads{name: "absent", bad: `no column "aa"`}, file, "target=aa&drop=city"},
		{reads{name: "missing", bad: `line 3, column 1 ("y"): "" is not a number: a value is missing`}, "x,y\n1,2\n3,\n", "target=y"},
		{reads{name: "not a number", bad: `line 3, column 1 ("y"): "nan" is not a number: a value is missing`}, "x,y\n1,2\n3,nan\n", "target=y"},
		{reads{name: "no header", train: "x [2] floats: 1 2 4 5; target [1] floats: 3 6"}, "1,2,3\n4,5,6\n", "target=2"},
		{reads{name: "comma", train: "x [1] floats: 1.5 4; target [1] floats: 3.5 6"}, "x;y\n1,5;3,5\n4;6\n", "target=y"},
	} {
		c.check(t, "csv:"+write(t, filepath.Join(t.TempDir(), "a.csv"), []byte(c.in))+"?"+c.query)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "train.csv"), []byte("x,y,z\n1,2,a\n3,4,b\n"))
	write(t, filepath.Join(dir, "valid.csv"), []byte("x,z,y\n5,b,6\n"))
	write(t, filepath.Join(dir, "test.csv"), []byte("x,y,z\n7,8.5,a\n"))
	reads{name: "parts", train: "x [1] floats: 1 3; target [1] floats: 2 4; z [] of 2: 0 1", val: "x [1] floats: 5; target [1] floats: 6; z [] of 2: 1", test: "x [1] floats: 7; target [1] floats: 8.5; z [] of 2: 0"}.check(t, "csv:"+dir+"?target=y,z")
	reads{name: "classes", bad: `column 2 ("z"): "a" is not a number`}.check(t, "csv:"+dir)
}

// Images that a table names have its columns as fields.
func TestImageTable(t *testing.T) {
	dir := t.TempDir()
	for name, v := range map[string]byte{"img/b.png": 2, "img/a.png": 1, "img/c.png": 3} {
		write(t, filepath.Join(dir, name), grayOf(1, v))
	}
	table := write(t, filepath.Join(dir, "rows.csv"), []byte("file,kind,age,label\nc.png,x,1.5,2\na,y,2,0\n"))
	reads{name: "table", train: "x [1 1 1] bytes: 3 1; age [] floats: 1.5 2; kind [] of 2: 0 1; label [] of 3: 2 0", note: `named by column "file"`}.check(t, "table:"+table)
	reads{name: "targets", train: "x [1 1 1] bytes: 3 1; target [2] floats: 1.5 2 2 0", note: "channels=3"}.check(t, "table:"+table+"?target=age,label&drop=kind")
	reads{name: "folder", train: "x [1 1 1] bytes: 3 1; age [] floats: 1.5 2; label [] of 3: 2 0"}.check(t, "folder:"+dir+"?labels=rows.csv&drop=kind")
	bare := t.TempDir()
	write(t, filepath.Join(bare, "a.png"), grayOf(1, 1))
	write(t, filepath.Join(bare, "labels.csv"), []byte("image,grade\na.png,3\n"))
	reads{name: "labels.csv", train: "x [1 1 1] bytes: 1; grade [] ints: 3", note: "labels.csv"}.check(t, "folder:"+bare)
	reads{name: "none", bad: "which is not there"}.check(t, "table:"+write(t, filepath.Join(dir, "other.csv"), []byte("f,y\na.png,1\nz.png,2\n")))
}

func FuzzCSVRecords(f *testing.F) {
	f.Add([]byte("a,b,c\n1,2,x\n3,4.5,y\n"))
	f.Add([]byte("1;2,5;3\n4;5;6\n"))
	f.Fuzz(func(t *testing.T, b []byte) { fuzz(t, "csv:{0}?fields=columns", b) })
}
