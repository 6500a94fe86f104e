// Package quantise makes integers of the numbers of a network: it finds the ranges of
// activations on samples and those of weights by channel, says between which operators
// tensors are integers, and writes the network with QuantizeLinear and DequantizeLinear
// around them, as ONNX Runtime does, so that runtimes compute in integers what can be.
//
//	p, err := quantise.NewPlan(g, quantise.Options{})           // which layers, which tensors
//	err = p.Calibrate(ctx, batches, quantise.MinMax, opt)       // their ranges
//	err = p.CorrectBias(ctx, batches, opt)
//	small, err := p.Network()                                   // QuantizeLinear, DequantizeLinear
//
// A weight's integers stand for numbers around zero, so what pruning has cut stays exactly
// zero. What a plan leaves in floating point it names, with the reason.
package quantise
