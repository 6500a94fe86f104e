package kernel

import (
	"unsafe"

	"github.com/klauspost/cpuid/v2"
)

// hasDot says whether the CPU has a way and the level of instructions in use admits it.
func hasDot(d DotISA) bool {
	switch d {
	case DotAVX2:
		return isa >= AVX2
	case DotAVXVNNI:
		return isa >= AVX2 && cpuid.CPU.Supports(cpuid.AVXVNNI)
	case DotVNNI:
		return isa >= AVX512 && cpuid.CPU.Supports(cpuid.AVX512VNNI)
	case DotAMX:
		return isa >= AVX512 && cpuid.CPU.Supports(cpuid.AVX512VNNI, cpuid.AMXTILE, cpuid.AMXINT8) && tilesAllowed()
	}
	return true
}

var dotVNNI = [2][13]func(*byte){
	{nil, dotvnni_1x1, dotvnni_2x1, dotvnni_3x1, dotvnni_4x1, dotvnni_5x1, dotvnni_6x1, dotvnni_7x1, dotvnni_8x1, dotvnni_9x1, dotvnni_10x1, dotvnni_11x1, dotvnni_12x1},
	{nil, dotvnni_1x2, dotvnni_2x2, dotvnni_3x2, dotvnni_4x2, dotvnni_5x2, dotvnni_6x2, dotvnni_7x2, dotvnni_8x2, dotvnni_9x2, dotvnni_10x2, dotvnni_11x2, dotvnni_12x2},
}

var (
	dotPairs   = [5]func(*byte){nil, dotpairs_1, dotpairs_2, dotpairs_3, dotpairs_4}
	dotWide    = [5]func(*byte){nil, dotwide_1, dotwide_2, dotwide_3, dotwide_4}
	dotAVXVNNI = [7]func(*byte){nil, dotavxvnni_1, dotavxvnni_2, dotavxvnni_3, dotavxvnni_4, dotavxvnni_5, dotavxvnni_6}
	dotAMX     = [2][2]func(*byte){{dotamx_1x1, dotamx_1x2}, {dotamx_2x1, dotamx_2x2}}
)

// tileShape is what LDTILECFG reads: the bytes of a row and the rows of each tile.
type tileShape struct {
	palette, start byte
	_              [14]byte
	bytes          [16]uint16
	rows           [16]byte
}

// tileShapes are those for 1 to 32 rows of A.
var tileShapes = func() (t [33]tileShape) {
	for r := 1; r <= 32; r++ {
		first, second := byte(min(r, 16)), byte(max(r-16, 0))
		t[r].palette = 1
		t[r].rows = [16]byte{first, first, second, second, first, second, 16, 16}
		for i, n := range t[r].rows {
			if n > 0 {
				t[r].bytes[i] = 64
			}
		}
	}
	return t
}()

func (q *ByteWeights) runDots(w *Worker, a []byte, lda, m, panel, panels int, sums []int32) {
	t := &w.dot
	size := deep(q.K) * dotPanel
	*t = dotTile{Lda: lda, K: (q.K + 3) / 4, B: unsafe.Pointer(&q.data[panel*size]), BNext: size}
	at := func(i int) {
		t.A, t.C = unsafe.Pointer(&a[i*lda]), unsafe.Pointer(&sums[i*dotPitch])
	}
	switch dot {
	case DotAMX:
		t.K = deep(q.K) / dotDepth
		if whole := m / 32; whole > 0 {
			at(0)
			t.Blocks, t.Config = whole, unsafe.Pointer(&tileShapes[32])
			dotAMX[1][panels-1]((*byte)(unsafe.Pointer(t)))
		}
		if left := m % 32; left > 0 {
			at(m - left)
			t.Blocks, t.Config = 1, unsafe.Pointer(&tileShapes[left])
			dotAMX[(left-1)/16][panels-1]((*byte)(unsafe.Pointer(t)))
		}
	case DotVNNI:
		tiles := (m + 11) / 12
		for i, left := 0, m; left > 0; tiles-- {
			rows := (left + tiles - 1) / tiles
			at(i)
			dotVNNI[panels-1][rows]((*byte)(unsafe.Pointer(t)))
			i += rows
			left -= rows
		}
	default:
		for p := range panels {
			kernels, most := dotWide[:], 4
			if dot == DotAVXVNNI {
				kernels, most = dotAVXVNNI[:], 6
			} else if q.fits[panel+p] {
				kernels = dotPairs[:]
			}
			t.B = unsafe.Pointer(&q.data[(panel+p)*size])
			tiles := (m + most - 1) / most
			for i, left := 0, m; left > 0; tiles-- {
				rows := (left + tiles - 1) / tiles
				at(i)
				t.C = unsafe.Pointer(&sums[i*dotPitch+p*dotPanel])
				kernels[rows]((*byte)(unsafe.Pointer(t)))
				i += rows
				left -= rows
			}
		}
	}
	*t = dotTile{}
}

// weaveVec is Weave where there is assembly.
func (q *ByteWeights) weaveVec(x []byte, ld int) bool {
	if isa == Generic || q.K < 4 {
		return false
	}
	whole := q.K / 4
	if (whole*4-1)*ld+dotPanels(q.N)*dotPanel > len(x) {
		return false
	}
	for j := 0; j < q.N; j += dotPanel {
		to := q.column(j)
		t := bytesTile{X: unsafe.Pointer(&x[j]), Y: unsafe.Pointer(&q.Sums[j]), Out: unsafe.Pointer(&to[0]), N: whole, F: [8]uint32{uint32(ld), uint32(uint64(ld) >> 32)}}
		weavebytes((*byte)(unsafe.Pointer(&t)))
		for k := whole * 4; k < q.K; k++ {
			for c := range min(dotPanel, q.N-j) {
				v := x[k*ld+j+c] ^ 0x80
				q.column(j + c)[k/4*4*dotPanel+k%4] = v
				q.Sums[j+c] += int32(int8(v))
			}
		}
	}
	clear(q.Sums[q.N:]) // columns that only fill up the last panel
	return true
}
