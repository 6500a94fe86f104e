package kernel

import "unsafe"

func lastMask(k int) uintptr { return 0 }

// The micro-kernels by columns and rows.
var tilesNEON = [33][9]func(*byte){
	32: {1: tileneon_1x32, 2: tileneon_2x32, 3: tileneon_3x32},
	16: {1: tileneon_1x16, 2: tileneon_2x16, 3: tileneon_3x16, 4: tileneon_4x16, 5: tileneon_5x16, 6: tileneon_6x16},
	8:  {1: tileneon_1x8, 2: tileneon_2x8, 3: tileneon_3x8, 4: tileneon_4x8, 5: tileneon_5x8, 6: tileneon_6x8, 7: tileneon_7x8, 8: tileneon_8x8},
	4:  {1: tileneon_1x4, 2: tileneon_2x4, 3: tileneon_3x4, 4: tileneon_4x4, 5: tileneon_5x4, 6: tileneon_6x4, 7: tileneon_7x4, 8: tileneon_8x4},
	3:  {1: tileneon_1x3, 2: tileneon_2x3, 3: tileneon_3x3, 4: tileneon_4x3},
	2:  {1: tileneon_1x2, 2: tileneon_2x2, 3: tileneon_3x2, 4: tileneon_4x2},
	1:  {1: tileneon_1x1, 2: tileneon_2x1, 3: tileneon_3x1, 4: tileneon_4x1},
}

// widest is the greatest number of vectors in a tile for a block of m rows.
func widest(m int) int {
	if isa == NEON && m <= 3 {
		return 4
	}
	return 2
}

// tileRows is the height of the tile to use where `left` rows are left: the rows are shared
// out evenly among as few tiles as hold them.
func tileRows(_, width, left int) int {
	most := 8
	switch {
	case isa == Generic:
	case width == 32: // the block is no higher
		most = 3
	case width == 16:
		most = 6
	case width < 4:
		most = 4
	}
	tiles := (left + most - 1) / most
	return (left + tiles - 1) / tiles
}

func runTile(t *tile, mr, _, width int) {
	if isa == NEON {
		tilesNEON[width][mr]((*byte)(unsafe.Pointer(t)))
		return
	}
	goTile(t, mr, width)
}

func runNarrow(*tile, int) { panic("kernel: no narrow tiles here") }

var channelsNEON = [9]func(*byte){nil, channelsneon_1, channelsneon_2, channelsneon_3, channelsneon_4, channelsneon_5, channelsneon_6, channelsneon_7, channelsneon_8}

// runChannels runs a tile of mr rows and n channels.
func runChannels(t *tile, mr, n int) {
	if isa == NEON {
		t.Vecs = n // it counts channels
		channelsNEON[mr]((*byte)(unsafe.Pointer(t)))
		return
	}
	goChannels(t, mr, n)
}
