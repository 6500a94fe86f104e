package train

// Hook takes part in training. Every pruning method that trains is made of
// hooks. All methods are called from the training loop, in the hooks' order.
type Hook interface {
	Start(*Run) error      // once, before the first step (after a resume, with the state restored)
	BeforeStep(*Run) error // before forward and backward
	AfterGrad(*Run) error  // gradients are there, weights not yet moved
	AfterStep(*Run) error  // weights and running statistics are moved
	AfterEpoch(*Run, Epoch) error
}

// Base is a Hook that does nothing, to be embedded.
type Base struct{}

// Start does nothing.
func (Base) Start(*Run) error { return nil }

// BeforeStep does nothing.
func (Base) BeforeStep(*Run) error { return nil }

// AfterGrad does nothing.
func (Base) AfterGrad(*Run) error { return nil }

// AfterStep does nothing.
func (Base) AfterStep(*Run) error { return nil }

// AfterEpoch does nothing.
func (Base) AfterEpoch(*Run, Epoch) error { return nil }

// Reparametrised is a Hook that trains parameters of its own in the place of some
// of the network's: what it returns is clipped, moved by the optimiser and saved.
// It is asked before Start, with no state restored yet; AfterGrad sets the
// gradients of its own, and after each step, and in Start, it writes the weights
// that they stand for.
type Reparametrised interface {
	Reparametrise(params []*Param) ([]*Param, error)
}

// MaskSafe is a Hook that leaves at zero what masks have cut: it changes neither
// the gradients nor the optimiser's steps of cut entries. As long as all hooks
// are, nothing has to be zeroed again after a step.
type MaskSafe interface{ MaskSafe() }

// Observer is a Hook that looks on and changes nothing, to be embedded.
type Observer struct{ Base }

// MaskSafe says that whoever looks on leaves masks alone.
func (Observer) MaskSafe() {}

// Stateful is a Hook whose state goes into checkpoints. Several hooks of a run may
// have the same name: their states are told apart by their order.
type Stateful interface {
	Name() string
	MarshalBinary() ([]byte, error)
	UnmarshalBinary([]byte) error
}
