package kernel

//go:generate sh -c "cd gen && go run . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg kernel"
//go:generate sh -c "cd gen && go run ./arm -out ../kernels_arm64.s -stubs ../stubs_arm64.go"
