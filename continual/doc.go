// Package continual turns a network that was made for clips into one that runs on a
// stream: a step network takes the newest frames and a state, and gives what the network
// gives for the window that ends there, with the same weights, from results that are kept
// instead of computed anew (Hedegaard 2023, arXiv 2306.13474).
//
// [Convert] makes the step network: an ONNX graph whose state is inputs and outputs, so
// that any runtime runs it. [Open] reads one from its file, and a [Stream] runs it frame
// by frame. What cannot be computed so is refused with its name and the reason.
package continual
