package kernel

// packedNEON are the kernels by form and by the logarithm of the number of vectors; the first
// of a form writes the rows as floats.
var packedNEON = [5][4]func(*byte){
	Half:        {packedhalf0neon, packedhalf1neon, packedhalf2neon, packedhalf4neon},
	Int8:        {packedint80neon, packedint81neon, packedint82neon, packedint84neon},
	SparseHalf:  {packedsparsehalf0neon, packedsparsehalf1neon, packedsparsehalf2neon, packedsparsehalf4neon},
	SparseInt8:  {packedsparseint80neon, packedsparseint81neon, packedsparseint82neon, packedsparseint84neon},
	SparseFloat: {packedsparsefloat0neon, packedsparsefloat1neon, packedsparsefloat2neon, packedsparsefloat4neon},
}

// kernels are those of the form, and the most vectors they take at once.
func (p *Packed) kernels() ([]func(*byte), int) { return packedNEON[p.Form][:], 4 }
