// Package onnxpb is the ONNX file format as Go types.
package onnxpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative onnx.proto
