package kernel

import "unsafe"

// masks8 holds 8 lanes of ones, then 8 of zeros: a mask of k lanes starts at 8-k.
var masks8 = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// lastMask is the mask of the last vector of a tile of which k lanes count.
func lastMask(k int) uintptr {
	if isa == AVX512 {
		return 1<<k - 1
	}
	return uintptr(unsafe.Pointer(&masks8[8-min(k, 8)]))
}

var tiles512 = [9][17]func(*byte){
	1: {nil, tileavx512_1x1, tileavx512_2x1, tileavx512_3x1, tileavx512_4x1, tileavx512_5x1, tileavx512_6x1, tileavx512_7x1, tileavx512_8x1, tileavx512_9x1, tileavx512_10x1, tileavx512_11x1, tileavx512_12x1, tileavx512_13x1, tileavx512_14x1, tileavx512_15x1, tileavx512_16x1},
	2: {nil, tileavx512_1x2, tileavx512_2x2, tileavx512_3x2, tileavx512_4x2, tileavx512_5x2, tileavx512_6x2, tileavx512_7x2, tileavx512_8x2, tileavx512_9x2, tileavx512_10x2, tileavx512_11x2, tileavx512_12x2, tileavx512_13x2, tileavx512_14x2},
	4: {3: tileavx512_3x4, 4: tileavx512_4x4, 5: tileavx512_5x4, 6: tileavx512_6x4},
	8: {1: tileavx512_1x8, 2: tileavx512_2x8},
}

var tiles256 = [9][9]func(*byte){
	1: {1: tileavx2_1x1, 2: tileavx2_2x1, 3: tileavx2_3x1, 4: tileavx2_4x1, 5: tileavx2_5x1, 6: tileavx2_6x1, 7: tileavx2_7x1, 8: tileavx2_8x1},
	2: {1: tileavx2_1x2, 2: tileavx2_2x2, 3: tileavx2_3x2, 4: tileavx2_4x2, 5: tileavx2_5x2, 6: tileavx2_6x2},
	4: {2: tileavx2_2x4},
	8: {1: tileavx2_1x8},
}

// widest is the greatest number of vectors in a tile for a block of m rows.
func widest(m int) int {
	switch {
	case isa == AVX512 && m <= 2 || isa == AVX2 && m == 1:
		return 8
	case isa == AVX512 && m <= 6 || isa == AVX2 && m == 2:
		return 4
	}
	return 2
}

// tileRows is the height of the tile to use where `left` rows are left: the
// rows are shared out evenly among as few tiles as hold them.
func tileRows(nv, _, left int) int {
	most := 8
	switch {
	case nv > 2: // the block is no higher
		return left
	case isa == AVX512 && nv == 2:
		most = 14
	case isa == AVX512:
		most = 16
	case isa == AVX2 && nv == 2:
		most = 6
	}
	tiles := (left + most - 1) / most
	return (left + tiles - 1) / tiles
}

func runTile(t *tile, mr, nv, width int) {
	switch isa {
	case AVX512:
		tiles512[nv][mr]((*byte)(unsafe.Pointer(t)))
	case AVX2:
		tiles256[nv][mr]((*byte)(unsafe.Pointer(t)))
	default:
		goTile(t, mr, width)
	}
}

// runNarrow runs a tile of mr rows and up to 8 columns in vectors of 8.
func runNarrow(t *tile, mr int) { tiles256[1][mr]((*byte)(unsafe.Pointer(t))) }

var channels512 = [9]func(*byte){nil, channelsavx512_1, channelsavx512_2, channelsavx512_3, channelsavx512_4, channelsavx512_5, channelsavx512_6, channelsavx512_7, channelsavx512_8}

var channels256 = [9]func(*byte){nil, channelsavx2_1, channelsavx2_2, channelsavx2_3, channelsavx2_4, channelsavx2_5, channelsavx2_6, channelsavx2_7, channelsavx2_8}

// runChannels runs a tile of mr rows and n channels.
func runChannels(t *tile, mr, n int) {
	switch isa {
	case AVX512:
		channels512[mr]((*byte)(unsafe.Pointer(t)))
	case AVX2:
		channels256[mr]((*byte)(unsafe.Pointer(t)))
	default:
		goChannels(t, mr, n)
	}
}
