package export

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pare/run"

	"google.golang.org/protobuf/encoding/protowire"
)

// An event file is records (tensorflow/core/lib/io/record_writer.h): the length as uint64,
// its masked CRC-32C, the bytes, and theirs, little-endian. Each is an Event
// (tensorflow/core/util/event.proto); the first names the version.

// Numbers of the fields that are written.
const (
	eventTime    = 1 // Event.wall_time, double
	eventStep    = 2 // Event.step, int64
	eventVersion = 3 // Event.file_version, string
	eventSummary = 5 // Event.summary
	summaryValue = 1 // Summary.value, repeated
	valueTag     = 1 // Summary.Value.tag, string
	valueSimple  = 2 // Summary.Value.simple_value, float
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the checksum of a record.
func masked(b []byte) uint32 {
	c := crc32.Checksum(b, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// record appends one.
func record(out, b []byte) []byte {
	head := binary.LittleEndian.AppendUint64(nil, uint64(len(b)))
	out = append(out, head...)
	out = binary.LittleEndian.AppendUint32(out, masked(head))
	out = append(out, b...)
	return binary.LittleEndian.AppendUint32(out, masked(b))
}

func eventAt(t time.Time) []byte {
	b := protowire.AppendTag(nil, eventTime, protowire.Fixed64Type)
	return protowire.AppendFixed64(b, math.Float64bits(float64(t.UnixNano())/1e9))
}

// versionEvent is the first event of a file.
func versionEvent(t time.Time) []byte {
	b := protowire.AppendTag(eventAt(t), eventVersion, protowire.BytesType)
	return protowire.AppendString(b, "brain.Event:2")
}

// event is a point.
func event(p *run.Point) []byte {
	b := protowire.AppendTag(eventAt(p.Time), eventStep, protowire.VarintType)
	b = protowire.AppendVarint(b, uint64(p.Step))
	var summary []byte
	for _, v := range p.Values {
		value := protowire.AppendTag(nil, valueTag, protowire.BytesType)
		value = protowire.AppendString(value, strings.ToValidUTF8(v.Name, "_"))
		value = protowire.AppendTag(value, valueSimple, protowire.Fixed32Type)
		value = protowire.AppendFixed32(value, math.Float32bits(float32(v.X)))
		summary = protowire.AppendTag(summary, summaryValue, protowire.BytesType)
		summary = protowire.AppendBytes(summary, value)
	}
	b = protowire.AppendTag(b, eventSummary, protowire.BytesType)
	return protowire.AppendBytes(b, summary)
}

// eventFile is how the names of event files begin.
const eventFile = "events.out.tfevents."

// events are the points of a part as a file; only those from a number on where more are
// to be appended to a file.
func events(began time.Time, points []*run.Point, from int) (b []byte) {
	if from == 0 {
		b = record(nil, versionEvent(began))
	}
	for _, p := range points[from:] {
		if len(p.Values) > 0 {
			b = record(b, event(p))
		}
	}
	return b
}

// eventPath is the event file of a part in the folder of a run.
func (r *Run) eventPath(dir string, p *part) string {
	return filepath.Join(dir, filepath.FromSlash(p.name), fmt.Sprintf("%s%010d.pare", eventFile, max(0, r.Record.Began.Unix())))
}

func writeTensorBoard(dir string, r *Run) (string, error) {
	path := filepath.Join(dir, r.Name)
	return path, whole(path, onlyEvents, func(tmp string) error {
		for _, p := range r.parts() {
			to := r.eventPath(tmp, &p)
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(to, events(r.Record.Began, p.points, 0), 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

// onlyEvents says whether a folder holds event files and nothing else.
func onlyEvents(dir string) bool {
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(d.Name(), eventFile) {
			err = fs.ErrExist
		}
		return err
	})
	return err == nil
}

// Follower keeps the event files of a run up to date while it runs.
type Follower struct {
	dir     string
	written map[string]int // points, by part
}

// Follow writes the event files of a run into a folder, for Next to add to.
func Follow(dir string, r *Run) (*Follower, error) {
	path, err := writeTensorBoard(dir, r)
	f := &Follower{path, map[string]int{}}
	for _, p := range r.parts() {
		f.written[p.name] = len(p.points)
	}
	return f, err
}

// Next appends the points that have come since.
func (f *Follower) Next(r *Run) error {
	for _, p := range r.parts() {
		from := min(f.written[p.name], len(p.points))
		f.written[p.name] = len(p.points)
		b := events(r.Record.Began, p.points, from)
		if len(b) == 0 {
			continue
		}
		to := r.eventPath(f.dir, &p)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		w, err := os.OpenFile(to, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		if e := w.Close(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}
