package objective

// File is the loss that an ONNX file holds, written onnx:PATH. It has no Build: Import adds
// the file's nodes.
var File = &Loss{
	Name: "onnx",
	Doc:  "any loss, as an ONNX file whose inputs are named after outputs of the network and targets, and whose output is one number",
}
