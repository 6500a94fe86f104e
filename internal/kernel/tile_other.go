//go:build !amd64 && !arm64

package kernel

func lastMask(k int) uintptr { return 0 }

func widest(m int) int { return 2 }

func tileRows(nv, _, left int) int { return min(left, 8) }

func runTile(t *tile, mr, nv, width int) { goTile(t, mr, width) }

func runChannels(t *tile, mr, n int) { goChannels(t, mr, n) }

func runNarrow(t *tile, mr int) { panic("kernel: no narrow tiles here") }
