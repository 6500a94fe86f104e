// Package fields is where the fields of the structs lie that package kernel passes to its
// assembly, in bytes: the writers of both architectures read them there.
package fields

// Those of kernel.tile; all are eight bytes wide.
const (
	TRows = 8 * iota
	TK
	TA
	TArs
	TAis
	TAks
	TB
	TLdb
	TC
	TLdc
	TBias
	TRes
	TLdr
	TFlags
	TMask
	TRowBias
	TBrs
	TVecs
	TOff
	TLo
)

// THi is the second of the limits at TLo, of four bytes each.
const THi = TLo + 4

// Those of kernel.sparseTile; all are eight bytes wide.
const (
	SEntries = 8 * iota
	SCounts
	SRows
	SX
	SXRow
	SY
	SYRow
	SYPlane
	SBias
	SRes
	SFlags
	SMask
	SLo
)

// Those of kernel.wholeTile; all are eight bytes wide.
const (
	WValues = 8 * iota
	WMasks
	WScales
	WGroups
	WPanels
	WX
	WY
	WYRow
	WTable
)

// Those of kernel.sampled; all are eight bytes wide.
const (
	DOffs = 8 * iota
	DCounts
	DRows
	DX
	DXRow
	DD
	DDRow
	DDPlane
	DR
	DNV
	DMask
	DSum
)

// Those of kernel.packedTile; all are eight bytes wide.
const (
	PValues = 8 * iota
	PMasks
	PScales
	PGroups
	PRows
	PX
	PXRow
	PY
	PYRow
	PTable
)

// Those of kernel.attentionTile; all are eight bytes wide.
const (
	AData = 8 * iota
	AStep
	ARows
	ADim
	AX
	AXRow
	AY
	AYRow
)
