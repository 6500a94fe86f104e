package dataset

import (
	"bytes"
	"encoding/binary"
)

// Tags of TIFF 6.0 that tell what a decoder must know.
const (
	tagOrientation = 0x0112
	tagSamples     = 0x0115 // samples of a pixel
	tagPlanar      = 0x011c // 2: each channel apart
)

// shorts reads tags of one short number from the first folder of a TIFF
// structure, which is also what EXIF is, and tells whether another folder
// follows. Tags that are absent or of other types are left out.
func shorts(b []byte, tags ...uint16) (found map[uint16]int, more bool) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(b, []byte("II*\x00")):
		order = binary.LittleEndian
	case bytes.HasPrefix(b, []byte("MM\x00*")):
		order = binary.BigEndian
	default:
		return nil, false
	}
	if len(b) < 8 {
		return nil, false
	}
	at := int64(order.Uint32(b[4:]))
	if at < 8 || at+2 > int64(len(b)) {
		return nil, false
	}
	found = map[uint16]int{}
	n := int(order.Uint16(b[at:]))
	dir := b[at+2:]
	for i := 0; i < n && len(dir) >= 12; i++ {
		tag, kind, count := order.Uint16(dir), order.Uint16(dir[2:]), order.Uint32(dir[4:])
		for _, t := range tags {
			if t == tag && kind == 3 && count == 1 {
				found[t] = int(order.Uint16(dir[8:]))
			}
		}
		dir = dir[12:]
	}
	return found, len(dir) >= 4 && order.Uint32(dir) != 0
}

// orientation is that of an EXIF block, 1 to 8; 1, upright, where it says none.
func orientation(exif []byte) int {
	found, _ := shorts(bytes.TrimPrefix(exif, []byte("Exif\x00\x00")), tagOrientation)
	if v := found[tagOrientation]; v >= 1 && v <= 8 {
		return v
	}
	return 1
}

// jpegSegments calls each for the segments before the first scan, with its
// marker and contents.
func jpegSegments(b []byte, each func(marker byte, body []byte)) {
	for at := 2; at+4 <= len(b) && b[at] == 0xff; {
		if b[at+1] == 0xff { // filling
			at++
			continue
		}
		n := int(binary.BigEndian.Uint16(b[at+2:]))
		if n < 2 || n > len(b)-at-2 {
			return
		}
		each(b[at+1], b[at+4:at+2+n])
		if b[at+1] == 0xda {
			return
		}
		at += 2 + n
	}
}

// pngChunks calls each for the chunks of a PNG.
func pngChunks(b []byte, each func(name string, body []byte)) {
	for at := 8; at+12 <= len(b); {
		n := int64(binary.BigEndian.Uint32(b[at:]))
		if n > int64(len(b)-at-12) {
			return
		}
		each(string(b[at+4:at+8]), b[at+8:at+8+int(n)])
		at += 12 + int(n)
	}
}

// riffChunks calls each for the chunks of a RIFF list, until it gives false.
func riffChunks(b []byte, each func(name string, body []byte) bool) {
	for len(b) >= 8 {
		n := int64(binary.LittleEndian.Uint32(b[4:]))
		if n > int64(len(b)-8) || !each(string(b[:4]), b[8:8+n]) {
			return
		}
		b = b[min(int64(len(b)), 8+n+n&1):]
	}
}
