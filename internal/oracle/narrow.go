package oracle

// Narrow keeps some outputs of layer l, and what the next layer makes of them.
func (n *Net) Narrow(l int, keep []bool) {
	a, b := n.Layers[l], n.Layers[l+1]
	var w, bias, next []float64
	for o, k := range keep {
		if k {
			w, bias = append(w, a.W.X[o*a.In:(o+1)*a.In]...), append(bias, a.B.X[o])
		}
	}
	for i, x := range b.W.X {
		if keep[i%b.In] {
			next = append(next, x)
		}
	}
	a.W, a.B, b.W = NewTensor(a.W.Name, w), NewTensor(a.B.Name, bias), NewTensor(b.W.Name, next)
	a.Out = Count(keep)
	b.In = a.Out
}
