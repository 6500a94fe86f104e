//go:build amd64 && !linux

package kernel

// tilesAllowed: how to ask for the registers of tiles is known for Linux.
func tilesAllowed() bool { return false }
