package dataset

// Ahead fills the next batch of a loader in the background while the present
// one is used. Buffers are reused; a batch that was not foreseen is filled at
// once. Close ends the background work.
type Ahead struct {
	*Loader
	want  chan [2]int
	ready chan batch
	free  batch
	at    [2]int // what is being filled
	busy  bool
}

type batch struct {
	x      []float32
	tokens []int64
	y      []int64
	n      int
}

// NewAhead starts a worker for a loader, which it then owns.
func NewAhead(l *Loader) *Ahead {
	a := &Ahead{Loader: l, want: make(chan [2]int), ready: make(chan batch)}
	go func() {
		for at := range a.want {
			b := a.free
			b.n = l.Fill(at[0], at[1], b.x, b.tokens, b.y)
			a.ready <- b
		}
	}()
	return a
}

// Fill gives batch i of an epoch, as Loader.Fill does, and starts the next one.
func (a *Ahead) Fill(epoch, i int, x []float32, tokens []int64, y []int64) int {
	at := [2]int{epoch, i}
	room := (x == nil || a.free.x != nil) && (tokens == nil || a.free.tokens != nil)
	if a.busy && a.at != at || a.busy && !room {
		<-a.ready // another batch was foreseen, or of another kind
		a.busy = false
	}
	if !a.busy {
		a.room(x != nil, tokens != nil)
		a.start(at)
	}
	b := <-a.ready
	copy(x, b.x)
	copy(tokens, b.tokens)
	copy(y, b.y)
	if i++; i >= a.Steps() {
		epoch, i = epoch+1, 0
	}
	a.start([2]int{epoch, i})
	return b.n
}

// room makes the buffers, once it is known whether numbers or tokens are wanted.
func (a *Ahead) room(x, tokens bool) {
	n, per := a.Set.Size(), 1
	if a.free.y == nil {
		if a.Set.Tokens != nil {
			per = n
		}
		a.free.y = make([]int64, a.Size*per)
	}
	if x && a.free.x == nil {
		a.free.x = make([]float32, a.Size*n)
	}
	if tokens && a.free.tokens == nil {
		a.free.tokens = make([]int64, a.Size*n)
	}
}

func (a *Ahead) start(at [2]int) {
	a.want <- at
	a.at, a.busy = at, true
}

// Close ends the worker.
func (a *Ahead) Close() {
	if a.busy {
		<-a.ready
		a.busy = false
	}
	close(a.want)
}
